"""NumPy archives with the arrays of Keras's mnist.npz: x_train, y_train, x_test, y_test."""

from __future__ import annotations

import struct
import zipfile
import zlib
from pathlib import Path
from tokenize import TokenError

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from digitcli.data.digits import DataSet, Digits
from digitcli.data.unpack import MOST_BYTES
from digitcli.errors import DataError, reason
from digitcli.sources.arrays import begins_with_npy
from digitcli.sources.source import escaped
from digitcli.system.limits import LittleMemory, require_no_bomb
from digitcli.system.progress import Progress

_UNREADABLE = (
    *(ValueError, EOFError, SyntaxError, TypeError, OSError, RuntimeError, IndexError, MemoryError),
    *(TokenError, zlib.error, struct.error, zipfile.BadZipFile),
)

LOOKS_LIKE = "a NumPy archive (x_train, y_train, x_test, y_test, as in mnist.npz)"


def recognises(path: Path) -> bool:
    """A zip archive of .npy files."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return begins_with_npy(file)


def read(path: Path, on_progress: Progress) -> DataSet:
    """One archive; each part has both its images, (n, 28, 28), and labels, (n,), as integers 0-255.

    Raises DataError if arrays are missing, damaged, pickled or of another type.
    """
    try:
        # Pickled arrays could run code of whoever made the file.
        with LittleMemory():
            opened = np.load(path, allow_pickle=False)
        with opened as archive:
            found = set(archive.files)
            parts: dict[str, Digits] = {}
            for part in ("train", "test"):
                keys = [f"x_{part}", f"y_{part}"]
                if found.isdisjoint(keys):
                    continue
                if not found.issuperset(keys):
                    raise DataError(f"{path} holds only one of {keys[0]} and {keys[1]}; both are needed.")
                images, labels = (_as_bytes(_read_array(archive, key), key, path) for key in keys)
                parts[part] = Digits(images, labels, f"{path} ({part})")
    except _UNREADABLE as error:
        raise DataError(f"{path} is damaged or holds more than plain arrays: {reason(error)}.") from error
    if not parts:
        names = ", ".join(map(escaped, sorted(found)[:9]))
        raise DataError(f"{path} holds {names}; expected x_train, y_train, x_test, y_test.")
    return DataSet(parts.get("train"), parts.get("test"), f"NumPy archive {path}")


def write(dataset: DataSet, path: Path) -> None:
    """One compressed archive."""
    arrays: dict[str, NDArray[np.uint8]] = {}
    for part, digits in (("train", dataset.train), ("test", dataset.test)):
        if digits:
            arrays |= {f"x_{part}": digits.images, f"y_{part}": digits.labels}
    with path.open("wb") as file:  # given a name, NumPy would append .npz to it
        np.savez_compressed(file, allow_pickle=False, **arrays)


def _read_array(archive: NpzFile, key: str) -> NDArray[np.generic]:
    assert archive.zip  # until it is closed
    members = archive.zip.infolist()
    member = next(each for each in members if each.filename.removesuffix(".npy") == key)
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{key} is packed as NumPy never does")  # and may take any memory
    if member.file_size > MOST_BYTES:
        raise ValueError(f"{key} is of {member.file_size} bytes, more than {MOST_BYTES}")
    require_no_bomb(member.file_size, member.compress_size)
    array: NDArray[np.generic] | bytes = archive[key]
    if isinstance(array, bytes):  # which NumPy gives of what has not even the beginning of an array
        raise ValueError(f"{key} is no array")
    return array


def _as_bytes(array: NDArray[np.generic], key: str, path: Path) -> NDArray[np.uint8]:
    if not np.issubdtype(array.dtype, np.integer):
        raise DataError(f"{path}: {key} holds {array.dtype} values; integers 0-255 expected.")
    whole: NDArray[np.integer] = array  # type: ignore[assignment]
    if whole.size and (whole.min() < 0 or whole.max() > 255):
        raise DataError(f"{path}: {key} holds values from {whole.min()} to {whole.max()}; 0-255 expected.")
    return whole.astype(np.uint8, copy=False)
