"""Pages of a PDF as pictures, drawn by PDFium."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

from digitcli.errors import ImageError
from digitcli.system import limits

try:
    import pypdfium2
    import pypdfium2.raw as raw
except ImportError:
    pypdfium2 = None

DOTS_PER_INCH = 200
"""At which a page is drawn: the digits of small print are then some 20 pixels high."""

LONGEST_SIDE = 4000
"""Pixels of a page that is drawn, at most, however large its paper."""

_POINTS = 72
"""A PDF's unit is so small a part of an inch."""


def page_count(content: str | bytes, name: str) -> int:
    """How many pages a PDF has.

    content: its path, or its bytes. Raises ImageError if it is damaged, encrypted or lies, or if PDFium is
    not installed. To hold it to its memory and time, call this within `PictureLimits.reading`, in a process
    that it may kill.
    """
    with _document(content, name) as document:
        count = len(document)
    size = len(content) if isinstance(content, bytes) else os.stat(content).st_size
    if not count:
        raise ImageError(f"{name} has no pages.")
    if count > size:
        raise ImageError(f"{name} is damaged: it claims to have {count} pages in {size} bytes.")
    return count


def drawn(
    content: str | bytes,
    name: str,
    page: int,
    *,
    least_side: int | None = None,
    seconds: float = limits.SECONDS,
) -> Image.Image:
    """One page, counted from 0, as on white paper, with what was filled in; in mode RGB.

    least_side: pixels on the longer side that are enough; else it has DOTS_PER_INCH, as far as LONGEST_SIDE
    allows. Raises ImageError as `page_count` does, and for a page that cannot be drawn, or not in `seconds`.
    """
    with _document(content, name) as document:
        try:
            if document.get_formtype():
                document.init_forms()
            sheet = document[page]
        except (pypdfium2.PdfiumError, IndexError):
            raise ImageError(f"{name} is damaged and cannot be drawn.") from None
        width, height = sheet.get_size()
        longest = max(width, height)
        if not min(width, height) > 0 or not longest < float("inf"):
            raise ImageError(f"{name} is damaged: a page of {width:g} x {height:g} points.")
        side = min(LONGEST_SIDE, least_side or LONGEST_SIDE, longest * DOTS_PER_INCH / _POINTS)
        size = tuple(max(1, round(each * side / longest)) for each in (width, height))
        bitmap = pypdfium2.PdfBitmap.new_native(*size, raw.FPDFBitmap_BGR, rev_byteorder=True)
        bitmap.fill_rect((255, 255, 255, 255), 0, 0, *size)
        _draw(sheet, bitmap, size, name, seconds)
        picture: Image.Image = bitmap.to_pil().copy()  # which outlives the bitmap
        return picture


def _draw(
    sheet: pypdfium2.PdfPage, bitmap: pypdfium2.PdfBitmap, size: tuple[int, ...], name: str, seconds: float
) -> None:
    end = time.thread_time() + seconds

    def late(_: object) -> bool:
        try:
            return time.thread_time() > end
        except limits.OvertimeError:  # which a signal brings here, of all places
            return True

    pause = raw.IFSDK_PAUSE(version=1)
    pypdfium2.internal.set_callback(pause, "NeedToPauseNow", late)
    where = (bitmap, sheet, 0, 0, *size, 0, raw.FPDF_ANNOT | raw.FPDF_REVERSE_BYTE_ORDER)
    try:
        status = raw.FPDF_RenderPageBitmap_Start(*where, pause)
    finally:
        raw.FPDF_RenderPage_Close(sheet)
    if status == raw.FPDF_RENDER_TOBECONTINUED:
        raise ImageError(limits.overtime(name, seconds))
    if status == raw.FPDF_RENDER_FAILED:
        raise ImageError(f"{name} is damaged and cannot be drawn.")
    if sheet.formenv:
        raw.FPDF_FFLDraw(sheet.formenv, *where)


@contextmanager
def _document(content: str | bytes, name: str) -> Iterator[pypdfium2.PdfDocument]:
    if not pypdfium2:
        raise ImageError(
            f"{name} is in a PDF. Install what reads that with: pip install 'digitcli[pdf]';"
            " or save its pages as PNG."
        )
    try:
        document = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise ImageError(f"{name} is encrypted. Save it without a password first.") from None
        raise ImageError(f"{name} is damaged: PDFium cannot open it.") from None
    except OSError as error:
        raise ImageError(f"{name} cannot be read: {error.strerror}.") from None
    try:
        yield document
    finally:
        document.close()
