"""IDX, the format in which MNIST is published: plain or gzipped, one file per array.

A file is a magic number (0x0000, a type, the number of dimensions), the size of each dimension as a
big-endian uint32, then the values: http://yann.lecun.com/exdb/mnist/, "File formats".
"""

from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from digitcli.data.digits import DataSet, Digits
from digitcli.data.unpack import MOST_BYTES, open_unpacked
from digitcli.errors import DataError
from digitcli.system.progress import Progress

LOOKS_LIKE = "IDX files (train-images-idx3-ubyte and its three companions, plain or .gz)"

STEMS = {"train": "train", "test": "t10k"}
UNSIGNED_BYTES = 0x08
TYPES = (UNSIGNED_BYTES, 0x09, 0x0B, 0x0C, 0x0D, 0x0E)
IMAGES, LABELS = 3, 1  # dimensions
_ENOUGH = 2**20  # bytes beyond the end, to tell how many there are


def recognises(path: Path) -> bool:
    """A folder with a file of MNIST's names, or a file that begins like IDX or has such a name."""
    if path.is_dir():
        return any(_find(path, stem, kind) for stem in STEMS.values() for kind in (IMAGES, LABELS))
    if any(path.name in _spellings(stem, kind) for stem in STEMS.values() for kind in (IMAGES, LABELS)):
        return True  # so that a damaged one is reported as such
    with open_unpacked(path) as file:
        start = file.read(4)
    return len(start) == 4 and start[:2] == b"\0\0" and start[2] in TYPES


def read(path: Path, on_progress: Progress) -> DataSet:
    """A folder with the four files or two of them, or one file of images with its labels beside it.

    Raises DataError for a wrong magic number or length, or a missing companion.
    """
    if path.is_dir():
        pairs = {part: (_find(path, stem, IMAGES), _find(path, stem, LABELS)) for part, stem in STEMS.items()}
    else:
        part = "test" if path.name.startswith(STEMS["test"]) else "train"
        pairs = {part: (path, _labels_beside(path))}
    parts: dict[str, Digits] = {}
    for part, (images, labels) in pairs.items():
        if images and labels:
            parts[part] = Digits(_read_array(images, IMAGES), _read_array(labels, LABELS), str(images))
        elif images or labels:
            raise DataError(
                f"{images or labels} is there, but {_spellings(STEMS[part], LABELS if images else IMAGES)[0]}"
                f" is not beside it (plain or .gz)."
            )
    return DataSet(parts.get("train"), parts.get("test"), f"IDX files in {path}")


def write(dataset: DataSet, path: Path) -> None:
    """A folder with MNIST's four file names, unpacked."""
    path.mkdir()
    for part, stem in STEMS.items():
        digits = dataset.train if part == "train" else dataset.test
        if digits:
            for array, kind in ((digits.images, IMAGES), (digits.labels, LABELS)):
                with (path / _spellings(stem, kind)[0]).open("wb") as file:
                    file.write(header(array))
                    file.write(np.ascontiguousarray(array).data)


def header(array: NDArray[np.uint8]) -> bytes:
    """The bytes of an IDX file that precede the values of this array."""
    return struct.pack(f">{1 + array.ndim}I", UNSIGNED_BYTES << 8 | array.ndim, *array.shape)


def _spellings(stem: str, kind: int) -> list[str]:
    what = "images" if kind == IMAGES else "labels"
    plain = [f"{stem}-{what}-idx{kind}-ubyte", f"{stem}-{what}.idx{kind}-ubyte"]
    return plain + [f"{name}.gz" for name in plain]


def _find(folder: Path, stem: str, kind: int) -> Path | None:
    return next((folder / name for name in _spellings(stem, kind) if (folder / name).is_file()), None)


def _labels_beside(images: Path) -> Path:
    if "images" not in images.name:
        raise DataError(f"{images}: name the file of images, with 'images' in its name, or their folder.")
    name = images.name.replace("images", "labels").replace("idx3", "idx1").removesuffix(".gz")
    for labels in (images.with_name(name), images.with_name(f"{name}.gz")):
        if labels.is_file():
            return labels
    raise DataError(f"{images} has no labels: {name} is not beside it (plain or .gz).")


def _read_array(path: Path, kind: int) -> NDArray[np.uint8]:
    """The values of one file; (n, rows, columns) uint8 for images, (n,) for labels. Read-only."""
    what = "images" if kind == IMAGES else "labels"
    magic = struct.pack(">I", UNSIGNED_BYTES << 8 | kind)
    start = 4 + 4 * kind
    with open_unpacked(path) as file:
        header = file.read(start)
        if header[:4] != magic:
            raise DataError(
                f"{path} is not an IDX file of {what}: "
                f"it begins with 0x{header[:4].hex()}, not with the magic number 0x{magic.hex()}."
            )
        if len(header) < start:
            raise DataError(
                f"{path} is cut off: it holds {len(header)} bytes, less than its header of {start}."
            )
        shape = struct.unpack_from(f">{kind}I", header, 4)
        size = f" of {shape[1]}x{shape[2]}" if kind == IMAGES else ""
        values = math.prod(shape)
        if values > MOST_BYTES:
            raise DataError(f"{path} names {shape[0]} {what}{size}, more than {MOST_BYTES} bytes.")
        content = np.empty(values, np.uint8)  # which takes memory as it is filled only
        found = file.readinto(content.data) if values else 0  # type: ignore[attr-defined]
        rest = len(file.read(_ENOUGH))
    if found < values or rest:
        holds = f"{start + found + rest}{' or more' if rest == _ENOUGH else ''}"
        raise DataError(
            f"{path} names {shape[0]} {what}{size} = {start + values} bytes, but the file holds {holds}."
        )
    content.flags.writeable = False
    return content.reshape(shape)
