"""Words beside numbers: they are told from digits, painted over, and leave the numbers as they are."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageChops, ImageFont
from typeset import typeset

from digitcli import classifiers, runs
from digitcli.reading.find import Found
from digitcli.reading.line import Looks
from digitcli.reading.many import find_closely
from digitcli.reading.numbers import read_numbers
from digitcli.reading.words import find_words, painted_over, without

PROBABILITIES = classifiers.load(runs.BUNDLED).probabilities
FONT = ImageFont.load_default(40)


def printed(text: str, paper: int = 255, ink: int = 0) -> Image.Image:
    return typeset(text, FONT, margin=15, paper=paper, ink=ink)


def read(image: Image.Image) -> str:
    return "\n".join(number.text for number in read_numbers(image, PROBABILITIES))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("Invoice No. 4711", "4711"),
        ("Room 12", "12"),
        ("Price 265 Street 64", "26564"),
        ("Sold Look", ""),
        ("EUR 814.50", "81450"),
    ],
)
@pytest.mark.parametrize("inverted", [False, True])
def test_only_the_numbers_of_a_line_are_read(text: str, number: str, inverted: bool) -> None:
    assert read(printed(text, 10, 240) if inverted else printed(text)) == number


def test_each_line_has_words_of_its_own() -> None:
    first, second = printed("Total 3720"), printed("Street 58")
    page = Image.new("L", (max(first.width, second.width), first.height + second.height + 40), 255)
    page.paste(first, (0, 0))
    page.paste(second, (0, first.height + 40))
    assert read(page) == "3720\n58"


def test_a_word_is_painted_over_and_the_rest_stays_as_it_is() -> None:
    image = printed("Invoice 4711")
    words = find_words(Looks(image), find_closely(image))
    painted = painted_over(image, words)
    (word,) = words
    changed = ImageChops.difference(image, painted).getbbox()
    assert changed
    assert changed[2] <= word[2] < image.width / 2 + 30
    assert np.ptp(np.asarray(painted.crop(word))) == 0


def test_a_number_beside_words_is_less_sure_than_alone() -> None:
    image = printed("Invoice No. 4711")
    (number,) = read_numbers(image, PROBABILITIES)
    (alone,) = read_numbers(painted_over(image, find_words(Looks(image), find_closely(image))), PROBABILITIES)
    assert number.text == alone.text
    assert 0.2 < number.confidence < 0.8 * alone.confidence


def test_a_number_alone_has_no_words() -> None:
    image = printed("4711 302")
    assert find_words(Looks(image), find_closely(image)) == []


def test_what_has_its_middle_in_a_word_is_dropped() -> None:
    boxes = np.array([[0, 0, 10, 20], [12, 0, 22, 20], [40, 0, 50, 20]], np.float32)
    found = Found(boxes, np.ones(3, np.float32), np.full((3, 10), 0.1, np.float32), 1.0)
    assert without(found, [(8, 0, 30, 20)]).boxes[:, 0].tolist() == [0, 40]
    assert len(without(found, [(8, 30, 30, 50)])) == 3
