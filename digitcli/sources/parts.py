"""Pictures to read, cut into parts that can be read apart, in any order and on any machine.

The same words of a command line give the same parts, as long as the files are the same.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, BinaryIO

from digitcli.errors import ImageError, UsageError
from digitcli.sources import parquet
from digitcli.sources.expand import find, named, read_found, reader_of
from digitcli.sources.pages import EVERY_PAGE, Pages, split
from digitcli.sources.source import Source

if TYPE_CHECKING:
    from digitcli.sources.addresses import Address

PICTURES = 10_000
"""In a part, about: some seconds of work, so that little is lost, and far more than what a part costs."""

BYTES = 2**28
"""Of files in a part, about, for pictures that are large."""


@dataclass(frozen=True)
class Part:
    """Some pictures.

    packed: the paths or addresses of their files, compressed, since there may be billions.
    rows: of one Parquet file; None for whole files.
    """

    packed: bytes
    rows: range | None = None

    @classmethod
    def of(cls, paths: Iterable[str], rows: range | None = None) -> Part:
        """One of these files."""
        return cls(zlib.compress(b"\0".join(map(os.fsencode, paths))), rows)

    @property
    def paths(self) -> list[str]:
        """Of the files."""
        return [os.fsdecode(path) for path in zlib.decompress(self.packed).split(b"\0")]

    def sources(self, pages: Pages = EVERY_PAGE) -> Iterator[Source]:
        """The pictures, in order. pages: which ones of TIFFs and PDFs."""
        if self.rows is None:
            return read_found(self.paths, pages)
        return split(parquet.read(named(self.paths[0]), self.rows), pages)

    def fingerprint(self, about: str) -> str:
        """What tells it from every other part, and from itself where `about` is different; 16 characters."""
        digest = hashlib.sha256(f"{about}\n{self.rows}\n".encode())
        digest.update(b"\0".join(map(os.fsencode, self.paths)))
        return digest.hexdigest()[:16]


def cut(inputs: Iterable[str], stdin: BinaryIO) -> Iterator[Part]:
    """The parts of what the words of a command line mean; of Parquet, only footers are read.

    inputs, stdin: as for `sources.expand`. Files are taken together until there are PICTURES or BYTES of
    them. A Parquet file is cut between row groups, or where these are larger between rows; an archive or a
    file of arrays is one part.
    Raises UsageError for a picture that comes through stdin, ImageError if there is none.
    """
    paths: list[str] = []
    size = 0
    for each in find(inputs, stdin):
        if isinstance(each, Source) and isinstance(each.content, bytes):
            raise UsageError("A picture through stdin is read without --engine ray only.")
        if isinstance(each, Source):
            paths.append(each.name)  # an address whose error will be that of its row
            continue
        reader = reader_of(str(each))
        if paths and (reader or len(paths) == PICTURES or size >= BYTES):
            yield Part.of(paths)
            paths, size = [], 0
        if reader is parquet.read:
            yield from cut_parquet(each)
        elif reader:
            yield Part.of([str(each)])
        else:
            paths.append(str(each))
            size += _size(each)
    if paths:
        yield Part.of(paths)


def cut_parquet(file: str | Address) -> Iterator[Part]:
    """The parts of one Parquet file; one of its own if it cannot be read, to tell so."""
    path = str(file)
    try:
        groups = parquet.row_groups(named(path))
    except ImageError:
        yield Part.of([path])
        return
    if sum(group.rows for group in groups) > _size(file):  # which would be cut into parts without end
        yield Part.of([path])
        return
    start = end = size = 0
    for group in groups:
        end += group.rows
        size += group.bytes
        if end - start >= PICTURES or size >= BYTES:
            yield from (Part.of([path], rows) for rows in _evenly(start, end))
            start, size = end, 0
    if start < end or not groups:
        yield Part.of([path], range(start, end))


def _evenly(start: int, end: int) -> Iterator[range]:
    """These rows, PICTURES or up to twice as many at a time, or all if they are fewer."""
    pieces = max(1, (end - start) // PICTURES)
    for first, last in pairwise(start + (end - start) * n // pieces for n in range(pieces + 1)):
        yield range(first, last)


def _size(file: str | Address) -> int:
    if not isinstance(file, str):
        return file.size
    try:
        return os.stat(file).st_size
    except (OSError, ValueError):
        return 0
