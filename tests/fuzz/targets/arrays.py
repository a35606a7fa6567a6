"""Pictures in arrays: .npy, .npz and IDX."""

from __future__ import annotations

import gzip
import io
import struct
from itertools import islice

import numpy as np
from fuzz.files import expecting_errors, folder
from fuzz.targets import CHEAP

from digitcli.sources import arrays

MUTATIONS = CHEAP
MOST_ROWS = 2000


def seeds() -> list[bytes]:
    images = np.arange(2 * 784, dtype=np.uint8).reshape(2, 28, 28)
    idx = b"\0\0\x08\x03" + struct.pack(">3I", 2, 28, 28) + images.tobytes()
    variants = [images, np.asfortranarray(images), images.reshape(2, 784) / 255, images[0] > 99]
    packed = io.BytesIO()
    np.savez_compressed(packed, x=images, y=np.arange(2))
    return [*map(_npy, variants), packed.getvalue(), idx, gzip.compress(idx), gzip.compress(_npy(images))]


def read(content: bytes) -> None:
    path = folder() / "arrays"
    path.write_bytes(content)
    with expecting_errors():
        if arrays.recognises(path):
            for _ in islice(arrays.read(path), MOST_ROWS):
                pass


def _npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()
