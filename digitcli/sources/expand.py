"""Which pictures the words of a command line mean.

Each comes out when it is asked for: one in a file as its path, one in an archive as its bytes, one in an
array as its pixels. What is kept meanwhile are the names in a folder, and the directory of a zip.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain, groupby
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from digitcli.errors import ImageError
from digitcli.images.decode import read_piped
from digitcli.sources.pages import EVERY_PAGE, SUFFIXES, Pages, split
from digitcli.sources.source import File, Source, is_of_pictures, is_picture_name

if TYPE_CHECKING:
    from digitcli.sources.addresses import Address

STDIN = "-"

# How the picture formats begin that may come through a pipe; no path begins so.
_PICTURE = re.compile(
    rb"\x89PNG|\xff\xd8\xff|GIF8[79]a|BM.{4}\0{4}|RIFF.{4}WEBP|II[*+]\0|MM\0[*+]|%PDF-|P[1-7]\s+[\d#]|\0",
    re.DOTALL,
)
_HEAD = 16  # bytes, enough for all of them
_LINE = 2**16  # bytes; no path is longer


def expand(inputs: Iterable[str], stdin: BinaryIO, pages: Pages = EVERY_PAGE) -> Iterator[Source]:
    """The pictures that the words of a command line mean, in their order, found as they are asked for.

    inputs: files; folders, of which all pictures are taken, those in zip and tar archives and in subfolders
    included, sorted by name; patterns that the shell left alone (`**` crosses folders); or `-`, for what
    comes through stdin: the bytes of one picture, or one file, folder or pattern per line. A file that has
    not the name of a picture may be one all the same, or an archive (zip, tar), arrays (.npy, .npz, IDX) or
    Parquet of pictures, as its content tells. Any of these may be at an address, such as
    s3://bucket/folder, as `addresses.find` has it.
    pages: which pages of TIFFs and PDFs.
    What does not exist comes out as it was written; reading it will fail with a clear error. A folder that
    cannot be listed comes out with its error.
    Raises ImageError at the end if there was no picture at all.
    """
    return read_found(find(inputs, stdin), pages)


def find(inputs: Iterable[str], stdin: BinaryIO) -> Iterator[str | Address | Source]:
    """What `expand` reads: files; the picture that is piped in; an address
    that cannot be read, with its error.

    Raises ImageError at the end if there was none.
    """
    words = list(inputs)
    none = True
    for word in words:
        for each in _read_stdin(stdin) if word == STDIN else _found(word):
            none = False
            yield each
    if none:
        places = ", ".join("stdin" if word == STDIN else word for word in words)
        raise ImageError(f"No pictures in {places}. Name a picture, or a folder that holds some.")


def count(inputs: Iterable[str]) -> int | None:
    """How many pictures `expand` gives; None if files would have to be opened to tell, or stdin read, or an
    address listed once more.
    """
    total = 0
    for word in inputs:
        if "://" in word:
            return None
        for path in _files(word):
            if not is_picture_name(path) or path.lower().endswith(SUFFIXES):
                return None
            total += 1
    return total


def read_found(found: Iterable[str | Address | Source], pages: Pages = EVERY_PAGE) -> Iterator[Source]:
    """The picture or pictures in each of what `find` gave, or in files of these names."""
    return split(_read_files(found), pages)


def _read_files(found: Iterable[str | Address | Source]) -> Iterator[Source]:
    for far, some in groupby(found, _is_far_picture):
        if far:
            from digitcli.sources import addresses

            yield from addresses.pictures(map(str, some))
        else:
            for each in some:
                yield from [each] if isinstance(each, Source) else _read_file(str(each))


def _is_far_picture(found: str | Address | Source) -> bool:
    return not isinstance(found, Source) and is_picture_name(str(found)) and _is_address(str(found))


def _read_file(path: str) -> Iterator[Source]:
    if path.endswith(os.sep) and os.path.isdir(path):
        yield Source(
            path[:-1], ImageError(f"{path[:-1]}: its pictures cannot be read, since it cannot be listed.")
        )
    elif reader := reader_of(path):
        yield from reader(named(path))
    elif _is_address(path):
        from digitcli.sources import addresses

        yield from addresses.pictures([path])
    else:
        yield Source(path, path)


def reader_of(path: str) -> Callable[[File], Iterator[Source]] | None:
    """What reads the pictures in a file that holds several, as its content tells."""
    if is_picture_name(path) or not (os.path.isfile(path) or _is_address(path)):
        return None
    # Imported here, since a picture needs neither tarfile nor the readers of arrays.
    from digitcli.sources import archives, arrays, parquet

    if path.lower().endswith(parquet.SUFFIX) and _is_address(path):
        return parquet.read
    kinds = (arrays, archives, parquet)
    return next((kind.read for kind in kinds if kind.recognises(named(path))), None)


def named(path: str) -> File:
    """The file of that name, or at that address."""
    if not _is_address(path):
        return Path(path)
    from digitcli.sources.addresses import Address

    return Address(path)


def _is_address(path: str) -> bool:
    if "://" not in path:  # which nearly all have not, and so need not pay for the import
        return False
    from digitcli.sources.addresses import is_address

    return is_address(path)


def _found(text: str) -> Iterator[str | Address | Source]:
    if not _is_address(text):
        yield from _files(text)
    elif text.startswith("file:///"):
        from urllib.parse import unquote

        yield from _files(unquote(text.removeprefix("file://")))
    else:
        from digitcli.sources import addresses

        yield from addresses.find(text)


def _files(text: str) -> Iterator[str]:
    if os.path.isdir(text):
        yield from _pictures_in(text)
    elif glob.has_magic(text) and not os.path.exists(text):
        yield from _matches(text)
    else:
        yield text


def _matches(pattern: str) -> Iterator[str]:
    matches = sorted(glob.glob(pattern, recursive=True))
    if not matches:
        yield pattern
    for match in matches:
        if not os.path.isdir(match):
            yield match
        elif "**" not in pattern:  # which finds a folder and also all that is in it
            yield from _pictures_in(match)


def _pictures_in(folder: str) -> Iterator[str]:
    """Their paths, and at the end those of folders that cannot be listed, with a separator after them."""
    # Not os.walk, after which each file would have to be looked at again, as long as a tenth of reading it.
    # Of its entries only the names are kept, a third as large: there may be millions.
    waiting, failures = [folder], []
    while waiting:
        current = waiting.pop()
        names, folders = [], []
        try:
            with os.scandir(current) as found:
                for entry in found:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    elif is_of_pictures(entry.name) and _is_worth_reading(entry):
                        names.append(entry.name)
        except OSError:
            failures.append(os.path.join(current, ""))
            continue
        for name in sorted(names):
            yield os.path.join(current, name)
        waiting += sorted(folders, reverse=True)
    yield from failures


def _is_worth_reading(entry: os.DirEntry[str]) -> bool:
    """Whether it is a file, or what is wrong with it will be told; pipes would be waited for for ever."""
    try:
        return entry.is_file() or not os.path.exists(entry.path)
    except OSError:  # as of links that lead in a circle
        return True


def _read_stdin(stdin: BinaryIO) -> Iterator[str | Address | Source]:
    try:
        head = stdin.read(_HEAD)
        if _PICTURE.match(head):
            rest = read_piped(stdin, STDIN)
            yield Source(STDIN, head + rest)
            return
        first = (head + stdin.readline(_LINE)).splitlines()
        for line in chain(first, iter(partial(stdin.readline, _LINE), b"")):
            if len(line) >= _LINE:
                raise ImageError(f"stdin holds a line of more than {_LINE} bytes, which is no path.")
            if path := os.fsdecode(line.rstrip(b"\r\n")):
                yield from _found(path)
    except OSError as error:
        raise ImageError(f"Cannot read stdin: {error.strerror}.") from error
