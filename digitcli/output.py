"""The one sink: results on stdout, everything else on stderr.

On a terminal, results are Rich tables and charts; piped, they are tab-separated lines; with `--json`
they are one document. Notes and progress go to stderr, and progress only shows on a terminal.
"""

from __future__ import annotations

import codecs
import io
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, TextIO

from digitcli.errors import OutputError
from digitcli.system.progress import Progress

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

SCHEMA = 1
"""Version of the JSON documents; rises when a key changes its meaning or goes away."""

NARROW = 60
"""Columns of a terminal under which a table that does not fit is told row by row."""

_BREAKS = str.maketrans({"\t": "\\t", "\n": "\\n", "\r": "\\r"})
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if code != ord("\n")}


class Output:
    """Renders what one command has to say.

    command: the command's name, which every JSON document carries.
    as_json: print one document instead of tables.
    quiet: no notes and no progress; warnings and errors stay.
    verbose: details as well.
    """

    def __init__(
        self, command: str, *, as_json: bool = False, quiet: bool = False, verbose: bool = False
    ) -> None:
        self.command = command
        self.as_json = as_json
        self.quiet = quiet
        self.verbose = verbose

    # Rich takes a fifth of the time of reading one picture to import, so a pipe does without.

    @cached_property
    def _stdout(self) -> Console:
        from rich.console import Console

        return Console()

    @cached_property
    def messages(self) -> Console:
        """The console on stderr."""
        from rich.console import Console

        return Console(stderr=True)

    @property
    def shows_progress(self) -> bool:
        """Whether moving progress may be drawn on `messages`."""
        return not self.quiet and _may_be_terminal(sys.stderr) and self.messages.is_interactive

    @property
    def is_terminal(self) -> bool:
        """Whether stdout is a terminal, where tables may be drawn."""
        return _may_be_terminal(sys.stdout) and self._stdout.is_terminal

    @property
    def width(self) -> int:
        """Columns of the terminal."""
        return self._stdout.width

    def document(self, content: Mapping[str, object]) -> None:
        """With --json, the command's result; otherwise nothing."""
        if self.as_json:
            print_json(self.command, content)

    def table(
        self,
        columns: Sequence[str],
        rows: Iterable[Sequence[object]],
        *,
        title: str | None = None,
        right: Sequence[str] = (),
    ) -> None:
        """A result as a table: drawn on a terminal, else tab-separated with a header line.

        right: the columns to be aligned right, usually those with numbers.
        """
        if self.as_json:
            return
        if not self.is_terminal:
            self.lines(*(tab_separated(map(_cell, row)) for row in (columns, *rows)))
            return
        from rich.measure import Measurement
        from rich.table import Table
        from rich.text import Text

        table = Table(title=title, title_justify="left", header_style="bold")
        for column in columns:
            table.add_column(column, justify="right" if column in right else "left")
        cells = [[printable(_cell(value)) for value in row] for row in rows]
        for row in cells:
            table.add_row(*map(Text, row))
        console = self._stdout
        endless = console.options.update(max_width=10_000)
        if self.width < NARROW and Measurement.get(console, endless, table).minimum > self.width:
            for row in cells:
                lines = (f"{column}: {cell}" for column, cell in zip(columns, row, strict=True) if cell)
                console.print(Text("\n".join(lines) + "\n"))
        else:
            console.print(table)

    def chart(self, renderable: RenderableType) -> None:
        """Something to look at: shown on a terminal only, since the tables hold its numbers."""
        if self.is_terminal and not self.as_json:
            self._stdout.print(renderable)

    def lines(self, *texts: str) -> None:
        """Results that already are text, as they are; nothing with --json."""
        if not self.as_json:
            for text in texts:
                sys.stdout.write(text + "\n")

    def note(self, text: str) -> None:
        """Something good to know, on stderr; silenced by --quiet."""
        if not self.quiet:
            self._say(text)

    def detail(self, text: str) -> None:
        """Something only --verbose shows, on stderr."""
        if self.verbose:
            self._say(text, "dim")

    def warn(self, text: str) -> None:
        """Something the user should act on, on stderr, even with --quiet."""
        self._say(f"Warning: {text}", "yellow")

    def _say(self, text: str, style: str | None = None) -> None:
        text = printable(text)
        with suppress(OSError):  # no work is lost because a message is
            if _may_be_terminal(sys.stderr):
                self.messages.print(text, style=style, markup=False, highlight=False, soft_wrap=True)
            else:
                sys.stderr.write(text + "\n")

    @contextmanager
    def progress(self, description: str, *, unit: str = "") -> Iterator[Progress]:
        """A progress bar on stderr that vanishes when done; yields the callback that moves it.

        unit: "B" shows sizes and transfer speed; without it, how many of how many are done.
        """
        if not self.shows_progress:
            yield lambda done, total: None
            return
        from rich import progress as rich_progress

        speed: tuple[rich_progress.ProgressColumn, ...] = (
            (rich_progress.DownloadColumn(), rich_progress.TransferSpeedColumn())
            if unit == "B"
            else (rich_progress.MofNCompleteColumn(),)
        )
        details = (rich_progress.BarColumn(), *speed, rich_progress.TimeRemainingColumn())
        with rich_progress.Progress(
            rich_progress.TextColumn("{task.description}"),
            *(details if self.messages.width >= NARROW else (rich_progress.TaskProgressColumn(),)),
            console=self.messages,
            transient=True,
        ) as bar:
            task = bar.add_task(description, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)


