"""Finding the part of a picture that is a digit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from digitcli.images.preprocess import to_mnist
from digitcli.images.search import MOST, search
from digitcli.simulator import picture


def overlap(a: tuple[int, ...], b: list[int]) -> float:
    """Intersection over union of two boxes of left, top, width, height."""
    across = max(0, min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0]))
    down = max(0, min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1]))
    return across * down / (a[2] * a[3] + b[2] * b[3] - across * down)


@pytest.mark.parametrize(
    "kind", ["circled", "underlined", "badge", "note on a table", "drawing program", "edge of a scan"]
)
def test_the_digit_is_among_the_parts_whatever_is_around_it(kind: str) -> None:
    drawn = [picture(kind, "5", np.random.default_rng(seed)) for seed in range(8)]
    best = [
        max((overlap(part.box, each.boxes[0]) for part in search(each.image)), default=0) for each in drawn
    ]
    assert sum(share > 0.7 for share in best) >= 5


def test_a_part_looks_as_if_it_were_alone_in_its_picture() -> None:
    alone = Image.new("L", (120, 120), 255)
    alone.paste(0, (50, 20, 62, 100))
    page = Image.new("L", (400, 300), 90)
    page.paste(alone, (200, 100))
    part = next(part for part in search(page) if overlap(part.box, [250, 120, 12, 80]) > 0.9)
    assert np.abs(part.pixels.astype(int) - to_mnist(alone)).mean() < 2


@pytest.mark.parametrize("size", [(300, 200), (1, 1), (400, 1)])
def test_a_blank_page_has_no_parts(size: tuple[int, int]) -> None:
    assert not list(search(Image.new("RGB", size, "ivory")))
    assert not list(search(Image.new("L", size)))


@settings(max_examples=20)
@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 14), st.integers(1, 14), st.just(3))))
def test_any_picture_has_a_few_parts_that_lie_inside_it(pixels: np.ndarray) -> None:
    pixels = pixels.repeat(4, 0).repeat(4, 1)
    parts = list(search(Image.fromarray(pixels)))
    assert len(parts) <= MOST
    for part in parts:
        left, top, width, height = part.box
        assert 0 <= left < left + width <= pixels.shape[1]
        assert 0 <= top < top + height <= pixels.shape[0]
        assert part.pixels.shape == (28, 28)
        assert part.pixels.any()
