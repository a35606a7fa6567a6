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
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from digitcli.errors import ImageError
from digitcli.images.decode import read_piped
from digitcli.sources.source import Source, is_picture_name

STDIN = "-"

# How the picture formats begin that may come through a pipe; no path begins so.
_PICTURE = re.compile(
    rb"\x89PNG|\xff\xd8\xff|GIF8[79]a|BM.{4}\0{4}|RIFF.{4}WEBP|II\*\0|MM\0\*|P[1-7]\s+[\d#]|\0", re.DOTALL
)
_HEAD = 16  # bytes, enough for all of them
_LINE = 2**16  # bytes; no path is longer


def expand(inputs: Iterable[str], stdin: BinaryIO) -> Iterator[Source]:
    """The pictures that the words of a command line mean, in their order, found as they are asked for.

    inputs: files; folders, of which all pictures are taken, subfolders included, sorted by name; patterns
    that the shell left alone (`**` crosses folders); or `-`, for what comes through stdin: the bytes of one
    picture, or one file, folder or pattern per line. A file that has not the name of a picture may be one all
    the same, or an archive (zip, tar), arrays (.npy, .npz, IDX) or Parquet of pictures, as its content tells.
    What does not exist comes out as it was written; reading it will fail with a clear error. A folder that
    cannot be listed comes out with its error.
    Raises ImageError at the end if there was no picture at all.
    """
    for each in find(inputs, stdin):
        if isinstance(each, Source):
            yield each
        else:
            yield from read_found(each)


def find(inputs: Iterable[str], stdin: BinaryIO) -> Iterator[str | Source]:
    """What `expand` reads: the paths of files, as `read_found` takes them, or the picture that is piped in.

    Raises ImageError at the end if there was none.
    """
    words = list(inputs)
    none = True
    for word in words:
        for each in _read_stdin(stdin) if word == STDIN else _files(word):
            none = False
            yield each
    if none:
        places = ", ".join("stdin" if word == STDIN else word for word in words)
        raise ImageError(f"No pictures in {places}. Name a picture, or a folder that holds some.")


def count(inputs: Iterable[str]) -> int | None:
    """How many pictures `expand` gives; None if files would have to be opened to tell, or stdin read."""
    total = 0
    for word in inputs:
        for path in _files(word):
            if not is_picture_name(path):
                return None
            total += 1
    return total


def read_found(path: str) -> Iterator[Source]:
    """The picture or pictures in a file that `find` gave."""
    if path.endswith(os.sep) and os.path.isdir(path):
        yield Source(
            path[:-1], ImageError(f"{path[:-1]}: its pictures cannot be read, since it cannot be listed.")
        )
    elif reader := reader_of(path):
        yield from reader(Path(path))
    else:
        yield Source(path, path)


def reader_of(path: str) -> Callable[[Path], Iterator[Source]] | None:
    """What reads the pictures in a file that holds several, as its content tells."""
    if is_picture_name(path) or not os.path.isfile(path):
        return None
    # Imported here, since a picture needs neither tarfile nor the readers of arrays.
    from digitcli.sources import archives, arrays, parquet

    kinds = (arrays, archives, parquet)
    return next((kind.read for kind in kinds if kind.recognises(Path(path))), None)


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
    waiting, failures = [folder], []
    while waiting:
        current = waiting.pop()
        try:
            with os.scandir(current) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError:
            failures.append(os.path.join(current, ""))
            continue
        for entry in entries:
            # A pipe or device among them would be waited for, or read, for ever.
            if is_picture_name(entry.name) and (entry.is_file() or not os.path.exists(entry.path)):
                yield entry.path
        waiting += [entry.path for entry in reversed(entries) if entry.is_dir(follow_symlinks=False)]
    yield from failures


def _read_stdin(stdin: BinaryIO) -> Iterator[str | Source]:
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
                yield from _files(path)
    except OSError as error:
        raise ImageError(f"Cannot read stdin: {error.strerror}.") from error
