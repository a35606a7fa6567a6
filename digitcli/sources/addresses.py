"""Pictures at addresses, such as s3://bucket/scans: listed at once, each read when it is asked for.

pyarrow reads them, with the keys, region and endpoint that the user's environment names; what it does not
know goes through fsspec (https://filesystem-spec.readthedocs.io).
"""

from __future__ import annotations

import io
import os
import re
import textwrap
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from glob import has_magic
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

from digitcli.errors import ImageError, MissingExtraError, UsageError, reason
from digitcli.images.decode import MAX_SIZE
from digitcli.sources.parquet import SUFFIX, require_pyarrow
from digitcli.sources.source import Source, is_of_pictures

if TYPE_CHECKING:
    from concurrent.futures import Future

    from pyarrow.fs import FileInfo, FileSystem

AHEAD = 8
"""Pictures that are read before their turn, since each keeps us waiting for an answer."""

_MOST_AHEAD = 2**22  # bytes of each of these; what is larger waits for its turn, to be held alone
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://")
_OF_PYARROW = ("abfs", "abfss", "file", "gcs", "gs", "s3")
_OF_THE_WEB = ("http", "https")
_GIVE_UP = 10  # seconds; Google's client would try for 15 minutes
_BUFFER = 2**20  # bytes that are asked for at a time, since each time takes some hundredths of a second
_MOST_WORDS = 300  # characters of what a library says went wrong


def is_address(word: str) -> bool:
    """Whether that is an address, and not the name of a file that is there."""
    return _ADDRESS.match(word) is not None and not os.path.exists(word)


@dataclass(frozen=True)
class Address:
    """A file at an address. size: bytes, as the listing told them."""

    text: str
    size: int = 0

    def __str__(self) -> str:
        return self.text

    def open(self, mode: Literal["rb"], /) -> io.BufferedReader:
        """To be read, in parts. Raises OSError if that is not possible, MissingExtraError as `find`."""
        with _only_os_errors():
            place = _place(self.text)
            file = place.files.open_input_file(place.path(self.text))
        return io.BufferedReader(_Raw(file), _BUFFER)


