"""The line that moves below the others on a terminal while something lasts."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from digitcli.output import NARROW, Output


class MovingLine:
    """A context manager that shows it, and takes it away; where there is no terminal, nothing is shown.

    description: what it begins with. details: what stands between the bar and the time left, as Rich's
    templates; fields: what they show at first. total: where the bar ends.
    """

    def __init__(self, out: Output, description: str, *details: str, total: float, **fields: Any) -> None:
        self._bar: Progress | None = None
        if out.shows_progress:
            wide = (
                BarColumn(bar_width=None),
                *(TextColumn(each) for each in details),
                TimeRemainingColumn(compact=True),
            )
            self._bar = Progress(
                TextColumn("{task.description}"),
                *(wide if out.messages.width >= NARROW else (TaskProgressColumn(),)),
                console=out.messages,
                transient=True,
                refresh_per_second=5,
            )
            self._task = self._bar.add_task(description, total=total, **fields)

    def __enter__(self) -> Self:
        """Starts it."""
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Takes it away."""
        if self._bar:
            self._bar.stop()

    def move(self, *, completed: float, description: str | None = None, **fields: Any) -> None:
        """Shows other values."""
        if self._bar:
            self._bar.update(self._task, completed=completed, description=description, **fields)
