"""A second look at pictures that are not clear at first sight, through the whole of predict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

from digitcli import classifiers, runs
from digitcli.reading import again, close_up
from digitcli.reading.close_up import OUTCOMES
from digitcli.reading.one import One, read_one
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


@pytest.mark.parametrize("inverted", [False, True])
def test_a_one_of_which_the_crop_leaves_hardly_any_paper_is_read(inverted: bool) -> None:
    stroke = Image.new("L", (40, 200))
    ImageDraw.Draw(stroke).line([(13, 4), (16, 196)], 255, 21)
    small = stroke.resize((4, 20), Image.Resampling.BOX)
    assert read(ImageOps.invert(small) if inverted else small).text == "1"


@pytest.mark.parametrize("digit", "123456789")
def test_a_digit_on_a_chequered_ground_is_read(
    digit: str, digitcli: Callable[..., Any], tmp_path: Path
) -> None:
    rows, columns = np.indices((150, 133)) // 8
    ground = Image.fromarray(np.where((rows + columns) % 2, 205, 255).astype(np.uint8))
    ImageDraw.Draw(ground).text((40, 20), digit, 0, ImageFont.truetype(faces()[0], 100))
    result = read(ground)
    assert result.text == digit
    assert result.image is not None
    assert result.image.any()
    ground.save(tmp_path / "ground.png")
    marked = tmp_path / "marked"
    run = digitcli("predict", tmp_path / "ground.png", "--single", "--annotate", marked)
    assert f"\t{digit}\t" in run.stdout
    (file,) = (each for each in marked.rglob("*") if each.is_file())
    with Image.open(file) as drawn:
        assert np.ptp(np.asarray(drawn.convert("RGB"), int), axis=2).max() > 60  # a mark in colour


@pytest.mark.parametrize(("seed", "digit"), [(9, "1"), (19, "1"), (19, "4"), (23, "7"), (24, "5")])
def test_a_photographed_ring_is_no_stroke_of_the_digit_in_it(seed: int, digit: str) -> None:
    rng = np.random.default_rng([seed, int(digit)])
    assert read(picture("circled, photographed", digit, rng).image).text == digit


@pytest.mark.parametrize("digit", "0123456789")
def test_a_digit_much_smaller_than_its_ring_is_read(digit: str) -> None:
    page = Image.new("L", (160, 160), 255)
    draw = ImageDraw.Draw(page)
    draw.ellipse((20, 20, 140, 140), outline=0, width=6)
    draw.text((80, 80), digit, 0, ImageFont.truetype(faces()[0], 40), anchor="mm")
    assert read(page).text == digit


@pytest.mark.parametrize("letter", "AFKRWXmw")
def test_a_letter_gets_no_digit_or_a_doubtful_one(letter: str) -> None:
    result = read(cut_to_its_ink(letter, 60))
    assert result.text is None or result.uncertain


def test_several_digits_at_the_edge_are_all_read() -> None:
    result = read(cut_to_its_ink("708", 60))
    assert (result.text, result.uncertain) == ("708", False)


@pytest.mark.parametrize("text", ["89", "53", "37"])
def test_of_a_neighbour_whose_rest_is_cut_off_nothing_is_read(text: str) -> None:
    both = ImageOps.expand(cut_to_its_ink(text, 60), 14, 255)
    assert read(both).text == text
    assert all(read(both.crop((cut, 0, both.width - 10, both.height))).text == text[1] for cut in (26, 30))


def test_a_digit_that_is_read_well_is_not_taken_for_all_there_is() -> None:
    rng = np.random.default_rng(2)
    read_as = [read(picture(kind, "90512", rng).image).text or "" for kind in KINDS]
    assert sum(len(text) == 1 for text in read_as) <= 0.02 * len(read_as)


@pytest.mark.parametrize("digit", "23456789")
@pytest.mark.parametrize(("disc", "ground"), [("navy", "white"), ("ivory", "maroon")])
def test_a_digit_cut_out_of_a_disc_is_not_read_as_the_zero_that_this_looks_like(
    digit: str, disc: str, ground: str
) -> None:
    badge = Image.new("RGB", (160, 160), ground)
    pen = ImageDraw.Draw(badge)
    pen.ellipse((14, 14, 146, 146), fill=disc)
    pen.text((80, 80), digit, ground, ImageFont.truetype(faces()[0], 80), anchor="mm")
    result = read(badge)
    assert (result.text, result.uncertain) == (digit, False)


@pytest.mark.parametrize("discs", [1, 2])
def test_what_is_beside_a_disc_may_be_another_digit_and_an_empty_page_is_none(discs: int) -> None:
    page = Image.new("RGB", (420, 300), "white")
    pen = ImageDraw.Draw(page)
    for left in (40, 240)[:discs]:
        pen.ellipse((left, 80, left + 140, 220), fill="navy")
        pen.text((left + 70, 150), "5", "white", ImageFont.truetype(faces()[0], 80), anchor="mm")
    (one,) = read_one([page], classifiers.load(runs.BUNDLED).probabilities)
    assert one.probabilities is not None
    assert (int(one.probabilities.argmax()), one.several) == (5, discs > 1)


def rows_of(digit: int, sure: float) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """A classifier that is equally sure of one digit whatever it sees."""
    row = np.zeros(10, np.float32)
    row[digit] = sure
    return lambda images: np.repeat(row[None], len(images), axis=0)


@pytest.mark.parametrize(
    ("sure", "seen", "kept"),
    [
        (0.997, np.eye(OUTCOMES)[close_up.NONE], False),
        (0.9999, np.eye(OUTCOMES)[close_up.NONE], True),
        (0.997, np.full(OUTCOMES, 1 / OUTCOMES), True),  # sees nothing well, so has nothing to say
    ],
)
def test_what_only_its_cut_out_ink_makes_a_digit_is_looked_at_again_unless_it_is_certain(
    sure: float, seen: NDArray[np.float64], kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier = classifiers.load(runs.BUNDLED)
    monkeypatch.setattr(classifier, "probabilities", rows_of(4, sure))
    monkeypatch.setattr(close_up, "read", lambda strip: seen)
    image = ImageOps.expand(cut_to_its_ink("4", 60), 30, 255)
    (result,) = predict([Source("picture", np.asarray(image))], classifier)
    assert (result.confidence == pytest.approx(sure)) == kept


def test_where_the_classifier_doubts_the_close_up_reader_is_heard_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image, doubting = cut_to_its_ink("4", 60), rows_of(4, 0.6)
    (one,) = read_one([image], doubting)
    sureness = []
    for said in (4, 9, close_up.NONE):
        monkeypatch.setattr(close_up, "read", lambda strip, said=said: np.eye(OUTCOMES)[said])
        sureness.append(again.look_again(image, one, doubting).sureness)
    assert sureness[0] > 0.8
    assert max(sureness[1:]) < sureness[0]


@pytest.mark.parametrize("meant", ["3", "7", "37"])
def test_of_two_digits_in_a_narrow_picture_both_are_meant_if_the_close_up_reader_sees_each(
    meant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = ImageOps.expand(cut_to_its_ink("37", 60), (5, 20), 255)
    looks = iter(np.eye(OUTCOMES)[int(digit) if digit in meant else close_up.NONE] for digit in "37")
    monkeypatch.setattr(close_up, "read", lambda strip: next(looks))
    doubtful = One(probabilities=np.eye(10, dtype=np.float32)[7] * 0.3)
    numbers = again.surer(doubtful, image, classifiers.load(runs.BUNDLED).probabilities)
    assert [number.text for number in numbers] == (["37"] if meant == "37" else [])


def test_two_digits_near_the_edge_are_both_meant_unless_one_is_cut_off() -> None:
    both = ImageOps.expand(cut_to_its_ink("37", 60), (2, 20), 255)
    assert read(both).text == "37"
    assert read(both.crop((16, 0, both.width - 2, both.height))).text == "7"


@pytest.mark.parametrize(
    ("text", "several", "meant"), [("37", True, ""), ("375", True, "375"), ("375", False, "")]
)
def test_what_seems_to_hold_more_and_shows_three_digits_is_a_number_however_unsure(
    text: str, several: bool, meant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = ImageOps.expand(cut_to_its_ink(text, 60), (40, 20), 255)
    unsure = [replace(each, confidence=0.01) for each in again.read_numbers(image, rows_of(3, 0.5))]
    monkeypatch.setattr(again, "read_numbers", lambda *_: unsure)
    one = One(probabilities=np.eye(10, dtype=np.float32)[3] * 0.99, several=several)
    assert "".join(number.text for number in again.surer(one, image, rows_of(3, 0.5))) == meant


def test_two_small_digits_on_a_page_are_both_meant_whatever_the_close_up_reader_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = Image.new("L", (200, 400), 255)
    page.paste(cut_to_its_ink("37", 60), (70, 170))
    monkeypatch.setattr(close_up, "read", lambda strip: np.eye(OUTCOMES)[7])
    doubtful = One(probabilities=np.eye(10, dtype=np.float32)[7] * 0.3)
    (number,) = again.surer(doubtful, page, classifiers.load(runs.BUNDLED).probabilities)
    assert number.text == "37"


def test_what_digit_it_is_says_first_of_all_who_has_learnt_the_hand() -> None:
    image, other = cut_to_its_ink("4", 60), rows_of(9, 0.9)
    (one,) = read_one([image], other)
    for has_learnt, digit in ((False, 4), (True, 9)):
        again_read = again.look_again(image, one, other, has_learnt=has_learnt)
        assert again_read.probabilities is not None
        assert int(again_read.probabilities.argmax()) == digit


@pytest.mark.parametrize(("grain", "digit"), [(0, 7), (12, 2)])
@pytest.mark.parametrize(("cut", "two", "seven"), [(True, 0.55, 0.2), (False, 0.96, 0.01)])
def test_on_clean_paper_the_classifier_counts_for_more(
    cut: bool, two: float, seven: float, grain: int, digit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = np.asarray(cut_to_its_ink("7", 60)) // 2 + 60  # or the grain would be lost in white
    image = drawn + np.random.default_rng(0).integers(-grain, grain + 1, drawn.shape)
    others_see = np.array([0, 0, two, 0, 0, 0, 0, seven, 0, 0, 0.01])
    monkeypatch.setattr(again, "_looks", lambda *_: [np.stack([others_see, others_see])])
    picture = Image.fromarray(image.astype(np.uint8))
    pixels = np.zeros((28, 28), np.uint8)
    one = One(pixels, np.eye(10, dtype=np.float32)[7] * 0.99, cut=cut)
    seen = again.look_again(picture, one, rows_of(7, 0.9)).probabilities
    assert seen is not None
    assert int(seen.argmax()) == digit
