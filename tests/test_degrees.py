"""Degree signs behind numbers: they are told from zeros by how they stand, and are no digits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import ImageFont
from typeset import typeset

from digitcli import classifiers, runs
from digitcli.reading.degrees import find_degrees
from digitcli.reading.find import Found
from digitcli.reading.likelihood import UNCERTAIN
from digitcli.reading.numbers import read_numbers
from digitcli.reading.words import without

PROBABILITIES = classifiers.load(runs.BUNDLED).probabilities
FONT = ImageFont.load_default(48)
SIZE = (120, 80)


def found(*boxes: tuple[float, float, float, float], digits: str) -> Found:
    named = np.eye(10, dtype=np.float32)[[int(digit) for digit in digits]]
    return Found(np.array(boxes, np.float32), np.ones(len(boxes), np.float32), named, 1.0)


@pytest.mark.parametrize("text", ["180", "45", "21.5"])
def test_a_degree_sign_is_no_digit_and_its_number_is_marked(text: str) -> None:
    (number,) = read_numbers(typeset(f"{text}°", FONT, margin=30), PROBABILITIES)
    assert number.full == text
    assert number.confidence < UNCERTAIN


def test_a_small_raised_ring_is_found_with_some_paper_but_nothing_of_the_digit() -> None:
    (box,) = find_degrees(found((0, 0, 30, 50), (31, -2, 51, 18), digits="50"), SIZE)
    left, top, right, bottom = box
    assert 30 <= left <= 31
    assert 51 < right < 60
    assert top == 0
    assert 18 < bottom < 25


@pytest.mark.parametrize(
    ("second", "digit"),
    [
        ((31, 0, 60, 50), "0"),  # as tall
        ((31, 30, 51, 50), "0"),  # low, as a small 0 is written
        ((31, 0, 51, 20), "6"),  # no ring
        ((31, 0, 41, 20), "0"),  # not round
        ((90, 0, 110, 20), "0"),  # far from it
        ((31, -30, 51, -10), "0"),  # in the line above
        ((5, 0, 25, 20), "0"),  # in the digit
    ],
)
def test_other_zeros_are_digits(second: tuple[int, int, int, int], digit: str) -> None:
    assert find_degrees(found((0, 0, 30, 50), second, digits=f"5{digit}"), SIZE) == []


@given(st.floats(-20, 110), st.floats(-20, 70), st.floats(5, 60), st.floats(0.25, 0.62), st.floats(-0.3, 0.6))
def test_what_is_painted_over_is_part_of_the_picture_and_has_the_middle_of_the_ring(
    left: float, top: float, tall: float, small: float, gap: float
) -> None:
    start, side = left + (0.6 + gap) * tall, small * tall
    middle = start + side / 2, top + side / 2
    assume(0 <= middle[0] < SIZE[0] - 1 and 0 <= middle[1] < SIZE[1] - 1)  # as all that the detector finds
    both = found(
        (left, top, left + 0.6 * tall, top + tall), (start, top, start + side, top + side), digits="50"
    )
    for box in find_degrees(both, SIZE):
        assert 0 <= box[0] < box[2] <= SIZE[0]
        assert 0 <= box[1] < box[3] <= SIZE[1]
        assert len(without(both, [box])) == 1


def test_raised_cents_are_digits() -> None:
    assert find_degrees(found((0, 0, 30, 50), (31, 0, 51, 20), (52, 0, 72, 20), digits="500"), SIZE) == []


def test_a_ring_alone_is_a_zero() -> None:
    assert find_degrees(found((0, 0, 20, 20), digits="0"), SIZE) == []
