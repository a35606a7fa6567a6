"""What is seen while pictures are read: how many, how fast, and how long it will take."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, TypeVar

from digitcli.output import Output

if TYPE_CHECKING:
    from digitcli.results.folder import Counts

Result = TypeVar("Result")

PATIENCE = 0.5
"""Seconds after which a moving line is welcome."""

REFRESHES = 5
"""Times a second that it moves; more would cost more than reading a small picture does."""


def with_progress(
    results: Iterable[Result], pictures: list[str], out: Output, *, done: int = 0
) -> Generator[Result, None, None]:
    """The results, while a line on stderr moves with them; it vanishes at the end.

    pictures: the words of the command line. What they mean is counted aside, so that nothing waits for it.
    done: how many of them have their results from before.
    """
    next_move = time.monotonic() + PATIENCE
    line: _Line | None = None
    with ExitStack() as stack:
        for number, result in enumerate(results, done + 1):
            if time.monotonic() > next_move:
                if not line:
                    line = _Line(out)
                    stack.enter_context(line.bar)
                    threading.Thread(target=line.count, args=[pictures], daemon=True).start()
                line.move(number)
                next_move = time.monotonic() + 1 / REFRESHES
            yield result


def with_progress_of_parts(counts: Iterable[Counts], parts: int, out: Output) -> Iterator[Counts]:
    """The counts of so many parts, while a line on stderr moves with them; it vanishes at the end."""
    if not out.shows_progress:
        yield from counts
        return
    line = _Line(out)
    pictures = 0
    with line.bar:
        for number, each in enumerate(counts, 1):
            pictures += each.pictures
            line.expect(pictures * parts // number)
            line.move(pictures)
            yield each


class _Line:
    """bar: the moving line, a context manager."""

    def __init__(self, out: Output) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self.bar = Progress(
            BarColumn(bar_width=None),
            TextColumn("{task.completed:,}{task.fields[of]} pictures"),
            TextColumn("{task.fields[rate]:,.0f}/s"),
            TimeRemainingColumn(compact=True),
            console=out.messages,
            transient=True,
            refresh_per_second=REFRESHES,
            redirect_stdout=False,  # or the results would go to stderr, too
        )
        self._task = self.bar.add_task("", total=None, of="", rate=0.0)

    def move(self, done: int) -> None:
        self.bar.update(self._task, completed=done, rate=self.bar.tasks[0].speed or 0.0)

    def count(self, pictures: list[str]) -> None:
        from digitcli.sources.expand import count

        total = count(pictures)
        if total is not None:
            self.expect(total)

    def expect(self, total: int) -> None:
        self.bar.update(self._task, total=total, of=f" of {total:,}")
