from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageDraw

from digitcli import classifiers, runs
from digitcli.convention import SIDE
from digitcli.data import synthetic
from digitcli.reading import many
from digitcli.reading.digit import Digit
from digitcli.reading.find import Found
from digitcli.reading.many import read_many
from digitcli.simulator import KINDS, picture

DIGITS = synthetic.generate(300, seed=4)


SHIFTED = np.concatenate(
    [np.roll(DIGITS.images, (y, x), (1, 2)) for y in (-1, 0, 1) for x in (-1, 0, 1)]
).reshape(9 * len(DIGITS), -1)
KNOWN = (SHIFTED / np.linalg.norm(SHIFTED.astype(np.float32), axis=1, keepdims=True)).astype(np.float32)


def nearest(images: np.ndarray) -> np.ndarray:
    """A classifier in a few lines: the digit of DIGITS that overlaps most, however sure."""
    asked = images.reshape(len(images), -1).astype(np.float32)
    likeness = asked / np.linalg.norm(asked, axis=1, keepdims=True) @ KNOWN.T
    sure = likeness.max(axis=1) ** 8
    rows = np.repeat((1 - sure[:, None]) / 9, 10, axis=1)
    best = likeness.argmax(axis=1)
    rows[np.arange(len(images)), DIGITS.labels[best % len(DIGITS)]] = sure
    return rows


def nearest_or_none(images: np.ndarray) -> np.ndarray:
    """The same, but what fills its box is no digit."""
    filled = (images > 0).mean(axis=(1, 2)) > 0.36
    return nearest(images) * np.where(filled, 0.05, 1)[:, None].astype(np.float32)


def page(*lines: str, gap: int = 6, tilt: int = 0) -> Image.Image:
    """Digits of DIGITS, 56 pixels tall, dark on white; each digit `tilt` pixels lower than that before it."""
    image = np.full((40 + 90 * len(lines) + 12 * abs(tilt), 620), 255, np.uint8)
    for row, line in enumerate(lines):
        left = 20
        for column, text in enumerate(line):
            digit = DIGITS.images[np.flatnonzero(DIGITS.labels == int(text))[column]]
            digit = digit[np.ix_(digit.any(axis=1), digit.any(axis=0))].repeat(3, 0).repeat(3, 1)
            top = 20 + 90 * row + tilt * column
            area = image[top : top + digit.shape[0], left : left + digit.shape[1]]
            area[...] = np.minimum(area, 255 - digit)
            left += digit.shape[1] + gap
    return Image.fromarray(image)


def text_of(lines: list[list[Digit]]) -> str:
    return "\n".join("".join(str(digit.digit) for digit in line) for line in lines)


@pytest.mark.parametrize("text", ["7", "42", "314029", "0123456789"])
def test_a_number_is_read_from_left_to_right(text: str) -> None:
    assert text_of(read_many(page(text), nearest)) == text


def test_lines_are_read_from_top_to_bottom() -> None:
    assert text_of(read_many(page("271", "8", "30246"), nearest)) == "271\n8\n30246"


def test_a_number_that_is_small_in_a_large_picture_is_looked_at_closer() -> None:
    large = Image.new("L", (2400, 1800), 255)
    large.paste(page("41", "305").resize((310, 120)), (1900, 1500))
    lines = read_many(large, nearest)
    assert text_of(lines) == "41\n305"
    assert lines[0][0].box[:2] == pytest.approx((1910, 1510), abs=4)


def test_lines_may_be_slanted() -> None:
    assert text_of(read_many(page("56732", "38149", tilt=9), nearest)) == "56732\n38149"


def test_touching_digits_are_split() -> None:
    assert text_of(read_many(page("2063", gap=-3), nearest)) == "2063"


@pytest.mark.parametrize("times", [5, 12])
def test_boxes_are_around_the_digits_in_pixels_of_the_picture(times: int) -> None:
    small = read_many(page("305"), nearest)[0]
    large = page("305")
    large = large.resize((large.width * times, large.height * times), Image.Resampling.NEAREST)
    for one, other in zip(small, read_many(large, nearest)[0], strict=True):
        assert one.box[1] == 20
        assert max(one.box[2:]) == pytest.approx(60, abs=2)
        assert np.abs(np.array(one.box) * times - other.box).max() <= 4 * times
        assert one.pixels.shape == (SIDE, SIDE)


def test_lines_dust_and_a_frame_are_not_read() -> None:
    image = page("4823")
    draw = ImageDraw.Draw(image)
    draw.rectangle((2, 2, image.width - 3, image.height - 3), outline=0, width=2)
    draw.line([(3, 100), (image.width - 3, 101)], fill=90)
    draw.ellipse((500, 50, 503, 53), fill=0)
    assert text_of(read_many(image, nearest)) == "4823"


def test_a_decimal_point_and_a_line_of_blocks_are_no_digits() -> None:
    image = page("4823", "", gap=20)
    draw = ImageDraw.Draw(image)
    left = read_many(image, nearest)[0][2].box[0]
    draw.rectangle((left - 14, 72, left - 7, 79), fill=0)
    draw.rectangle((100, 120, 160, 180), fill=0)
    draw.rectangle((200, 120, 260, 180), fill=0)
    assert text_of(read_many(image, nearest_or_none)) == "4823"


def test_walls_of_the_cells_of_a_form_are_no_digits() -> None:
    bundled = classifiers.load(runs.BUNDLED)
    forms = [name for name, kind in KINDS.items() if kind.cells]
    drawn = [picture(kind, "4823", np.random.default_rng(n), tallest=80) for kind in forms for n in range(4)]
    read = [text_of(read_many(each.image, bundled.probabilities)) for each in drawn]
    assert read.count("4823") >= 9  # of 12


