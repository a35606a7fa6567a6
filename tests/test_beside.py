from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from digitcli.reading.beside import without_what_stands_beside
from digitcli.reading.digit import Digit

WIDTH, HEIGHT = 400, 200


def digit(name: int, left: int, top: int, height: int, confidence: float = 1.0) -> Digit:
    """A digit that was read, half as wide as it is high."""
    return Digit(name, confidence, (left, top, height // 2, height), np.zeros((28, 28), np.uint8))


def line(names: str, top: int, height: int, confidence: float = 1.0) -> list[Digit]:
    """Digits side by side."""
    return [
        digit(int(name), 20 + column * height, top, height, confidence) for column, name in enumerate(names)
    ]


def picture(*lines: list[Digit]) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """Outlines in the places of digits, and something to draw more with."""
    image = Image.new("L", (WIDTH, HEIGHT), 255)
    draw = ImageDraw.Draw(image)
    for each in lines:
        for left, top, width, height in (one.box for one in each):
            draw.ellipse((left, top, left + width - 1, top + height - 1), outline=0, width=4)
    return image, draw


def names(lines: list[list[Digit]]) -> list[str]:
    return ["".join(str(each.digit) for each in line) for line in lines]


def test_a_picture_without_digits_stays_so() -> None:
    assert without_what_stands_beside([], picture()[0]) == []


@pytest.mark.parametrize(("letters", "kept"), [(0, True), (1, True), (2, False), (5, False)])
def test_a_smaller_line_is_print_if_as_much_of_it_is_letters_as_digits(letters: int, kept: bool) -> None:
    small, large = line("05", 20, 30), line("42", 100, 60)
    image, draw = picture(small, large)
    for letter in range(letters):
        draw.rectangle((100 + 30 * letter, 20, 112 + 30 * letter, 49), fill=0)
    assert names(without_what_stands_beside([small, large], image)) == (["05"] if kept else []) + ["42"]


def test_a_smaller_line_that_is_read_with_doubt_is_print() -> None:
    small, large = line("05", 20, 30, confidence=0.3), line("42", 100, 60)
    assert names(without_what_stands_beside([small, large], picture(small, large)[0])) == ["42"]


def test_letters_in_a_line_as_large_as_the_others_do_not_make_it_print() -> None:
    first, second = line("05", 20, 50), line("42", 100, 60)
    image, draw = picture(first, second)
    for left in range(160, 340, 40):
        draw.rectangle((left, 20, left + 20, 69), fill=0)
    assert names(without_what_stands_beside([first, second], image)) == ["05", "42"]


@pytest.mark.parametrize(
    ("name", "height", "others", "kept"),
    [(1, 90, "425", False), (1, 70, "425", True), (7, 90, "425", True), (1, 90, "4", True)],
    ids=["much taller 1", "taller 1", "7", "only one other"],
)
def test_a_one_that_towers_over_the_others_of_its_line_is_none(
    name: int, height: int, others: str, kept: bool
) -> None:
    digits = [*line(others, 40, 60), digit(name, 300, 30, height)]
    read = without_what_stands_beside([digits], picture(digits)[0])
    assert names(read) == [others + (str(name) if kept else "")]


class TestForms:
    """Digits in a row of cells with a 1 read between the first two, and one in the third."""

    READ = (digit(4, 45, 60, 60), digit(1, 90, 55, 64), digit(2, 125, 60, 60), digit(1, 205, 60, 60))

    def image(self, cells: int, ruled: bool = False) -> Image.Image:
        standing = [each for each in self.READ if each.box[0] != 90]
        image, draw = picture(standing)
        for cell in range(cells):
            draw.rectangle((25 + 80 * cell, 35, 104 + 80 * cell, 145), outline=0, width=3)
        if ruled:
            draw.line((0, 36, WIDTH, 36), 0, 3)
            draw.line((0, 144, WIDTH, 144), 0, 3)
        return image

    def test_what_stands_in_no_cell_is_a_wall(self) -> None:
        assert names(without_what_stands_beside([list(self.READ)], self.image(3))) == ["421"]

    @pytest.mark.parametrize("ruled", [False, True])
    def test_without_cells_it_is_a_digit(self, ruled: bool) -> None:
        assert names(without_what_stands_beside([list(self.READ)], self.image(0, ruled))) == ["4121"]

    def test_beside_a_single_cell_digits_may_stand_outside(self) -> None:
        assert names(without_what_stands_beside([list(self.READ)], self.image(1))) == ["4121"]


def test_the_marks_along_an_axis_are_no_ones() -> None:
    numbers, marks = line("01020", 60, 20), line("111", 40, 10)
    assert names(without_what_stands_beside([marks, numbers], picture(marks, numbers)[0])) == ["01020"]


@pytest.mark.parametrize(("text", "height"), [("111", 18), ("11", 10), ("121", 10)])
def test_ones_as_high_as_the_digits_or_few_or_among_others_stay(text: str, height: int) -> None:
    numbers, ones = line("01020", 60, 20), line(text, 30, height)
    assert names(without_what_stands_beside([ones, numbers], picture(ones, numbers)[0])) == [text, "01020"]
