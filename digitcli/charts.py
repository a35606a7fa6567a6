"""What results look like on a terminal: Rich renderables that only draw what they are given."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.text import Text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# A cell takes the last style whose share of its row it reaches. Those with a background set the text's
# colour too, so that they read the same on light and dark terminals; bold tells errors apart without colour.
RIGHT = ((0.0, "black on #bfdbfe"), (0.9, "black on #60a5fa"), (0.98, "#ffffff on #1d4ed8"))
WRONG = (
    (0.0, "bold"),
    (0.003, "bold black on #fde047"),
    (0.01, "bold black on #f97316"),
    (0.05, "bold #ffffff on #b91c1c"),
)

INK = 96
"""What is lighter is drawn where there is no colour; a thin stroke's soft edges are darker."""

_HALVES = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}
_EIGHTHS = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")


@dataclass(frozen=True)
class ConfusionMatrix:
    """Counts by true digit (rows) and digit read (columns), shaded by each cell's share of its row.

    Right answers are blue, the more the darker; errors go from yellow to red. Where the counts are too wide
    for the terminal, whole percentages of the row are shown instead; where these are too, the errors alone.
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
        if 2 + len(digits) * (width + len(gap)) > options.max_width:
            for true, read in itertools.permutations(digits, 2):
                if count := self.matrix[true][read]:
                    yield Text(f"{true} read as {read}: {count}")
            return
        yield Text(title, style="bold")
        yield Text("  " + "".join(f"{digit:>{width}}{gap}" for digit in digits), style="bold")
        for true, row in enumerate(self.matrix):
            total = sum(row)
            line = Text.assemble((f"{true} ", "bold"))
            for read, count in enumerate(row):
                text = cell_text(count, total) if count else "·"
                line.append(f"{text:>{width}}{gap}", _style(count, total, right=true == read))
            yield line


@dataclass(frozen=True)
class Picture:
    """A small grey picture, two pixels in each character: 28x28 takes 28 columns and 14 lines.

    In less room it is drawn at half its size.
    pixels: (height, width) uint8, an even height. Without colour, what is lighter than INK is drawn.
    """

    pixels: NDArray[np.uint8]

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Its width, which never changes."""
        return Measurement(self.pixels.shape[1], self.pixels.shape[1])

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draws it line by line, by Rich's protocol."""
        in_colour = console.color_system is not None and not console.no_color
        pixels = self.pixels
        if pixels.shape[1] > options.max_width:  # to the darker of neighbours, or thin strokes would vanish
            pixels = pixels.reshape(len(pixels) // 2, 2, -1, 2).max(axis=(1, 3))
        for upper, lower in zip(pixels[::2].tolist(), pixels[1::2].tolist(), strict=True):
            line = Text(no_wrap=True)
            for above, below in zip(upper, lower, strict=True):
                if in_colour:
                    line.append("▀", f"rgb({above},{above},{above}) on rgb({below},{below},{below})")
                else:
                    line.append(_HALVES[above > INK, below > INK])
            yield line


@dataclass(frozen=True)
class Bars:
    """Shares, each with its name: a bar as long as the share, and its percentage. The largest is bold.

    shares: 0-1 by name, in the order of the lines.
    """

    shares: Mapping[str, float]

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """From bars of a few blocks to bars in which a percent can be seen."""
        text = self._text_width()
        return Measurement(text + 4, min(text + 40, max(text + 4, options.max_width)))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draws it line by line, by Rich's protocol."""
        room = max(1, min(40, options.max_width - self._text_width()))
        name_width = max(map(len, self.shares))
        largest = max(self.shares.values())
        for name, share in self.shares.items():
            eighths = round(share * room * 8)
            bar = "█" * (eighths // 8) + _EIGHTHS[eighths % 8]
            yield Text.assemble(
                (f"{name:>{name_width}} ", "bold" if share == largest else "dim"),
                (f"{bar:{room}}", "cyan" if share == largest else ""),
                (f" {share:4.0%}" if share >= 0.005 else "    ·", "bold" if share == largest else "dim"),
                no_wrap=True,
            )

    def _text_width(self) -> int:
        return max(map(len, self.shares)) + len("  100%")


def _count(count: int, total: int) -> str:
    return str(count)


def _percent(count: int, total: int) -> str:
    # Rounded down, so that 100 means all of them.
    return str(100 * count // total) if 100 * count >= total else "<1"


def _style(count: int, total: int, *, right: bool) -> str:
    if not count:
        return "dim"
    return [style for least, style in (RIGHT if right else WRONG) if count / total >= least][-1]