@pytest.mark.parametrize("apart", [6, 8, 12])
def test_between_two_cells_of_a_form_there_is_nothing(monkeypatch: pytest.MonkeyPatch, apart: int) -> None:
    image = Image.new("L", (220, 140), 255)
    draw = ImageDraw.Draw(image)
    for left in (20, 102 + apart):
        draw.rectangle((left, 20, left + 84, 120), outline=0, width=2)
        draw.line([(left + 25, 38), (left + 60, 40), (left + 35, 100)], fill=0, width=6, joint="curve")
    walls = (100, 18, 106 + apart, 122)
    sevens = [(left + 22, 35, left + 64, 104) for left in (20, 102 + apart)]
    named = np.eye(10, dtype=np.float32)[[7, 7, 1]]
    found = Found(np.array([*sevens, walls], np.float32), np.full(3, 0.99, np.float32), named, 1.0)
    monkeypatch.setattr(many, "find_closely", lambda image: found)
    any_digit = np.full(10, 0.1, np.float32)
    assert text_of(read_many(image, lambda images: np.tile(any_digit, (len(images), 1)))) == "77"


def test_a_plus_and_an_equals_sign_are_no_digits() -> None:
    image = page("4823", gap=50)
    boxes = [digit.box for digit in read_many(image, nearest)[0]]
    plus, equals = (boxes[n][0] + boxes[n][2] + 25 for n in (0, 2))
    draw = ImageDraw.Draw(image)
    draw.line([(plus - 14, 50), (plus + 14, 50)], fill=0, width=6)
    draw.line([(plus, 36), (plus, 64)], fill=0, width=6)
    draw.line([(equals - 13, 44), (equals + 13, 44)], fill=0, width=6)
    draw.line([(equals - 13, 58), (equals + 13, 58)], fill=0, width=6)
    assert text_of(read_many(image, nearest)) == "4823"


def test_a_broken_stroke_is_one_digit() -> None:
    image = page("0")
    ImageDraw.Draw(image).rectangle((0, 44, 200, 50), fill=255)
    assert len(read_many(image, nearest)[0]) == 1


def test_a_blank_page_holds_no_digits() -> None:
    assert read_many(Image.new("RGB", (200, 100), "white"), nearest) == []


@given(
    pixels=arrays(np.uint8, st.tuples(st.integers(1, 30), st.integers(1, 30))),
    colour=st.booleans(),
)
@settings(max_examples=15, deadline=None)
def test_any_picture_is_read_the_same_each_time(pixels: np.ndarray, colour: bool) -> None:
    image = Image.fromarray(pixels)
    if colour:
        image = Image.merge("RGB", (image, image.rotate(180), image))
    lines = read_many(image, nearest)
    assert text_of(lines) == text_of(read_many(image, nearest))
    for digit in (digit for line in lines for digit in line):
        left, top, width, height = digit.box
        assert 0 <= left < left + width <= image.width
        assert 0 <= top < top + height <= image.height


@pytest.mark.parametrize("paper", ["white", "gold"])
def test_digits_in_a_long_low_box_are_whole(paper: str) -> None:
    page_of_ten = page("3141234171", gap=14).crop((0, 0, 620, 100))
    image = Image.new("RGB", (660, 150), "white")
    ImageDraw.Draw(image).rectangle((18, 23, 641, 126), fill=paper, outline="black", width=2)
    ink = page_of_ten.crop((0, 4, 620, 100))
    image.paste("navy", (20, 27), ink.point(lambda level: 255 - level))
    (line,) = read_many(image, nearest)
    assert len(line) == 10
    assert all(digit.box[3] > 50 for digit in line)


def test_what_the_classifier_does_not_recognise_is_read_by_the_detector_where_it_is_sure() -> None:
    def blind(images: np.ndarray) -> np.ndarray:
        return np.full((len(images), 10), 0.001, np.float32)

    lines = read_many(page("4071", gap=20), blind)
    assert text_of(lines) == "4071"
    sure = read_many(page("4071", gap=20), nearest)
    for unseen, seen in zip(lines[0], sure[0], strict=True):
        assert unseen.confidence < seen.confidence


def test_small_print_beside_the_writing_is_not_read() -> None:
    image = Image.new("L", (620, 200), 255)
    image.paste(page("405"), (0, 60))
    image.paste(page("123").resize((155, 32)), (10, 5))
    assert text_of(read_many(image, nearest)) == "405"


def test_a_digit_that_was_found_a_second_time_within_itself_is_read_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image = page("4071", gap=20)
    found = many.find_closely(image)
    seven = found.boxes[found.probabilities.argmax(axis=1) == 7][:1]
    again = Found(
        np.concatenate([found.boxes, seven + np.float32([2, 2, -2, -2])]),
        np.append(found.scores, np.float32(0.9)),
        np.concatenate([found.probabilities, found.probabilities[:1]]),
        found.scale,
    )
    monkeypatch.setattr(many, "find_closely", lambda image: again)
    assert text_of(read_many(image, nearest)) == "4071"


def test_digits_side_by_side_have_each_its_own_ink(monkeypatch: pytest.MonkeyPatch) -> None:
    image = Image.new("L", (140, 120), 255)
    draw = ImageDraw.Draw(image)
    for left in (22, 62):
        draw.ellipse((left, 22, left + 56, 98), outline=0, width=6)
    boxes = np.array([(22, 22, 79, 99), (62, 22, 119, 99)], np.float32)
    found = Found(boxes, np.full(2, 0.99, np.float32), np.full((2, 10), 0.1, np.float32), 1.0)
    monkeypatch.setattr(many, "find_closely", lambda image: found)
    [[first, second]] = read_many(image, nearest)
    assert first.box[0] + first.box[2] <= second.box[0] + 2
