from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

import digitcli
from digitcli.reading.bars import without_bars
from digitcli.reading.find import Found

FOOT = 60
"""Row on which bars and digits end."""


def drawn(bars: list[int], *, leaning: int = 0, text: str = "") -> Image.Image:
    """Bars that begin in these columns, 3 pixels wide and 40 high, over a number."""
    image = Image.new("L", (400, 110), 255)
    draw = ImageDraw.Draw(image)
    for left in bars:
        draw.line((left + leaning, FOOT - 40, left, FOOT), fill=0, width=3)
    draw.text((100, FOOT + 6), text, 0, ImageFont.load_default(26))
    return image


def found(*digits: tuple[int, int], score: float = 0.9) -> Found:
    """Digits over the bars, each with its column."""
    boxes = [(left - 3, FOOT - 40, left + 6, FOOT) for _, left in digits]
    named = np.eye(10, dtype=np.float32)[[digit for digit, _ in digits]]
    return Found(np.array(boxes, np.float32), np.full(len(digits), score, np.float32), named, 1.0)


def kept(image: Image.Image, digits: Found) -> list[int]:
    return sorted(without_bars(image, digits).boxes[:, 0].astype(int) + 3)


MANY = list(range(100, 240, 10))


@pytest.mark.parametrize("leaning", [0, 6])
def test_a_one_among_many_bars_is_one_of_them(leaning: int) -> None:
    assert kept(drawn(MANY, leaning=leaning), found((1, 150))) == []


def test_bright_bars_are_bars_as_well() -> None:
    image = Image.fromarray(255 - np.asarray(drawn(MANY)))
    assert kept(image, found((1, 150))) == []


def test_another_digit_among_bars_stays() -> None:
    assert kept(drawn(MANY), found((4, 150))) == [150]


def test_ones_that_are_all_found_are_a_number() -> None:
    assert kept(drawn(MANY), found(*((1, left) for left in MANY))) == MANY


def test_what_is_hardly_taken_for_digits_is_bars_as_well() -> None:
    assert kept(drawn(MANY), found(*((1, left) for left in MANY), score=0.3)) == []


def test_a_few_strokes_beside_a_one_are_no_bars() -> None:
    assert kept(drawn(MANY[3:7]), found((1, 150))) == [150]


def test_a_one_before_words_is_no_bar() -> None:
    image = drawn([150])
    ImageDraw.Draw(image).text((165, FOOT), "XKVAWM", 0, ImageFont.load_default(55), anchor="ls")
    assert kept(image, found((1, 150))) == [150]


@pytest.mark.parametrize("top", [-30, 95])
def test_a_one_beyond_the_pictures_edge_stays(top: int) -> None:
    digits = found((1, 150))
    digits.boxes[:, [1, 3]] = top, top + 40
    assert len(without_bars(drawn(MANY), digits)) == 1


def test_a_picture_too_narrow_to_hold_bars_is_kept() -> None:
    stripes = Image.fromarray(np.tile(np.uint8([255, 0] * 8), (400, 1)))
    digits = found((1, 8))
    digits.boxes[:] = 7, 0, 8, 400
    assert len(without_bars(stripes, digits)) == 1


@pytest.mark.parametrize("seed", range(6))
def test_a_number_under_a_barcode_is_read_without_its_bars(seed: int) -> None:
    rng = np.random.default_rng(seed)
    steps = rng.integers(4, 11, 45).cumsum()
    number = "".join(map(str, rng.integers(10, size=10)))
    image = drawn((30 + steps).tolist(), text=number)
    assert digitcli.load().read(image.resize((800, 220)), mode="many").text == number
