from __future__ import annotations

import io
import re

import numpy as np
import pytest
from rich.console import Console

from digitcli.charts import Bars, ConfusionMatrix, Picture

MATRIX = [[1000 if true == read else 0 for read in range(10)] for true in range(10)]
MATRIX[4][9] = 13
MATRIX[5][3] = 400
MATRIX[0] = [0] * 10


def drawn(
    width: int, color_system: str | None = None, chart: object = ConfusionMatrix(MATRIX), **options: bool
) -> str:
    file = io.StringIO()
    Console(file=file, width=width, force_terminal=True, color_system=color_system, **options).print(chart)
    return file.getvalue()


def shade(line: str, count: str) -> str:
    """The escape codes that style a count in a drawn row."""
    return re.findall(rf"\x1b\[([^m]*)m +{count} ", line)[0]


def test_counts_are_shown_and_zeros_are_dots() -> None:
    rows = [line.split() for line in drawn(80).splitlines()]
    assert rows[1] == list("0123456789")
    assert rows[2 + 4] == ["4", "·", "·", "·", "·", "1000", "·", "·", "·", "·", "13"]


def test_columns_stand_under_their_digits() -> None:
    lines = drawn(80).splitlines()
    assert lines[1].index("9") == lines[2 + 4].index("13") + 1


@pytest.mark.parametrize("width", [36, 40])
def test_a_narrow_terminal_gets_percentages_that_fit(width: int) -> None:
    lines = drawn(width).splitlines()
    assert len(lines) == 12
    assert all(len(line) <= width for line in lines[1:])
    assert lines[2 + 4].split() == ["4", "·", "·", "·", "·", "98", "·", "·", "·", "·", "1"]
    assert lines[2 + 1] == "1   ·100" + "  ·" * 8, "percentages of 100 fill their column"


def test_a_very_narrow_terminal_gets_the_errors_alone() -> None:
    assert drawn(20).splitlines() == ["4 read as 9: 13", "5 read as 3: 400"]


def test_shares_of_the_row_decide_the_shade() -> None:
    lines = drawn(80, "truecolor").splitlines()
    assert shade(lines[2 + 4], "13") != shade(lines[2 + 5], "400"), "errors of 1 % and 29 %"
    assert shade(lines[2 + 1], "1000") != shade(lines[2 + 5], "1000"), "recalls of 1.0 and 0.7"


def test_errors_stand_out_without_colour() -> None:
    row = drawn(80, "truecolor", no_color=True).splitlines()[2 + 4]
    assert shade(row, "13") == "1", "bold"
    assert re.search(r"\x1b\[0m 1000 ", row), "plain"


def test_a_digit_that_never_occurs_is_a_row_of_dots() -> None:
    assert drawn(80).splitlines()[2].split() == ["0", *"··········"]
    assert drawn(40).splitlines()[2].split() == ["0", *"··········"]


def test_a_picture_has_two_pixels_in_each_character() -> None:
    pixels = np.array([[0, 255, 0, 255], [0, 0, 255, 255]], np.uint8)
    assert drawn(80, chart=Picture(pixels)).splitlines() == [" ▀▄█"]


def test_a_picture_keeps_its_greys_where_there_is_colour() -> None:
    line = drawn(80, "truecolor", Picture(np.array([[10], [200]], np.uint8)))
    assert "38;2;10;10;10" in line
    assert "48;2;200;200;200" in line


def test_without_colour_a_picture_is_drawn_in_blocks_though_colours_could_be() -> None:
    pixels = np.array([[0], [255]], np.uint8)
    assert drawn(80, "truecolor", Picture(pixels), no_color=True).splitlines() == ["▄"]


@pytest.mark.parametrize("width", [11, 20, 80])
def test_bars_are_as_long_as_their_shares_and_fit(width: int) -> None:
    one, two, three = drawn(width, chart=Bars({"1": 0.5, "2": 0.25, "3": 0.001})).splitlines()
    assert all(len(line) <= width for line in (one, two, three))
    assert one.startswith("1 █")
    assert one.endswith("50%")
    assert one.count("█") == pytest.approx(2 * two.count("█"), abs=1)
    assert three.split() == ["3", "·"]
