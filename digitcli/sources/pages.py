"""Files of several pages, each of which is a picture of its own: TIFF and PDF.

A file of one page keeps its name; others give `scan.pdf[1]`, `scan.pdf[2]` …
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, BinaryIO

from digitcli.errors import ImageError, UsageError
from digitcli.images import tiff
from digitcli.sources.source import Source
from digitcli.system.limits import DEADLY, SECONDS, PictureLimits, overtime

if TYPE_CHECKING:
    from digitcli.system.parallel import Workers

SUFFIXES = (".pdf", ".tif", ".tiff")
"""Of paths that may be such files; one without any suffix may be, too."""

_HEAD = 1024  # bytes
_BLANK = b"\xef\xbb\xbf\0\t\n\f\r "  # what may precede a PDF's beginning


@dataclass(frozen=True)
class Pages:
    """Some pages of each file, counted from 1.

    text: as in a print dialogue, `1,3-5` or `7-`; all if empty.
    """

    text: str = ""

    def __post_init__(self) -> None:
        """Raises UsageError if it makes no sense."""
        _ = self._ranges

    def __contains__(self, page: int) -> bool:
        """Whether it is one of them."""
        return not self.text or any(first <= page <= last for first, last in self._ranges)

    @cached_property
    def _ranges(self) -> list[tuple[int, float]]:
        try:
            parts = [part.partition("-") for part in self.text.split(",")] if self.text else []
            ranges = [
                (int(first), float(int(last)) if last else float("inf") if dash else float(int(first)))
                for first, dash, last in parts
            ]
        except ValueError:
            ranges = [(0, 0.0)]
        if any(first < 1 or last < first for first, last in ranges):
            raise UsageError(f"'{self.text}' names no pages. Name them like 1,3-5 or 7-.")
        return ranges


EVERY_PAGE = Pages()


def split(sources: Iterable[Source], wanted: Pages = EVERY_PAGE) -> Iterator[Source]:
    """The same pictures, with the pages of each TIFF and PDF one by one, as they are asked for.

    Where none of a file's pages is wanted, or some of them cannot be had, a row with the error says so.
    """
    with ExitStack() as stack:
        count = _Counter(stack)
        for source in sources:
            match _kind(source):
                case "pdf":
                    yield from _chosen(source, *count(source), wanted, is_pdf=True)
                case "tiff":
                    yield from _chosen(source, *_frames(source), wanted)
                case _:
                    yield source


def _chosen(
    source: Source, frames: Sequence[int], wrong: ImageError | None, wanted: Pages, *, is_pdf: bool = False
) -> Iterator[Source]:
    """Its pages. wrong: with those after `frames`."""
    if not frames:
        yield replace(source, content=wrong) if wrong else source
        return
    if len(frames) == 1 and not wrong:
        yield replace(source, page=frames[0], is_pdf=is_pdf)
        return
    none = True
    for number, frame in enumerate(frames, 1):
        if number in wanted:
            none = False
            yield replace(source, name=f"{source.name}[{number}]", page=frame, is_pdf=is_pdf)
    if wrong:
        yield Source(f"{source.name}[{len(frames) + 1}]", wrong)
    elif none:
        error = f"{source.name} has {len(frames)} pages, and none of them is among --pages {wanted.text}."
        yield Source(source.name, ImageError(error))


def _kind(source: Source) -> str | None:
    """Whether a picture may have several pages, as its first bytes tell; of a path with the name of another
    format, that name does, since thousands of these a second must not be opened twice.
    """
    match source.content:
        case bytes() as content:
            return _kind_of(content[:_HEAD])
        case str() as path if path.lower().endswith(SUFFIXES) or "." not in os.path.basename(path):
            if not os.path.isfile(path):  # but a pipe, from which nothing can be read twice
                return None
            try:
                with open(path, "rb") as file:
                    return _kind_of(file.read(_HEAD))
            except (OSError, ValueError):
                return None  # reading it will tell
        case _:
            return None


def _kind_of(head: bytes) -> str | None:
    if head[:4] in tiff.BEGINNINGS:
        return "tiff"
    return "pdf" if head.lstrip(_BLANK).startswith(b"%PDF-") else None


def _frames(source: Source) -> tuple[list[int], ImageError | None]:
    """Of a TIFF."""
    name = f"The rest of {source.name} cannot be read"
    try:
        with _opened(source) as file:
            frames, wrong = tiff.pages(file)
    except OSError:
        return [], None  # reading it will tell
    return frames, ImageError(f"{name}: {wrong}.") if wrong else None


def _opened(source: Source) -> BinaryIO:
    match source.content:
        case bytes() as content:
            return io.BytesIO(content)
        case path:
            return open(str(path), "rb")


class _Counter:
    """Counts a PDF's pages in another process, since what opens it may take that down."""

    def __init__(self, stack: ExitStack) -> None:
        """stack: what ends that process."""
        self._stack = stack
        self._workers: Workers | None = None

    def __call__(self, source: Source) -> tuple[range, ImageError | None]:
        from digitcli.system.parallel import Death, Workers  # which pictures without pages need not pay for

        if not self._workers:
            self._workers = self._stack.enter_context(Workers(1))
        ((_, count),) = self._workers.map_in_order(_count, [source])
        if isinstance(count, int):
            return range(count), None
        if isinstance(count, Death):
            slow = count.signal == DEADLY
            count = ImageError(
                overtime(source.name, SECONDS)
                if slow
                else f"{source.name} cannot be opened: the process that tried was killed."
            )
        return range(0), count


def _count(source: Source) -> int | ImageError:
    """What the other process is asked to do."""
    from digitcli.images.pdf import page_count

    assert isinstance(source.content, str | bytes)
    try:
        with PictureLimits(deadly=True) as limits, limits.reading(source, source.name):
            return page_count(source.content, source.name)
    except ImageError as error:
        return error
