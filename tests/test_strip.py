"""How a part of a picture comes to the line reader."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from digitcli.reading.strip import HEIGHT, STEP, WIDEST, grey, strip

DARK_ON_LIGHT = np.full((60, 200), 230, np.uint8)
DARK_ON_LIGHT[10:50, 30:40] = 40
DARK_ON_LIGHT[10:50, 120:160] = 40


@given(arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=70)))
def test_any_picture_becomes_a_strip(pixels: np.ndarray) -> None:
    seen = strip(pixels)
    assert seen.dtype == np.uint8
    assert seen.shape[0] == HEIGHT
    assert seen.shape[1] % STEP == 0
    assert HEIGHT // 2 <= seen.shape[1] <= WIDEST


@pytest.mark.parametrize("size", [(1, 5000), (5000, 1), (1, 1)])
def test_extreme_proportions_are_bounded(size: tuple[int, int]) -> None:
    assert strip(np.zeros(size, np.uint8)).shape[1] <= WIDEST


def test_ink_is_bright_whichever_way_round_it_was() -> None:
    seen, of_negative = strip(DARK_ON_LIGHT), strip(255 - DARK_ON_LIGHT)
    assert np.abs(seen.astype(int) - of_negative).max() <= 1
    assert seen[HEIGHT // 2, 28] > 240  # in the first stroke
    assert seen[HEIGHT // 2, 60] < 15


@given(st.floats(0.15, 1), st.integers(0, 100))
def test_contrast_does_not_matter(contrast: float, brightness: int) -> None:
    faint = (DARK_ON_LIGHT * (contrast * 0.6) + brightness).astype(np.uint8)
    assert np.abs(strip(faint).astype(int) - strip(DARK_ON_LIGHT)).mean() < 12


@pytest.mark.parametrize(
    ("paper", "ink"),
    [
        ((0, 0, 0), (200, 0, 0)),
        ((0, 160, 0), (0, 0, 255)),
        ((255, 255, 255), (0, 0, 0)),
        ((90, 130, 60), (150, 90, 60)),
    ],
)
def test_colours_that_differ_are_told_apart(paper: tuple[int, int, int], ink: tuple[int, int, int]) -> None:
    pixels = np.full((40, 120, 3), paper, np.uint8)
    pixels[8:32, 40:70] = ink
    seen = strip(grey(Image.fromarray(pixels)))
    assert int(seen[HEIGHT // 2, 66]) - int(seen[HEIGHT // 2, 10]) > 200


def test_a_grey_picture_in_colour_stays_as_it_is() -> None:
    image = Image.fromarray(DARK_ON_LIGHT)
    seen = grey(image.convert("RGB")).astype(int)
    assert np.abs(strip(seen.astype(np.uint8)).astype(int) - strip(DARK_ON_LIGHT)).max() <= 3


@pytest.mark.parametrize("times", [7, 13, 40])
def test_a_picture_of_many_pixels_becomes_the_strip_of_a_small_one(times: int) -> None:
    small = Image.fromarray(DARK_ON_LIGHT)
    large = small.resize((times * small.width, times * small.height), Image.Resampling.NEAREST)
    seen = grey(large)
    assert HEIGHT <= seen.shape[0] < 8 * HEIGHT
    assert np.abs(strip(seen).astype(int) - strip(grey(small))).mean() < 4


@given(arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=40).map(lambda shape: (*shape, 3))))
def test_any_coloured_picture_has_a_grey(pixels: np.ndarray) -> None:
    seen = grey(Image.fromarray(pixels))
    assert (seen.shape, seen.dtype) == (pixels.shape[:2], np.uint8)


def test_strokes_are_seen_in_their_colour_whatever_lies_beside_the_paper() -> None:
    plate = np.full((60, 300, 3), (140, 90, 250), np.uint8)
    plate[15:45, 60:66] = plate[15:45, 150:156] = plate[15:45, 240:246] = (120, 200, 240)
    plate[:, :12] = plate[:, -12:] = 0  # a dark desk at both ends
    seen = grey(Image.fromarray(plate)).astype(int)
    paper, stroke = seen[30, 100], seen[30, 153]
    assert abs(stroke - paper) > 0.3 * np.ptp(seen)


@pytest.mark.parametrize(
    ("wood", "streaks", "pen"),
    [
        ((130, 90, 70), 1, (140, 60, 130)),
        ((120, 80, 50), 4, (80, 40, 110)),  # darker in red, lighter in blue, beside a few bright streaks
    ],
)
def test_the_grain_of_wood_is_hardly_seen_beside_a_pen_of_another_colour(
    wood: tuple[int, int, int], streaks: int, pen: tuple[int, int, int]
) -> None:
    rng = np.random.default_rng(0)
    bright = rng.uniform(0, 1, (60, 1, 1)).repeat(200, axis=1) ** streaks
    grain = bright * (60, 48, 36)
    stroke = np.zeros((60, 200), bool)
    stroke[12:48, 40:46] = stroke[12:48, 90:96] = stroke[12:48, 150:156] = True
    pixels = grain + np.where(stroke[..., None], pen, wood)
    seen = grey(Image.fromarray(pixels.astype(np.uint8))).astype(float)
    away = abs(np.median(seen[stroke]) - np.median(seen[~stroke]))
    assert away > 10 * seen[~stroke].std()


def test_a_slight_tint_of_the_ink_does_not_count_for_more_than_its_darkness() -> None:
    rng = np.random.default_rng(0)
    stroke = np.zeros((48, 200), bool)
    stroke[10:38, 40:46] = stroke[10:38, 90:96] = stroke[10:38, 150:156] = True
    uneven = rng.normal(0, 20, (48, 200, 1))  # as in a small JPEG, in brightness more than in colour
    tints = rng.normal(0, 1.5, (48, 200, 3))
    pixels = 190 + uneven + tints - 90 * stroke[..., None] + stroke[..., None] * np.array([20, 0, -20])
    coloured = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    brightness = np.asarray(coloured.convert("L"), float)
    assert np.corrcoef(grey(coloured).ravel(), brightness.ravel())[0, 1] > 0.97
