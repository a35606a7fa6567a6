"""Pictures in zip and tar archives, read one at a time and never unpacked to disk.

Names in an archive are names only: they are shown, and nothing is opened by them.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from digitcli.errors import ImageError, reason
from digitcli.images.decode import MAX_SIZE
from digitcli.sources.source import File, Source, escaped, is_picture_name
from digitcli.system.limits import TOO_MUCH_MEMORY, LittleMemory, Unpacked, read_exactly, require_no_bomb

_MAX_DIRECTORY = 32 * 2**20  # bytes of a zip's; what is made of it takes five to twelve times as much
_LONG_NAMES = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
_EXTENDED = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
_MAX_HEADER = 2**20  # bytes of a long name and the like in a tar, which tarfile reads whole
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")  # the second begins an empty one
_TAR, _TAR_AT = b"ustar", 257
_UNPACKERS: dict[bytes, Callable[[BinaryIO], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\0": lzma.open,
}

# What the readers of archives raise when one is damaged, or made in a way that they do not know.
_UNREADABLE = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, OSError, ValueError, IndexError, RuntimeError, MemoryError),
)


def recognises(path: File) -> bool:
    """Whether a file begins like a zip or a tar archive; the tar may be packed by gzip, bzip2 or xz."""
    try:
        with path.open("rb") as file:
            return file.read(4) in _ZIP or _is_tar(file)
    except OSError:
        return False


def read(path: File) -> Iterator[Source]:
    """The pictures in an archive, in its order, named ARCHIVE/MEMBER. Other members are passed over.

    What is encrypted or damaged comes out with its error; where the rest of the archive is lost, the archive
    itself does; also where far more comes out of it than went in, or its directory takes too much memory. A
    zip's directory is held, some 600 bytes for each member; of a tar, one member.
    """
    with path.open("rb") as file:
        is_zip = file.read(4) in _ZIP
    try:
        yield from _read_zip(path) if is_zip else _read_tar(path)
    except MemoryError:
        yield Source(str(path), ImageError(f"{path} {TOO_MUCH_MEMORY}. Unpack it and name the folder."))
    except _UNREADABLE as error:
        what = "zip" if is_zip else "tar"
        yield Source(str(path), ImageError(f"{path} is a damaged {what} archive: {reason(error)}."))


def _is_tar(file: BinaryIO) -> bool:
    file.seek(0)
    try:
        with LittleMemory():
            return read_exactly(_unpacked(file), _TAR_AT + len(_TAR)).endswith(_TAR)
    except _UNREADABLE:
        return False


def _unpacked(file: BinaryIO) -> Any:
    """The same, or what reads what is packed in it."""
    start = file.read(6)
    file.seek(0)
    opener = next((opener for magic, opener in _UNPACKERS.items() if start.startswith(magic)), None)
    return Unpacked(opener(file), file) if opener else file


def _read_zip(path: File) -> Iterator[Source]:
    little_memory = LittleMemory()
    with path.open("rb") as file:
        with little_memory:
            _require_small_directory(file)
            archive = zipfile.ZipFile(file)
        unpacked, packed = 0, file.seek(0, io.SEEK_END)
        for member in archive.infolist():
            if is_picture_name(member.filename):
                name = f"{path}/{escaped(member.filename)}"
                # Members may lie over each other, so that each is small, but not all of them.
                unpacked += min(member.file_size, MAX_SIZE)
                require_no_bomb(unpacked, packed)
                with little_memory:
                    content = _zip_member(archive, member, name)
                yield Source(name, content)


def _require_small_directory(file: BinaryIO) -> None:
    """Raises MemoryError where it would take too much, before it is read for seconds."""
    file.seek(max(0, file.seek(0, io.SEEK_END) - 2**16 - 22))  # with the longest comment
    _, found, end = file.read().rpartition(b"PK\5\6")
    size = int.from_bytes(end[8:12], "little")
    if found and _MAX_DIRECTORY < size < 2**32 - 1:  # which stands for a size told elsewhere
        raise MemoryError


def _zip_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> bytes | ImageError:
    if member.flag_bits & 1:
        return ImageError(f"{name} is encrypted. Unpack the archive first.")
    if member.file_size > MAX_SIZE:
        return _too_large(name, member.file_size)
    try:
        return archive.read(member)
    except MemoryError:
        return ImageError(f"{name} {TOO_MUCH_MEMORY}. Unpack the archive first.")
    except _UNREADABLE as error:
        return ImageError(f"{name} is damaged in its archive: {reason(error)}.")


def _read_tar(path: File) -> Iterator[Source]:
    little_memory = LittleMemory()
    with path.open("rb") as file:
        with little_memory:
            unpacked = _unpacked(file)
            # What is packed is read as a stream, since it can be read from its start only.
            mode: Any = "r:" if unpacked is file else "r|"
            archive = tarfile.open(fileobj=unpacked, mode=mode, tarinfo=_Strict)  # noqa: SIM115
        with archive:
            while True:
                with little_memory:
                    source = _next_in_tar(archive, path)
                if not source:
                    return
                yield source


def _next_in_tar(archive: tarfile.TarFile, path: File) -> Source | None:
    while member := archive.next():
        archive.members.clear()  # type: ignore[attr-defined] # or it keeps all that it has seen
        if member.isfile() and is_picture_name(member.name):
            name = f"{path}/{escaped(member.name)}"
            if member.size > MAX_SIZE:
                return Source(name, _too_large(name, member.size))
            if content := archive.extractfile(member):
                return Source(name, content.read())
    return None


class _Strict(tarfile.TarInfo):
    """Raises for a damaged header, which tarfile takes for the end if any member precedes it, and for sizes
    that no honest one has.
    """

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> _Strict:
        try:
            return super().fromtarfile(tarfile_)
        except tarfile.HeaderError as error:
            if type(error).__name__ in ("EOFHeaderError", "EmptyHeaderError"):  # the end indeed
                raise
            raise tarfile.ReadError(str(error)) from error

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Strict:
        member = super().frombuf(buf, encoding, errors)
        # Not a file, but a part of the next header.
        of_header = member.type in (*_LONG_NAMES, *_EXTENDED)
        if member.size < 0 or (of_header and member.size > _MAX_HEADER):
            raise tarfile.ReadError(f"a header of {member.size} bytes")
        return member


def _too_large(name: str, size: int) -> ImageError:
    return ImageError(
        f"{name} is too large: {size} bytes, more than {MAX_SIZE}. Unpack the archive and name the picture."
    )
