"""Pictures in arrays: .npy, .npz and IDX files, read row by row.

The files are read in blocks, not memory-mapped: mapped pages count as memory of the process, and what is
packed cannot be mapped.
"""

from __future__ import annotations

import gzip
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from digitcli.convention import SIDE
from digitcli.errors import ImageError, reason
from digitcli.sources.source import File, Source, escaped
from digitcli.system.limits import (
    TOO_MUCH_MEMORY,
    LittleMemory,
    Readable,
    Unpacked,
    read_exactly,
    require_no_bomb,
)

BLOCK = 1024
"""Rows read at a time. The first ones also tell whether white is 1 or 255."""

_NPY = b"\x93NUMPY"
_IDX = b"\0\0\x08"  # unsigned bytes; then the number of dimensions: http://yann.lecun.com/exdb/mnist/
_ZIP = b"PK\x03\x04"
_GZIP = b"\x1f\x8b"
_UNREADABLE = (
    *(ValueError, EOFError, OSError, IndexError, RuntimeError, MemoryError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
)
_MAX_HEADER = 10_000  # bytes, as in NumPy, which however reads more before it refuses it
_MAX_TURNED = 64 * 2**20  # bytes of an array in Fortran order, which has to be held whole


class _UnfitError(Exception):
    """Why an array holds no pictures of digits."""


def recognises(path: File) -> bool:
    """Whether a file begins like .npy or IDX, also gzipped, or is a zip archive that begins with .npy."""
    try:
        with path.open("rb") as file:
            start = file.read(len(_NPY))
            if start.startswith(_GZIP):
                file.seek(0)
                start = gzip.GzipFile(fileobj=file).read(len(_NPY))
            return start == _NPY or start.startswith(_IDX) or begins_with_npy(file)
    except _UNREADABLE:
        return False


def begins_with_npy(file: BinaryIO) -> bool:
    """Whether a file is a zip archive that begins with a .npy file; its directory may take long to read."""
    file.seek(0)
    head = file.read(30)  # up to the name, whose length stands at 26
    return head.startswith(_ZIP) and file.read(int.from_bytes(head[26:28], "little")).endswith(b".npy")


def read(path: File) -> Iterator[Source]:
    """The pictures in a file of arrays, named FILE[ROW], of an .npz FILE/ARRAY[ROW].

    An array is (n, 28, 28), (n, 28, 28, 1) or (n, 784), or one picture of (28, 28), in 0-255 or 0-1. In an
    .npz, other arrays, such as labels, are passed over if one is so. What is damaged or does not fit comes
    out with its error.
    """
    try:
        with path.open("rb") as file:
            start = file.read(len(_ZIP))  # and not the end, where a zip may be in whatever else a file is
            file.seek(0)
            if start == _ZIP:
                yield from _read_npz(file, path)
            elif start.startswith(_GZIP):
                yield from _read_rows(Unpacked(gzip.GzipFile(fileobj=file), file), str(path))
            else:
                yield from _read_rows(file, str(path))
    except _UnfitError as error:
        yield Source(str(path), ImageError(f"{path} {error}."))
    except MemoryError:
        yield Source(str(path), ImageError(f"{path} {TOO_MUCH_MEMORY}."))
    except _UNREADABLE as error:
        yield Source(str(path), ImageError(f"{path} is damaged: {reason(error)}."))


def _read_npz(packed: BinaryIO, path: File) -> Iterator[Source]:
    unfit = []
    with LittleMemory():
        archive = zipfile.ZipFile(packed)
    size = packed.seek(0, io.SEEK_END)
    with archive:
        for unpacked, member in _with_total(archive.infolist()):
            require_no_bomb(unpacked, size)
            name = f"{path}/{escaped(member.filename.removesuffix('.npy'))}"
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ValueError(f"{name} is packed as NumPy never does")  # and may take any memory
            with archive.open(member) as file:
                try:
                    yield from _read_rows(file, name)
                except _UnfitError as error:
                    unfit.append(ImageError(f"{name} {error}."))
        if len(unfit) == len(archive.namelist()):
            yield from (Source(str(path), error) for error in unfit[:1])


def _read_rows(file: Readable, name: str) -> Iterator[Source]:
    array = _read_header(file)
    row = 0
    white: float | None = None
    for block in array.blocks(file):
        white = white or (255 if np.fmax.reduce(block, axis=None, initial=0) > 1 else 1)
        good = np.all((block >= 0) & (block <= white), axis=(1, 2))  # false for NaN
        pixels = np.where(good[:, None, None], block, 0) * (255 / white)
        for image, is_good in zip(pixels.round().astype(np.uint8), good, strict=True):
            row_name = f"{name}[{row}]"
            wrong = ImageError(f"{row_name} holds values outside 0-{white}, the range of the rows before it.")
            yield Source(row_name, image if is_good else wrong)
            row += 1
    if row < array.count:
        raise EOFError(f"it ends after {row} of {array.count} pictures")


@dataclass(frozen=True)
class _Array:
    """What the header of an array says of what follows it."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran_order: bool = False

    @property
    def count(self) -> int:
        """How many pictures it holds. Raises _UnfitError if it holds none."""
        if self.dtype.kind not in "buif":
            raise _UnfitError(f"holds values of type {self.dtype}; numbers are expected")
        if self.shape == (SIDE, SIDE):
            return 1
        if self.shape[1:] in ((SIDE, SIDE), (SIDE, SIDE, 1), (SIDE * SIDE,)) and self.shape[0] >= 0:
            return self.shape[0]
        raise _UnfitError(f"holds an array of shape {self.shape}; (n, 28, 28) or (n, 784) is expected")

    def blocks(self, file: Readable) -> Iterator[NDArray[Any]]:
        """(BLOCK, 28, 28) at a time, the last one shorter; without a row that the file has not in full."""
        size = SIDE * SIDE * self.dtype.itemsize
        if self.fortran_order:  # its rows are all over the file
            if self.count * size > _MAX_TURNED:
                raise _UnfitError(f"holds {self.count} pictures in Fortran order. Save it with order='C'")
            content = read_exactly(file, self.count * size)
            if len(content) < self.count * size:
                raise EOFError("it ends before its last picture, and is in Fortran order")
            whole = np.frombuffer(content, self.dtype).reshape(self.shape, order="F")
            for start in range(0, self.count, BLOCK):
                yield whole.reshape(-1, SIDE, SIDE)[start : start + BLOCK]
            return
        for start in range(0, self.count, BLOCK):
            content = read_exactly(file, min(BLOCK, self.count - start) * size)
            yield np.frombuffer(content[: len(content) // size * size], self.dtype).reshape(-1, SIDE, SIDE)
            if len(content) < size:
                return


def _with_total(members: list[zipfile.ZipInfo]) -> Iterator[tuple[int, zipfile.ZipInfo]]:
    """Each with the bytes of all so far, unpacked."""
    return zip(accumulate(member.file_size for member in members), members, strict=True)


def _read_header(file: Readable) -> _Array:
    start = read_exactly(file, 4)
    if start.startswith(_IDX) and len(start) == 4:
        dimensions = start[3]
        shape = struct.unpack(f">{dimensions}I", read_exactly(file, 4 * dimensions))
        return _Array(np.dtype(np.uint8), shape)
    start += read_exactly(file, len(_NPY) - len(start))
    if start != _NPY:
        raise _UnfitError("is not an array")
    version = read_exactly(file, 2)
    reader, length = {
        b"\1\0": (npy.read_array_header_1_0, "<H"),
        b"\2\0": (npy.read_array_header_2_0, "<I"),
    }.get(version, (None, ""))
    if not reader:
        raise _UnfitError("is an array of an unknown version of .npy")
    packed_size = read_exactly(file, struct.calcsize(length))
    (size,) = struct.unpack(length, packed_size)
    if size > _MAX_HEADER:
        raise ValueError(f"its header is of {size} bytes")
    try:
        shape, fortran_order, dtype = reader(io.BytesIO(packed_size + read_exactly(file, size)))
    except Exception as error:  # NumPy lets through whatever Python's own parser raises
        raise ValueError("its header cannot be read") from error
    return _Array(dtype, shape, fortran_order)
