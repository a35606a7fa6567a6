"""The folder that `predict --engine ray --output` fills: a Parquet file for each part of the pictures.

A file appears whole or not at all, and its name tells what it is of. So the same command, started again, does
what is left.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from digitcli.errors import OutputError
from digitcli.results.formats.parquet import write_table
from digitcli.results.layout import Layout
from digitcli.system.files import atomic_path, begun, sole_writer

if TYPE_CHECKING:
    from digitcli.reading.prediction import Prediction
    from digitcli.sources.parts import Part

_PART = re.compile(r"part-\d{6,}-[0-9a-f]{16}\.parquet")
_LOCK = ".digitcli.lock"
_COUNTS = "digitcli"  # in a footer


@dataclass(frozen=True)
class Counts:
    """Of some pictures: how many, and of how many of them there is an error instead of a result."""

    pictures: int = 0
    errors: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.pictures + other.pictures, self.errors + other.errors)


class ResultsFolder:
    """A context manager that has the folder to itself.

    parts: all that there is to do. about: what else decides the results.
    left: the parts that have no file yet, each with the path of that.
    done: what is in the files that are there.
    """

    def __init__(self, folder: Path, parts: Sequence[Part], about: str, *, force: bool) -> None:
        self._folder = folder
        self._files = {
            f"part-{number:06}-{part.fingerprint(about)}.parquet": part for number, part in enumerate(parts)
        }
        self._force = force
        self.left: list[tuple[Path, Part]] = []
        self.done = Counts()

    def __enter__(self) -> Self:
        """Raises OutputError if it holds anything else, or another process has it."""
        self._writing = begun(sole_writer(self._folder, self._folder / _LOCK), self._begin)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writing.close()

    def _begin(self) -> None:
        there = {entry.name for entry in os.scandir(self._folder) if not entry.name.startswith(".")}
        others = sorted(name for name in there if not _PART.fullmatch(name))
        if others:
            raise OutputError(f"{self._folder} also holds {others[0]}. Choose another folder.")
        if there - self._files.keys() and not self._force:
            raise OutputError(
                f"{self._folder} has results of other pictures, options or another model. Choose another "
                "folder, or begin again with --force."
            )
        if self._force:
            for name in there:
                (self._folder / name).unlink()
            there = set()
        for name, part in self._files.items():
            counts = _read_counts(self._folder / name) if name in there else None
            if counts:
                self.done += counts
            else:
                self.left.append((self._folder / name, part))


def write_part(results: Iterable[Prediction], layout: Layout, path: Path) -> Counts:
    """Writes the file of one part. Raises OutputError if that is not possible."""
    tally = Counter[str]()

    def objects() -> Iterator[dict[str, Any]]:
        for result in results:
            tally["pictures"] += 1
            tally["errors"] += result.error is not None
            yield layout.as_dict(result)

    with atomic_path(path) as temporary:
        write_table(objects(), layout, temporary, lambda: {_COUNTS: json.dumps(tally)})
    return Counts(**tally)


def _read_counts(path: Path) -> Counts | None:
    """What the footer of a part's file says; None if there is none, or it is damaged by a power failure."""
    from pyarrow import ArrowException, parquet

    try:
        return Counts(**json.loads(parquet.read_metadata(path).metadata[_COUNTS.encode()]))
    except (ArrowException, OSError, ValueError, LookupError, TypeError):
        return None
