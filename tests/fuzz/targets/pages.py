"""Pages of TIFFs and PDFs, counted and drawn."""

from __future__ import annotations

import io
from itertools import islice

from fuzz.files import expecting_errors
from fuzz.targets import CHEAP
from PIL import Image

from digitcli.images import pdf, tiff

MUTATIONS = CHEAP


def seeds() -> list[bytes]:
    return [_saved(format, count) for format in ("PDF", "TIFF") for count in (1, 3)]


def read(content: bytes) -> None:
    frames, _ = tiff.pages(io.BytesIO(content))
    assert len(frames) <= tiff.MOST_PAGES
    with expecting_errors():
        for page in islice(range(pdf.page_count(content, "x")), 2):
            pdf.drawn(content, "x", page, least_side=64)


def _saved(format: str, count: int) -> bytes:
    file = io.BytesIO()
    pages = [Image.linear_gradient("L").resize((30 + n, 20)) for n in range(count)]
    pages[0].save(file, format, save_all=True, append_images=pages[1:])
    return file.getvalue()
