"""Which of a TIFF's frames are pages, told without decoding any. After "TIFF Revision 6.0", Adobe, 1992."""

from __future__ import annotations

import struct
from typing import BinaryIO

MOST_PAGES = 10_000
"""Frames that are looked at. To read one, its decoder walks past all before it."""

BEGINNINGS = {b"II*\0": "<", b"MM\0*": ">", b"II+\0": "<", b"MM\0+": ">"}
"""The first four bytes of a TIFF, or of a BigTIFF, and the order of the others."""

_NEW_SUBFILE_TYPE, _REDUCED = 254, 1
"""The first tag that a directory of a frame may have, and the bit of a copy that is reduced, as a preview."""


def pages(file: BinaryIO) -> tuple[list[int], str | None]:
    """The frames that are pages, counted from 0, and what is wrong with those after them, or None.

    None at all if the file is no TIFF. Frames that hold a reduced copy of another are not pages.
    """
    head = file.read(16)
    order = BEGINNINGS.get(head[:4])
    if not order:
        return [], None
    big = b"+" in head[:4]
    offset, count, entry = ("Q", "Q", 20) if big else ("I", "H", 12)
    found: list[int] = []
    seen: set[int] = set()
    try:
        (here,) = struct.unpack_from(order + offset, head, 8 if big else 4)
        while here and here not in seen:
            if len(seen) == MOST_PAGES:
                return found, f"it has more than {MOST_PAGES} pages"
            seen.add(here)
            file.seek(here)
            (entries,) = _read(file, order + count)
            tag, _, _, kind = _read(file, order + ("HHQI" if big else "HHII")) if entries else (0,) * 4
            if tag != _NEW_SUBFILE_TYPE or not kind & _REDUCED:
                found.append(len(seen) - 1)
            file.seek(here + struct.calcsize(order + count) + entry * entries)
            (here,) = _read(file, order + offset)
    except (struct.error, OverflowError, OSError, ValueError):
        return found, "its list of pages is cut off" if found else None
    return found, "its list of pages runs in a circle" if here else None


def _read(file: BinaryIO, layout: str) -> tuple[int, ...]:
    return struct.unpack(layout, file.read(struct.calcsize(layout)))
