"""A data set of IDX files: the images are the input, with two labels beside them."""

from __future__ import annotations

import gzip
import struct

from fuzz.files import expecting_errors, folder
from fuzz.targets import CHEAP

from digitcli.data import formats

MUTATIONS = CHEAP
LABELS = b"\0\0\x08\x01\0\0\0\2\3\4"


def seeds() -> list[bytes]:
    images = b"\0\0\x08\x03" + struct.pack(">3I", 2, 28, 28) + bytes(range(196)) * 8
    return [images, gzip.compress(images), LABELS]


def read(content: bytes) -> None:
    (folder() / "train-labels-idx1-ubyte").write_bytes(LABELS)
    (folder() / "train-images-idx3-ubyte").write_bytes(content)
    with expecting_errors():
        formats.get("idx").recognises(folder() / "train-images-idx3-ubyte")
        formats.get("idx").read(folder(), lambda done, total: None)