def print_json(command: str, content: Mapping[str, object]) -> None:
    """One JSON document on stdout, in the envelope that all commands share."""
    document = {"schema": SCHEMA, "command": command, **content}
    sys.stdout.write(to_json(document, indent=2) + "\n")


def to_json(content: object, *, indent: int | None = None) -> str:
    """JSON text: with characters beyond ASCII as they are, or escaped where the locale is not in UTF-8.

    A byte of a file's name that is no UTF-8, which Python has as a lone surrogate, is escaped as \\udcXX.
    """
    text = json.dumps(content, indent=indent, ensure_ascii=sys.getfilesystemencoding() != "utf-8")
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def tab_separated(cells: Iterable[str]) -> str:
    """One line; a tab, newline or carriage return in a cell, as names may have, becomes \\t, \\n or \\r."""
    return "\t".join(cell if cell.isprintable() else cell.translate(_BREAKS) for cell in cells)


def printable(text: str) -> str:
    """Text for a terminal: control characters but newlines escaped, since those in a name may command it."""
    return text if text.isprintable() else text.translate(_CONTROLS)


class Stdout(io.TextIOWrapper):
    """Stdout for names in any encoding and disks that fill up.

    Bytes of file names that the encoding does not have, which are lone surrogates in Python, are written as
    they were, and other characters that it does not have as `?`. Raises OutputError if writing fails, so
    that no such failure is taken for one of another file, but BrokenPipeError if nobody reads any more.
    """

    def __init__(self, stdout: TextIO) -> None:
        codecs.register_error("digitcli", _encode_anyhow)
        raw = _StdoutBytes(stdout.fileno(), "w", closefd=False)
        buffer = io.BufferedWriter(raw)
        super().__init__(buffer, stdout.encoding, "digitcli", line_buffering=stdout.isatty())


class _StdoutBytes(io.FileIO):
    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(f"Cannot write to stdout: {error.strerror}.") from error


def _encode_anyhow(error: UnicodeError) -> tuple[bytes, int]:
    assert isinstance(error, UnicodeEncodeError)
    character, rest = error.object[error.start], error.start + 1
    try:
        return character.encode("ascii", "surrogateescape"), rest
    except UnicodeEncodeError:
        return b"?", rest


def _may_be_terminal(stream: TextIO) -> bool:
    """Whether Rich might take it for a terminal: it is one, or the environment says to treat it so."""
    return stream.isatty() or any(name in os.environ for name in ("FORCE_COLOR", "TTY_COMPATIBLE"))


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4f}"
    return str(value)
