"""Pictures that are in MNIST's form already, as data sets are exported by the ten thousand.

There is nothing to find in them, and to open each as if it could be anything takes longer than all the rest.
So they are told by their first bytes, and looked at together.
"""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digitcli.convention import SIDE
from digitcli.images.geometry import in_mnist_form
from digitcli.sources.source import Source

Pixels = NDArray[np.uint8]

_MOST = 1024
"""Bytes of a file; a larger one has more to say than so small a picture."""

_HEAD = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x1c\0\0\0\x1c\x08\0\0\0\0Wf\x80H"
"""How a PNG of 28x28 pixels, grey in 8 bits, begins (ISO/IEC 15948): its signature and its header."""

_TAIL = b"\0\0\0\0IEND\xaeB`\x82"
"""How each PNG ends."""


def prepared(sources: Sequence[Source]) -> dict[int, Pixels]:
    """Of those sources that are in MNIST's form, by their places, the (28, 28) uint8, 0 paper to 255 ink.

    Arrays are looked at, and PNGs of grey pixels that nothing else goes with. All other files, and what
    cannot be read, are for `open_picture`.
    """
    found = {place: pixels for place, source in enumerate(sources) if (pixels := _pixels(source)) is not None}
    if not found:
        return {}
    shown = np.stack([*found.values()])
    ready = in_mnist_form(shown)
    shown[~ready] = ~shown[~ready]  # dark on light?
    ready[~ready] = in_mnist_form(shown[~ready])
    return {place: pixels for place, pixels, its in zip(found, shown, ready, strict=True) if its}


def _pixels(source: Source) -> Pixels | None:
    match source.content:
        case np.ndarray() as pixels:
            return pixels if pixels.shape == (SIDE, SIDE) else None
        case bytes() as content:
            return _decoded(content)
        case str() as path:
            return _decoded(_small_file(path))
        case _:
            return None


def _small_file(path: str) -> bytes:
    """The content of a file of _MOST bytes at most; of others nothing, since a pipe is read once only."""
    try:
        about = os.stat(path)
        if about.st_size > _MOST or not stat.S_ISREG(about.st_mode):
            return b""
        with open(path, "rb", buffering=0) as file:
            return file.read(_MOST)
    except (OSError, ValueError):
        return b""


def _decoded(content: bytes) -> Pixels | None:
    """(28, 28) uint8 of a PNG that has a header, one chunk of pixels, and an end; None for all others."""
    if len(content) > _MOST or not content.startswith(_HEAD) or not content.endswith(_TAIL):
        return None
    chunk = content[len(_HEAD) : -len(_TAIL)]
    length, named, check = chunk[:4], chunk[4:-4], chunk[-4:]
    if (
        not named.startswith(b"IDAT")
        or int.from_bytes(length) != len(named) - 4
        or int.from_bytes(check) != zlib.crc32(named)
    ):
        return None
    try:
        return np.asarray(Image.frombytes("L", (SIDE, SIDE), named[4:], "zip", "L"))
    except (ValueError, OSError):
        return None
