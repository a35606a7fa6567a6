"""The file that `predict --output` writes, and goes on with after a stop.

Until all results are there they are in NAME.unfinished: rows as they will be, and for a JSON document or
Parquet, which cannot be read before they end, one JSON object a line.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Self, TextIO

from digitcli.errors import Interrupted, OutputError, UsageError
from digitcli.results import formats
from digitcli.results.formats import jsonl
from digitcli.results.layout import Layout
from digitcli.system.files import atomic_path, begun, require_free, sole_writer, sync_folder

if TYPE_CHECKING:
    from digitcli.reading.prediction import Prediction
    from digitcli.sources.source import Source

FLUSH_EVERY = 1.0
"""Seconds of work that are lost at most when the process is killed."""

_RESUME = "the same command with --resume goes on."


class ResultsFile:
    """A context manager that has the file to itself.

    done: how often the file already has a result of each picture, by name.
    errors: how many of these pictures could not be read.
    finished: whether all results were there before.
    """

    def __init__(
        self, output: Path, format: formats.Format, layout: Layout, *, force: bool, resume: bool
    ) -> None:
        self.done: Counter[str] = Counter()
        self.errors = 0
        self._output = output
        self._unfinished = output.with_name(f"{output.name}.unfinished")
        wanted = formats.get(format)
        self._whole = None if isinstance(wanted, formats.Rows) else wanted
        self._rows_as: formats.Rows = wanted if isinstance(wanted, formats.Rows) else jsonl
        self._layout = layout
        self._force = force
        self._resume = resume
        self.finished = resume and output.exists() and not self._unfinished.exists()

    def __enter__(self) -> Self:
        """Raises OutputError if something is there that is neither to be replaced nor gone on with."""
        lock = self._output.with_name(f".{self._output.name}.lock")
        self._writing = begun(sole_writer(self._output, lock), self._begin)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """At Ctrl-C, says how to go on."""
        if not self.done and self._unfinished.exists() and not self._unfinished.stat().st_size:
            self._unfinished.unlink()
        self._writing.close()
        if isinstance(error, KeyboardInterrupt) and self._unfinished.exists():
            raise Interrupted(f"{self._unfinished} has what was read. {_RESUME.capitalize()}") from None

    def left(self, sources: Iterable[Source]) -> Iterator[Source]:
        """The pictures that have no result yet."""
        done = self.done.copy()
        named = getattr(self._rows_as, "named", lambda name: name)
        for source in sources:
            name = named(source.name)
            if done[name]:
                done[name] -= 1
            else:
                yield source

    def write(self, results: Iterable[Prediction], model: Mapping[str, str]) -> None:
        """Adds the results to those that are there, and makes the file of all of them.

        model: what a JSON document says of it. Raises OutputError if it cannot be written.
        """
        try:
            with self._unfinished.open("a", encoding="utf-8", errors="surrogateescape", newline="") as file:
                self._add(results, file)
                file.flush()
                os.fsync(file.fileno())
            if not self._whole:
                self._unfinished.replace(self._output)
                sync_folder(self._output.parent)
                return
        except OSError as error:
            kept = self._unfinished.exists() and self._unfinished.stat().st_size
            advice = f" {self._unfinished} has what was read; {_RESUME}" if kept else ""
            raise OutputError(f"Cannot write {self._output}: {error.strerror or error}.{advice}") from error
        with atomic_path(self._output) as path, self._unfinished.open(encoding="utf-8") as lines:
            self._whole.write((line.rstrip("\n") for line in lines), self._layout, model, path)
        self._unfinished.unlink()

    def _begin(self) -> None:
        if not self._force and not self._resume:
            require_free(self._output)
            if self._unfinished.exists():
                raise OutputError(
                    f"{self._unfinished} has the results of a command that was stopped. Go on with them by "
                    "--resume, or begin again with --force."
                )
        if not self._unfinished.exists():
            return
        if self._resume:
            self._read()
        else:
            self._unfinished.unlink()

    def _read(self) -> None:
        """What is there, less a last row that was not written to its end."""
        whole = 0
        with self._unfinished.open("rb") as file:
            is_whole = getattr(self._rows_as, "is_whole", lambda row: True)
            header = self._rows_as.header(self._layout)
            for row in _whole_rows(file, is_whole):
                text = row.decode("utf-8", "surrogateescape")
                if not whole and header:
                    self._require(text == header)
                else:
                    self._count(text)
                whole += len(row)
        os.truncate(self._unfinished, whole)

    def _count(self, row: str) -> None:
        try:
            name, wrong = self._rows_as.told(row, self._layout)
        except (ValueError, KeyError, IndexError, TypeError):
            self._require(False)
        else:
            self.done[name] += 1
            self.errors += wrong

    def _require(self, fits: bool) -> None:
        if not fits:
            raise UsageError(
                f"{self._unfinished} has rows of another form. Resume with the same options as before, or "
                "begin again with --force."
            )

    def _add(self, results: Iterable[Prediction], file: TextIO) -> None:
        flushed = time.monotonic()
        header = "" if file.tell() else self._rows_as.header(self._layout)
        for text in formats.rows(results, self._rows_as, self._layout, header):
            file.write(text)
            if time.monotonic() - flushed > FLUSH_EVERY:
                file.flush()
                flushed = time.monotonic()


def _whole_rows(file: BinaryIO, is_whole: Callable[[bytes], bool]) -> Iterator[bytes]:
    """The rows that end with a newline which is not within them."""
    row = b""
    for line in file:
        row += line
        if line.endswith(b"\n") and is_whole(row):
            yield row
            row = b""
