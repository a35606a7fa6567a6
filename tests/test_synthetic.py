from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from digitcli.data import synthetic
from digitcli.data.digits import Digits
from digitcli.simulator.strokes import handwrite, strokes
from digitcli.simulator.styles import STYLES, Style

ALL_STYLES = [(digit, style.name) for digit, styles in STYLES.items() for style in styles]


@pytest.fixture(scope="module")
def thousand() -> Digits:
    return synthetic.generate(1000, seed=3)


def longest_sides(images: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Of each picture's ink; only pixels that anyone would see count."""
    ink = images > 12
    return np.maximum(extents(ink.any(axis=2)), extents(ink.any(axis=1)))


def extents(lines: NDArray[np.bool_]) -> NDArray[np.intp]:
    return lines.shape[1] - lines[:, ::-1].argmax(axis=1) - lines.argmax(axis=1)


def off_centre(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Distance of each centre of mass from the middle of the picture along x and y, in pixels; (n, 2)."""
    at = np.arange(28) - 13.5
    mass = images.sum(axis=(1, 2), dtype=float)
    return np.stack([images.sum(axis=1) @ at, images.sum(axis=2) @ at], axis=1) / mass[:, None]


def test_the_same_count_and_seed_give_the_same_digits(thousand: Digits) -> None:
    again = synthetic.generate(1000, seed=3)
    assert again.sha256 == thousand.sha256


def test_another_seed_gives_other_digits(thousand: Digits) -> None:
    assert synthetic.generate(1000, seed=4).sha256 != thousand.sha256


def test_every_digit_is_equally_frequent_and_the_order_is_shuffled(thousand: Digits) -> None:
    assert np.bincount(thousand.labels).tolist() == [100] * 10
    tens = thousand.labels.reshape(-1, 10)
    assert any(len(set(ten)) < 8 for ten in tens.tolist())
    assert len({tuple(ten) for ten in tens.tolist()}) == len(tens)


def test_no_two_digits_are_alike(thousand: Digits) -> None:
    assert len(np.unique(thousand.images, axis=0)) == len(thousand)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 30))
def test_any_seed_gives_pictures_in_the_geometry_of_mnist(seed: int, count: int) -> None:
    digits = synthetic.generate(count, seed)
    assert digits.images.shape == (count, 28, 28)
    assert digits.images.dtype == digits.labels.dtype == np.uint8
    assert np.ptp(np.bincount(digits.labels, minlength=10)) <= 1
    assert np.all(abs(longest_sides(digits.images) - 20) <= 1)
    assert np.all(abs(off_centre(digits.images)) <= 1)


def test_ink_is_saturated_in_the_core_and_soft_at_the_edge(thousand: Digits) -> None:
    assert np.median(thousand.images.max(axis=(1, 2))) == 255
    ink = thousand.images[thousand.images > 0]
    assert 0.3 < np.mean(ink > 224) < 0.7
    assert np.mean((ink > 32) & (ink < 224)) > 0.2


def test_pens_range_from_a_hair_to_a_marker() -> None:
    widths = synthetic.pen_widths(5000, np.random.default_rng(0))
    assert 0.8 <= widths.min() < 1.1
    assert 4.5 < widths.max() <= 5
    assert 2 < np.median(widths) < 3


@pytest.mark.parametrize("width", [1.0, 2.5, 4.5])
def test_a_line_is_drawn_as_wide_as_the_pen(width: float) -> None:
    line = np.stack([np.zeros(50), np.linspace(0, 1, 50)], axis=1)
    path = np.repeat(line[None].astype(np.float32), 40, axis=0)
    images = synthetic.render(path, np.full(40, width, np.float32), np.random.default_rng(0))
    across = images[:, 10:18].sum(axis=2).mean() / 255
    assert across == pytest.approx(width, rel=0.15)


@pytest.mark.parametrize(("digit", "style"), ALL_STYLES)
def test_every_style_is_drawn_as_connected_strokes_in_a_unit_box(digit: int, style: str) -> None:
    lines = strokes(digit, np.random.default_rng(0), style)
    points = np.concatenate(lines)
    assert points.min(axis=0) == pytest.approx([0, 0])
    assert points.max() == pytest.approx(1)
    for line in lines:
        assert np.linalg.norm(np.diff(line, axis=0), axis=1).max() < 0.12


@pytest.mark.parametrize(("digit", "style"), [(7, "barred"), (4, "open"), (5, "separate bar")])
def test_a_pen_that_is_lifted_leaves_two_strokes(digit: int, style: str) -> None:
    assert len(strokes(digit, np.random.default_rng(0), style)) == 2


def test_a_digit_without_a_chosen_style_is_written_in_several() -> None:
    rng = np.random.default_rng(0)
    assert {len(strokes(7, rng)) for _ in range(30)} == {1, 2}


def test_a_style_is_never_written_twice_alike() -> None:
    first, second = handwrite(STYLES[3][0], 2, np.random.default_rng(0))
    assert abs(first - second).max() > 0.02


@pytest.mark.parametrize("style", [style for styles in STYLES.values() for style in styles])
def test_skeletons_of_a_style_agree_in_their_points_corners_and_strokes(style: Style) -> None:
    assert len({re.sub(r"[-\d]+,[-\d]+", "point", skeleton) for skeleton in style.skeletons}) == 1


def test_names_of_styles_are_unique_within_a_digit() -> None:
    assert len(set(ALL_STYLES)) == len(ALL_STYLES)


def test_training_and_test_digits_of_the_data_set_differ() -> None:
    data = synthetic.dataset(seed=5, train=30, test=30)
    assert data.train is not None
    assert data.test is not None
    assert (len(data.train), len(data.test)) == (30, 30)
    assert "5" in data.origin
    assert not {image.tobytes() for image in data.train.images} & {
        image.tobytes() for image in data.test.images
    }
