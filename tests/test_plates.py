"""Plates that a digit stands on."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageDraw

from digitcli.images.plates import find_plate, is_cut_out
from digitcli.images.preprocess import readings

SEVEN = [(76, 68), (116, 70), (87, 124)]
DISC = (35, 38, 155, 158)


def badge(ground: str = "white", plate: str = "navy", ink: str = "orange") -> Image.Image:
    image = Image.new("RGB", (190, 190), ground)
    pen = ImageDraw.Draw(image)
    pen.ellipse(DISC, fill=plate)
    pen.line(SEVEN, fill=ink, width=8, joint="curve")
    return image


def seven() -> Image.Image:
    image = Image.new("RGB", (190, 190), "white")
    ImageDraw.Draw(image).line(SEVEN, fill="black", width=8, joint="curve")
    return image


def disc(*boxes: tuple[int, int, int, int], hole: tuple[int, int, int, int] | None = None) -> np.ndarray:
    image = Image.new("1", (190, 190))
    for box in boxes:
        ImageDraw.Draw(image).ellipse(box, fill=1)
    if hole:
        ImageDraw.Draw(image).ellipse(hole, fill=0)
    return np.asarray(image)


@pytest.mark.parametrize("ground", ["white", "black", "orange", "khaki"])
@pytest.mark.parametrize(("plate", "ink"), [("navy", "orange"), ("darkgreen", "white"), ("gold", "black")])
def test_a_digit_on_a_badge_is_one_of_the_likeliest_readings(ground: str, plate: str, ink: str) -> None:
    (plain,) = readings(seven())
    assert any(
        np.abs(each.pixels.astype(int) - plain.pixels).mean() < 3
        and np.abs(np.subtract(each.box, plain.box)).max() <= 2
        for each in islice(readings(badge(ground, plate, ink)), 4)
    )


def test_the_whole_badge_is_read_first_since_it_may_be_a_zero() -> None:
    first, *others = readings(badge())
    assert "plate" not in first.name
    assert any("plate" in each.name for each in others[:2])


def test_an_empty_plate_has_nothing_on_it() -> None:
    assert not any("plate" in each.name for each in readings(badge(ink="navy")))


def test_a_plate_is_full_and_convex_and_no_stroke() -> None:
    assert find_plate(disc(DISC)) is not None
    assert find_plate(disc(DISC, hole=(75, 68, 115, 128))) is not None
    assert find_plate(disc(DISC, hole=(50, 53, 140, 143))) is None  # a ring
    assert find_plate(disc((60, 20, 130, 90), (60, 80, 130, 170))) is None  # a filled 8
    assert find_plate(disc((80, 30, 110, 160))) is None  # slim
    assert find_plate(disc((80, 80, 89, 89))) is None  # small
    assert find_plate(disc()) is None
    assert find_plate(np.eye(40, dtype=bool)) is None  # a line that slants


def test_the_hole_of_a_fat_zero_is_no_sign_and_a_digit_is_one() -> None:
    plate = np.ones((100, 100), bool)
    assert not is_cut_out(~plate)
    hole = Image.new("1", (100, 100))
    ImageDraw.Draw(hole).ellipse((35, 25, 65, 75), fill=1)
    assert not is_cut_out(np.asarray(hole))
    ImageDraw.Draw(hole).ellipse((44, 35, 56, 65), fill=0)  # an island, as in a 0 that is cut out
    assert is_cut_out(np.asarray(hole))
    seven = Image.new("1", (100, 100))
    ImageDraw.Draw(seven).line([(30, 25), (70, 25), (45, 80)], fill=1, width=8)
    assert is_cut_out(np.asarray(seven))
    assert not is_cut_out(np.asarray(seven.resize((9, 9))))  # too few pixels to tell


@given(arrays(np.bool_, st.tuples(st.integers(1, 60), st.integers(1, 60))))
@settings(max_examples=200, deadline=None)
def test_of_any_mask_what_is_on_a_plate_lies_within_the_mask(mask: np.ndarray) -> None:
    plate = find_plate(mask)
    if plate is not None:
        rows, columns = np.nonzero(mask)
        assert plate.any()
        assert not plate[: rows.min() + 1].any()
        assert not plate[rows.max() :].any()
        assert not plate[:, : columns.min() + 1].any()
        assert not plate[:, columns.max() :].any()
