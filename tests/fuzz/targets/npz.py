"""A data set as a NumPy archive."""

from __future__ import annotations

import io

import numpy as np
from fuzz.files import expecting_errors, folder
from fuzz.targets import CHEAP

from digitcli.data import formats

MUTATIONS = CHEAP


def seeds() -> list[bytes]:
    images = np.arange(2 * 784, dtype=np.uint8).reshape(2, 28, 28)
    labels = np.array([3, 4])
    return [_saved(np.savez, images, labels), _saved(np.savez_compressed, images, labels.astype(np.uint8))]


def read(content: bytes) -> None:
    path = folder() / "data.npz"
    path.write_bytes(content)
    with expecting_errors():
        if formats.get("npz").recognises(path):
            formats.get("npz").read(path, lambda done, total: None)


def _saved(save: object, images: np.ndarray, labels: np.ndarray) -> bytes:
    file = io.BytesIO()
    save(file, x_test=images, y_test=labels)
    return file.getvalue()