class _Raw(io.RawIOBase):
    """A file that pyarrow opened, as Python expects its own."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        with _only_os_errors():
            self._file.seek(offset, whence)
            return self.tell()

    def tell(self) -> int:
        return int(self._file.tell())

    def readinto(self, buffer: Any) -> int:
        with _only_os_errors():
            return int(self._file.readinto(buffer))

    def close(self) -> None:
        self._file.close()
        super().close()


@contextmanager
def _only_os_errors() -> Iterator[None]:
    """Turns what is raised into an OSError of few words, since each file system has errors of its own."""
    try:
        yield
    except (MissingExtraError, FileNotFoundError):
        raise
    except Exception as error:
        raise OSError(textwrap.shorten(reason(error), _MOST_WORDS, placeholder=" ...")) from error


def find(word: str) -> Iterator[Address | Source]:
    """The files that an address means; itself, with the error, if that cannot be told.

    Of a folder these are all pictures and Parquet files, subfolders included, sorted by name. The parts of an
    address may be patterns, but for the first and `**`.
    Raises UsageError for a password, MissingExtraError without pyarrow or fsspec.
    """
    host = word.partition("://")[2].partition("/")[0]
    if ":" in host.rpartition("@")[0]:
        raise UsageError(
            "A password in an address would stand in the results, too. Leave it out, and give it by the "
            "environment, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        )
    try:
        with _only_os_errors():
            place = _place(word)
            found = list(place.find(place.path(word)))
    except OSError as error:
        yield Source(word, _unreadable(word, error))
        return
    yield from (Address(place.text(info.path), info.size or 0) for info in found)


def pictures(addresses: Iterable[str]) -> Iterator[Source]:
    """The pictures at some addresses, in their order, each with its content, or why that cannot be had."""
    from concurrent.futures import ThreadPoolExecutor  # which one picture in a file need not pay for

    waiting: deque[tuple[str, Future[Source | None]]] = deque()
    with ThreadPoolExecutor(AHEAD) as pool:
        for address in addresses:
            waiting.append((address, pool.submit(_picture, address, _MOST_AHEAD)))
            if len(waiting) > AHEAD:
                yield _at_its_turn(*waiting.popleft())
        while waiting:
            yield _at_its_turn(*waiting.popleft())


def _at_its_turn(address: str, ahead: Future[Source | None]) -> Source:
    wrong = ImageError(f"{address} is too large: more than {MAX_SIZE} bytes.")
    return ahead.result() or _picture(address, MAX_SIZE) or Source(address, wrong)


def _picture(address: str, most: int) -> Source | None:
    """None if it has more bytes than that."""
    try:
        with Address(address).open("rb") as file:
            size = file.seek(0, io.SEEK_END)
            if size > most:
                return None
            file.seek(0)
            return Source(address, file.read(size))  # without a size it would ask for 8 KiB again and again
    except OSError as error:
        return Source(address, _unreadable(address, error))


@dataclass(frozen=True)
class _Place:
    """Where there are files: a bucket, or what else begins an address.

    root: that beginning, with a slash at its end. files, base: what it is to pyarrow.
    """

    root: str
    files: FileSystem
    base: str

    def path(self, address: str) -> str:
        """What pyarrow calls it."""
        return f"{self.base}/{address[len(self.root) :]}".rstrip("/") or "/"

    def text(self, path: str) -> str:
        """The address of what pyarrow calls so."""
        return self.root + path.removeprefix(self.base).lstrip("/")

    def find(self, path: str) -> Iterable[FileInfo]:
        """Raises FileNotFoundError, and whatever its file system raises."""
        info = self.files.get_file_info(path)
        if info.is_file:
            return [info]
        if _is_folder(info):
            return self._pictures_in(path)
        parts = path.split("/")
        first = next((n for n, part in enumerate(parts) if has_magic(part)), len(parts))
        if "**" in parts:
            raise ValueError("addresses have no **. Name the folder, of which all pictures are taken")
        found = list(self._matches("/".join(parts[:first]) or "/", parts[first:]))
        if not found:
            raise FileNotFoundError
        return found

    def _matches(self, folder: str, patterns: list[str]) -> Iterator[FileInfo]:
        """As for local patterns: files of any name, and of folders the pictures."""
        for info in self._list(folder) if patterns else ():
            if not fnmatchcase(info.base_name, patterns[0]):
                continue
            if _is_folder(info):
                more = patterns[1:]
                yield from self._matches(info.path, more) if more else self._pictures_in(info.path)
            elif len(patterns) == 1:
                yield info

    def _pictures_in(self, folder: str) -> list[FileInfo]:
        return [
            info
            for info in self._list(folder, recursive=True)
            if info.is_file and (is_of_pictures(info.path) or info.path.lower().endswith(SUFFIX))
        ]

    def _list(self, folder: str, *, recursive: bool = False) -> list[FileInfo]:
        """What is in a folder before what is in its subfolders, as in local ones."""
        from pyarrow.fs import FileSelector

        # In one go, since listing a bucket folder by folder takes a request for each.
        found = self.files.get_file_info(FileSelector(folder, recursive=recursive))
        return sorted(found, key=lambda info: (info.path.split("/")[:-1], info.base_name))


def _is_folder(info: FileInfo) -> bool:
    return bool(info.type.name == "Directory")


def _place(address: str) -> _Place:
    """Raises whatever its file system raises."""
    scheme, _, rest = address.partition("://")
    place = _opened(f"{scheme}://{rest.partition('/')[0]}/", scheme)
    if isinstance(place, Exception):
        raise place
    return place


@cache  # also of what failed, which may have taken seconds
def _opened(root: str, scheme: str) -> _Place | Exception:
    require_pyarrow()
    if scheme not in _OF_PYARROW and not find_spec("fsspec"):
        raise MissingExtraError(f"fsspec, which may know {scheme}://,", "fsspec")
    from pyarrow.fs import FileSystem, FSSpecHandler, PyFileSystem

    try:
        if scheme in _OF_THE_WEB:
            raise ValueError("the web has no folders. Download it first")
        if scheme in _OF_PYARROW:
            more = f"?retry_limit_seconds={_GIVE_UP}" if scheme in ("gs", "gcs") else ""
            files, base = FileSystem.from_uri(root + more)
        else:
            from fsspec.core import url_to_fs

            known, base = url_to_fs(root)
            files = PyFileSystem(FSSpecHandler(known))
    except Exception as error:
        return error
    return _Place(root, files, base.rstrip("/"))


def _unreadable(address: str, error: Exception) -> ImageError:
    if isinstance(error, FileNotFoundError):
        return ImageError(f"{address}: no such file.")
    return ImageError(f"{address} cannot be read: {reason(error)}.")
