"""A second look at pictures that are not clear at first sight, through the whole of predict."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont, ImageOps

from digitcli import classifiers, runs
from digitcli.reading.prediction import Prediction, predict
from digitcli.simulator import KINDS, picture
from digitcli.simulator.typefaces import faces
from digitcli.sources.source import Source


def read(image: Image.Image) -> Prediction:
    (result,) = predict([Source("picture", np.asarray(image))], classifiers.load(runs.BUNDLED))
    return result


def cut_to_its_ink(text: str, size: int) -> Image.Image:
    font = ImageFont.truetype(faces()[0], size)
    page = Image.new("L", (4 * size, 3 * size), 255)
    ImageDraw.Draw(page).text((size, size), text, 0, font)
    return page.crop(ImageOps.invert(page).getbbox())


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("size", [24, 240])
@pytest.mark.parametrize("digit", "02345689")
def test_a_digit_cut_out_to_its_ink_is_read(digit: str, size: int, inverted: bool) -> None:
    image = cut_to_its_ink(digit, size)
    result = read(ImageOps.invert(image) if inverted else image)
    assert result.text == digit
    assert not result.uncertain


@pytest.mark.parametrize("letter", "AFKRWXmw")
def test_a_letter_gets_no_digit_or_a_doubtful_one(letter: str) -> None:
    result = read(cut_to_its_ink(letter, 60))
    assert result.text is None or result.uncertain


def test_several_digits_at_the_edge_are_all_read() -> None:
    result = read(cut_to_its_ink("708", 60))
    assert (result.text, result.uncertain) == ("708", False)


def test_a_digit_that_is_read_well_is_not_taken_for_all_there_is() -> None:
    rng = np.random.default_rng(2)
    read_as = [read(picture(kind, "90512", rng).image).text or "" for kind in KINDS]
    assert sum(len(text) == 1 for text in read_as) <= 0.02 * len(read_as)
