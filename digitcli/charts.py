"""What results look like on a terminal: Rich renderables that only draw what they are given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

# A cell takes the last style whose share of its row it reaches. Those with a background set the text's
# colour too, so that they read the same on light and dark terminals; bold tells errors apart without colour.
RIGHT = ((0.0, "black on #bfdbfe"), (0.9, "black on #60a5fa"), (0.98, "#ffffff on #1d4ed8"))
WRONG = (
    (0.0, "bold"),
    (0.003, "bold black on #fde047"),
    (0.01, "bold black on #f97316"),
    (0.05, "bold #ffffff on #b91c1c"),
)


@dataclass(frozen=True)
class ConfusionMatrix:
    """Counts by true digit (rows) and digit read (columns), shaded by each cell's share of its row.

    Right answers are blue, the more the darker; errors go from yellow to red. Where the counts are too wide
    for the terminal, whole percentages of the row are shown instead.
    """

    matrix: Sequence[Sequence[int]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draws it line by line, by Rich's protocol."""
        digits = range(len(self.matrix))
        title = "Confusion: true digit by row, digit read by column"
        cell_text, gap = _count, " "
        width = max(len(str(count)) for row in self.matrix for count in row) + 1
        if 2 + len(digits) * (width + len(gap)) > options.max_width:
            title = "Confusion, in % of each true digit"
            cell_text, gap, width = _percent, "", len("100")
        yield Text(title, style="bold")
        yield Text("  " + "".join(f"{digit:>{width}}{gap}" for digit in digits), style="bold")
        for true, row in enumerate(self.matrix):
            total = sum(row)
            line = Text.assemble((f"{true} ", "bold"))
            for read, count in enumerate(row):
                text = cell_text(count, total) if count else "·"
                line.append(f"{text:>{width}}{gap}", _style(count, total, right=true == read))
            yield line


def _count(count: int, total: int) -> str:
    return str(count)


def _percent(count: int, total: int) -> str:
    # Rounded down, so that 100 means all of them.
    return str(100 * count // total) if 100 * count >= total else "<1"


def _style(count: int, total: int, *, right: bool) -> str:
    if not count:
        return "dim"
    return [style for least, style in (RIGHT if right else WRONG) if count / total >= least][-1]
