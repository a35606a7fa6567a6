"""One picture to read, wherever it is."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import BinaryIO, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from digitcli.errors import ImageError

PICTURE_SUFFIXES = frozenset(
    {".apng", ".avif", ".bmp", ".dib", ".gif", ".heic", ".heif", ".hif", ".ico", ".j2k", ".jfif", ".jp2"}
    | {".jpe", ".jpeg", ".jpg", ".pbm", ".pcx", ".pgm", ".png", ".pnm", ".ppm", ".sgi", ".tga", ".tif"}
    | {".tiff", ".webp", ".pdf"}
)
"""What is taken from a folder or an archive. A file that is named itself is read whatever it is called."""

ARCHIVE_SUFFIXES = (".zip", ".tar", ".tgz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz")
"""What is taken from a folder besides, for the pictures in it."""


class File(Protocol):
    """Where bytes are: a Path or an Address, whose string is what to call it."""

    def open(self, mode: Literal["rb"], /) -> BinaryIO:
        """To be read from its start, or from anywhere. Raises OSError if it cannot be."""


@dataclass(frozen=True)
class Source:
    """One picture to read.

    name: what to call it.
    content: the path of its file, or its bytes; its pixels, (28, 28) uint8; or why it cannot be had.
    page: which of the file's frames, or of a PDF's pages, counted from 0; None where there is one only.
    is_pdf: whether the file is a PDF. It is drawn in another process, since what draws it may end its own.
    """

    name: str
    content: str | bytes | NDArray[np.uint8] | ImageError
    page: int | None = None
    is_pdf: bool = False


def is_picture_name(path: str) -> bool:
    """Whether a folder or archive that has such a file holds a picture."""
    return path[path.rfind(".") :].lower() in PICTURE_SUFFIXES and not _is_hidden(path)


def is_of_pictures(path: str) -> bool:
    """Whether a folder that has such a file holds a picture, or an archive that may hold some."""
    return is_picture_name(path) or (path.lower().endswith(ARCHIVE_SUFFIXES) and not _is_hidden(path))


def _is_hidden(path: str) -> bool:
    # macOS leaves ._NAME.png beside NAME.png on foreign disks and in archives.
    return os.path.basename(path).startswith(".")


def escaped(name: str) -> str:
    """The name of a member, which whoever made its archive chose: without what moves a terminal's cursor, or
    would look like another row of results.
    """
    if name.isprintable():
        return name
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in name)
