"""Pictures in zip and tar archives, read one at a time and never unpacked to disk.

Names in an archive are names only: they are shown, and nothing is opened by them.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from digitcli.errors import ImageError
from digitcli.sources.source import Source, is_picture_name

MAX_SIZE = 64 * 2**20
"""Bytes of one picture in an archive, unpacked. A small archive can promise any size."""

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")  # the second begins an empty one
_TAR, _TAR_AT = b"ustar", 257
_UNPACKERS: dict[bytes, Callable[[BinaryIO], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\0": lzma.open,
}

# What the readers of archives raise when one is damaged, or made in a way that they do not know.
_DAMAGE = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError)
_UNREADABLE = (*_DAMAGE, RuntimeError)


def recognises(path: Path) -> bool:
    """Whether a file begins like a zip or a tar archive; the tar may be packed by gzip, bzip2 or xz."""
    try:
        with path.open("rb") as file:
            return file.read(4) in _ZIP or _is_tar(file)
    except OSError:
        return False


def read(path: Path) -> Iterator[Source]:
    """The pictures in an archive, in its order, named ARCHIVE/MEMBER. Other members are passed over.

    What is encrypted or damaged comes out with its error; where the rest of the archive is lost, the archive
    itself does. A zip's directory is held, some 600 bytes for each member; of a tar, one member.
    """
    with path.open("rb") as file:
        is_zip = file.read(4) in _ZIP
    try:
        yield from _read_zip(path) if is_zip else _read_tar(path)
    except _DAMAGE as error:
        what = "zip" if is_zip else "tar"
        yield Source(str(path), ImageError(f"{path} is a damaged {what} archive: {_reason(error)}."))


def _is_tar(file: BinaryIO) -> bool:
    file.seek(0)
    start = file.read(6)
    file.seek(0)
    opener = next((opener for magic, opener in _UNPACKERS.items() if start.startswith(magic)), None)
    try:
        unpacked = opener(file) if opener else file
        return unpacked.read(_TAR_AT + len(_TAR))[_TAR_AT:] == _TAR
    except _DAMAGE:
        return False


def _read_zip(path: Path) -> Iterator[Source]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if is_picture_name(member.filename):
                name = f"{path}/{member.filename}"
                yield Source(name, _zip_member(archive, member, name))


def _zip_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> bytes | ImageError:
    if member.flag_bits & 1:
        return ImageError(f"{name} is encrypted. Unpack the archive first.")
    if member.file_size > MAX_SIZE:
        return _too_large(name, member.file_size)
    try:
        return archive.read(member)
    except _UNREADABLE as error:
        return ImageError(f"{name} is damaged in its archive: {_reason(error)}.")


def _read_tar(path: Path) -> Iterator[Source]:
    # As a stream, since a packed one can be read from its start only.
    with tarfile.open(path, "r|*", tarinfo=_Strict) as archive:
        while member := archive.next():
            archive.members.clear()  # type: ignore[attr-defined] # or it keeps all that it has seen
            if member.isfile() and is_picture_name(member.name):
                name = f"{path}/{member.name}"
                if member.size > MAX_SIZE:
                    yield Source(name, _too_large(name, member.size))
                elif content := archive.extractfile(member):
                    yield Source(name, content.read())


class _Strict(tarfile.TarInfo):
    """Raises for a damaged header, which tarfile takes for the end if any member precedes it."""

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> _Strict:
        try:
            return super().fromtarfile(tarfile_)
        except tarfile.HeaderError as error:
            if type(error).__name__ in ("EOFHeaderError", "EmptyHeaderError"):  # the end indeed
                raise
            raise tarfile.ReadError(str(error)) from error


def _too_large(name: str, size: int) -> ImageError:
    return ImageError(
        f"{name} is too large: {size} bytes, more than {MAX_SIZE}. Unpack the archive and name the picture."
    )


def _reason(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__
