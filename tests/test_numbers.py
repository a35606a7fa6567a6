"""Numbers as the detector with a classifier and the line reader read them together."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageFont
from typeset import typeset

from digitcli import classifiers, runs
from digitcli.images.ink import Box
from digitcli.reading import line, many
from digitcli.reading.digit import Digit
from digitcli.reading.line import View
from digitcli.reading.numbers import read_numbers
from digitcli.reading.transcript import SIGNS
from digitcli.reading.weighing import best
from digitcli.simulator.typefaces import faces

PROBABILITIES = classifiers.load(runs.BUNDLED).probabilities


def written(text: str, size: int = 60, margin: int = 14) -> Image.Image:
    return typeset(text, ImageFont.truetype(faces()[0], size), margin)


def seen(text: str, sure: float) -> View:
    """What a line reader sees that is `sure` of each digit of a text, and takes it for one more otherwise."""
    columns = np.zeros((2 * len(text) + 1, len(SIGNS) + 1), np.float32)
    columns[::2, -1] = 1
    for place, digit in enumerate(text):
        columns[2 * place + 1, int(digit)] = sure
        columns[2 * place + 1, (int(digit) + 1) % 10] = 1 - sure
    return View((0, 0, 100, 20), columns)


def found(text: str, sure: float) -> list[Digit]:
    blank = np.zeros((28, 28), np.uint8)
    return [Digit(int(digit), sure, (10 * place, 0, 8, 20), blank) for place, digit in enumerate(text)]


@pytest.mark.parametrize("text", ["171", "40800", "99", "2000000"])
def test_a_number_is_read_with_its_digits_where_they_are(text: str) -> None:
    (number,) = read_numbers(written(text), PROBABILITIES)
    assert number.text == number.full == text
    assert number.confidence > 0.8
    lefts = [digit.box[0] for digit in number.digits]
    assert lefts == sorted(lefts)


def test_where_detector_and_line_readers_say_the_same_no_digit_is_classified() -> None:
    def never(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        raise AssertionError("was asked")

    (number,) = read_numbers(written("40825"), never)
    assert (number.text, number.confidence > 0.95) == ("40825", True)
    (as_always,) = many.read_many(written("40825"), PROBABILITIES)
    for digit, other in zip(number.digits, as_always, strict=True):
        assert digit.box == pytest.approx(other.box, abs=3)
        assert np.abs(digit.pixels.astype(int) - other.pixels).mean() < 8


@pytest.mark.parametrize(("found", "asks"), [("as many, named otherwise", False), ("one less", True)])
def test_the_classifier_is_asked_only_where_the_line_readers_see_more_digits_than_were_found(
    found: str, asks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    def counted(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        nonlocal asked
        asked += len(images)
        return PROBABILITIES(images)

    page = written("40825")
    boxes = many.find_closely(page)
    if found == "one less":
        boxes = boxes.only(slice(0, 4))
    else:
        boxes = replace(boxes, probabilities=np.roll(boxes.probabilities, 1, axis=1))
    monkeypatch.setattr(many, "find_closely", lambda _: boxes)
    (number,) = read_numbers(page, counted)
    assert (asked > 0) == asks
    assert number.text == "40825"


@pytest.mark.parametrize(
    ("sure", "models", "leans"), [(0.999, line.MODELS, line.UPRIGHT), (0.5, line.OF_NUMBERS, line.LEANS)]
)
def test_the_third_line_reader_and_slanted_views_are_asked_only_where_the_first_two_leave_doubt(
    sure: float, models: tuple[Path, ...], leans: tuple[float, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    leaning = line.leaning

    def read(pixels: NDArray[np.uint8], model: Path) -> NDArray[np.float32]:
        asked.append((model, lean))
        return seen("40825", sure).columns

    def leant(pixels: NDArray[np.uint8], by: float) -> NDArray[np.uint8]:
        nonlocal lean
        lean = by
        return leaning(pixels, by)

    lean = 0.0
    monkeypatch.setattr(line, "read", read)
    monkeypatch.setattr(line, "leaning", leant)
    read_numbers(written("40825"), PROBABILITIES)
    assert set(asked) == {(model, lean) for model in models for lean in leans}


def test_no_look_is_taken_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: Counter[tuple[Path, bytes]] = Counter()

    def read(strip: NDArray[np.uint8], model: Path) -> NDArray[np.float32]:
        taken[model, strip.tobytes()] += 1
        return seen("40825", 0.6).columns

    monkeypatch.setattr(line, "read", read)
    read_numbers(written("40825"), PROBABILITIES)
    assert {model for model, _ in taken} == set(line.OF_NUMBERS)
    assert set(taken.values()) == {1}


def test_a_picture_that_is_cut_off_is_seen_with_paper_beyond_both_sides(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    windows: list[Box] = []
    cropped = line.cropped

    def noted(image: Image.Image, window: Box) -> Image.Image:
        windows.append(window)
        return cropped(image, window)

    monkeypatch.setattr(many, "found_at_once", lambda image, boxes: [])
    monkeypatch.setattr(line, "cropped", noted)
    for margin, beyond in ((14, False), (0, True)):
        windows.clear()
        image = written("40825", margin=margin)
        read_numbers(image, PROBABILITIES)
        assert any(left < 0 and right > image.width for left, _, right, _ in windows) == beyond


def test_a_line_in_doubt_beside_one_that_is_not_is_read_too(monkeypatch: pytest.MonkeyPatch) -> None:
    page = Image.new("L", (400, 300), 255)
    page.paste(written("40825"), (20, 20))
    page.paste(written("369"), (20, 170))
    boxes = many.find_closely(page)
    lower = boxes.boxes[:, 1] > 130
    turned = np.where(lower[:, None], np.roll(boxes.probabilities, 1, axis=1), boxes.probabilities)
    monkeypatch.setattr(many, "find_closely", lambda _: replace(boxes, probabilities=turned))
    assert [number.text for number in read_numbers(page, PROBABILITIES)] == ["40825", "369"]


@pytest.mark.parametrize("text", ["3.14", "12-05", "7+8=15"])
def test_the_signs_between_the_digits_are_kept_apart_from_them(text: str) -> None:
    (number,) = read_numbers(written(text), PROBABILITIES)
    assert number.full == text
    assert number.text == "".join(filter(str.isdigit, text))


@pytest.mark.parametrize("margin", [10, 40])
@pytest.mark.parametrize("text", ["24/7", "16/9", "5/8"])
def test_a_printed_slash_is_no_one_however_much_paper_is_round_it(text: str, margin: int) -> None:
    (number,) = read_numbers(typeset(text, ImageFont.load_default(48), margin), PROBABILITIES)
    assert number.full == text


@pytest.mark.parametrize("text", ["1000", "711", "190"])
def test_digits_at_the_very_edge_are_read(text: str) -> None:
    (number,) = read_numbers(written(text, margin=0), PROBABILITIES)
    assert number.text == text


@pytest.mark.parametrize("text", ["40825", "1000", "97316", "2468"])
def test_numbers_in_grain_as_strong_as_their_ink_are_surely_read(text: str) -> None:
    clean = np.asarray(written(text).convert("L"), np.float32)
    grain = np.random.default_rng(0).normal(0, 80, clean.shape)
    page = Image.fromarray((120 + 0.4 * clean + grain).clip(0, 255).astype(np.uint8))
    (number,) = read_numbers(page, PROBABILITIES)
    assert number.text == text
    assert number.confidence > 0.8


def test_lines_come_from_top_to_bottom() -> None:
    above, below = written("12", margin=30), written("345", margin=30)
    image = Image.new("L", (max(above.width, below.width), above.height + below.height), 255)
    image.paste(above)
    image.paste(below, (0, above.height))
    assert [number.text for number in read_numbers(image, PROBABILITIES)] == ["12", "345"]


@pytest.mark.parametrize("size", [(30, 30), (400, 60), (1, 1), (3, 900)])
def test_where_nothing_is_written_there_is_no_number(size: tuple[int, int]) -> None:
    assert read_numbers(Image.new("L", size, 255), PROBABILITIES) == []


def test_what_both_readers_say_is_surer_than_what_one_says() -> None:
    text, together = best([seen("48", 0.9)], found("48", 0.9), whole=False)
    assert text == "48"
    assert together > 0.9
    text, alone = best([seen("48", 0.9)], [], whole=False)
    assert text == "48"
    assert alone < together
    assert best([seen("48", 0.9)], found("49", 0.6), whole=False)[1] < alone


@pytest.mark.parametrize("mistaken", "?+/(")
def test_a_digit_that_looks_more_like_a_letter_or_sign_is_read_among_digits(mistaken: str) -> None:
    def mistaken_by(share: float) -> View:
        view = seen("1832", 0.99)
        view.columns[3] = 0
        view.columns[3, [8, SIGNS.index(mistaken)]] = 1 - share, share
        return view

    text, confidence = best([mistaken_by(0.7)], [], whole=True)
    assert text == "1832"
    assert confidence < 0.8
    assert best([mistaken_by(0.999)], [], whole=True)[0] == "132"


def test_in_a_sum_its_signs_are_as_likely_as_digits() -> None:
    number, sum_ = seen("3852", 1), seen("3852", 1)
    for view in (number, sum_):
        view.columns[3] = 0
        view.columns[3, [8, SIGNS.index("×")]] = 0.4, 0.6
    sum_.columns[5] = 0
    sum_.columns[5, SIGNS.index("+")] = 1
    assert best([number], [], whole=True)[0] == "3852"
    assert best([sum_], [], whole=True)[0] == "32"


def test_where_they_differ_the_surer_one_is_believed() -> None:
    assert best([seen("48", 0.999)], found("43", 0.4), whole=True)[0] == "48"
    assert best([seen("48", 0.55)], found("49", 0.99), whole=False)[0] == "49"


@given(st.text("0123456789", min_size=1, max_size=6), st.floats(0, 1), st.floats(0, 1), st.booleans())
def test_a_confidence_is_a_probability(text: str, sure: float, surer: float, whole: bool) -> None:
    answer, confidence = best([seen(text, sure)], found(text[::-1], surer), whole)
    assert 0 <= confidence <= 1 + 1e-6
    assert set(answer) <= set("0123456789")


@pytest.mark.parametrize("kept", [slice(1, None), slice(None, -1), slice(2, 3)])
def test_digits_at_the_ends_that_were_not_found_are_read_by_the_line_reader(
    kept: slice, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = Image.new("L", (900, 700), 255)
    page.paste(written("27503"), (300, 250))
    boxes = many.find_closely(page)
    some = np.zeros(len(boxes), bool)
    some[np.argsort(boxes.boxes[:, 0])[kept]] = True
    monkeypatch.setattr(many, "find_closely", lambda _: boxes.only(some))
    (number,) = read_numbers(page, PROBABILITIES)
    assert number.text == "27503"


def test_a_digit_that_was_overlooked_is_put_in_where_the_line_reader_sees_it() -> None:
    for share, text in ((0.9, "1234"), (0.5, "234")):
        view = seen("1234", 1)
        view.columns[1, 1], view.columns[1, -1] = share, 1 - share
        assert best([view], found("234", 1.0), whole=False)[0] == text
