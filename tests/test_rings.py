"""Rings drawn round a digit."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageDraw

from digitcli.images.preprocess import readings, to_mnist
from digitcli.images.rings import inside_ring

SEVEN = [(66, 58), (116, 60), (87, 134)]


def drawn(*lines: list[tuple[float, float]], width: int = 8) -> Image.Image:
    image = Image.new("L", (190, 190), 255)
    for line in lines:
        ImageDraw.Draw(image).line(line, fill=0, width=width, joint="curve")
    return image


def ring(
    across: float = 70, down: float = 78, *, open_for: float = 0.0, start: float = 0.0, uneven: float = 0.0
) -> list[tuple[float, float]]:
    """Points about the middle of `drawn`. open_for: share of the turn; uneven: of the size."""
    turns = np.linspace(start, start + 1 - open_for, 80) * 2 * math.pi
    size = 1 + uneven * np.sin(2 * turns)
    points = zip(94 + across * size * np.cos(turns), 96 + down * size * np.sin(turns), strict=True)
    return [(float(x), float(y)) for x, y in points]


def mask(image: Image.Image) -> np.ndarray:
    return np.asarray(image) < 128


@given(
    across=st.floats(62, 80),
    down=st.floats(62, 85),
    open_for=st.floats(0, 0.06),
    start=st.floats(0, 1),
    uneven=st.floats(0, 0.04),
    width=st.integers(1, 8),
)
@settings(max_examples=60, deadline=None)
def test_what_is_inside_a_ring_is_found_to_the_pixel(
    across: float, down: float, open_for: float, start: float, uneven: float, width: int
) -> None:
    circle = ring(across, down, open_for=open_for, start=start, uneven=uneven)
    found = inside_ring(mask(drawn(SEVEN, circle, width=width)))
    assert found is not None
    assert np.array_equal(found, mask(drawn(SEVEN, width=width)))


def test_a_circled_digit_is_read_without_its_ring() -> None:
    assert np.array_equal(to_mnist(drawn(SEVEN, ring())), to_mnist(drawn(SEVEN)))


def test_where_a_digit_touches_its_ring_it_is_seen_with_the_ring_first_and_then_without() -> None:
    touching = ring(40, 60)
    whole, without, *_ = readings(drawn(SEVEN, touching))
    assert whole.name == "even light"
    assert without.name == "even light, inside the ring"
    assert without.box[2] < whole.box[2]
    assert without.box[3] < whole.box[3]


@pytest.mark.parametrize(
    "strokes",
    [
        pytest.param([ring()], id="0"),
        pytest.param([ring(), [(94, 90), (94, 102)]], id="0 with a dot"),
        pytest.param([[*ring(), *ring(58, 66)[:40]]], id="0 that goes on within"),
        pytest.param([ring(40, 40), [(x, y - 75) for x, y in ring(32, 36)]], id="8"),
        pytest.param([[(110, 20), (70, 60), (58, 110)], ring(36, 36)], id="6"),
        pytest.param([ring(70, 78, open_for=0.4), SEVEN], id="a wide arc about a 7"),
        pytest.param([SEVEN], id="7"),
        pytest.param([], id="nothing"),
    ],
)
def test_what_is_no_ring_or_holds_nothing_is_left_whole(strokes: list[list[tuple[float, float]]]) -> None:
    assert inside_ring(mask(drawn(*strokes))) is None


@given(arrays(np.bool_, st.tuples(st.integers(1, 60), st.integers(1, 60))))
@settings(max_examples=100, deadline=None)
def test_whatever_the_mask_what_is_inside_is_a_part_of_it(any_mask: np.ndarray) -> None:
    found = inside_ring(any_mask)
    assert found is None or (found.any() and not (found & ~any_mask).any())
