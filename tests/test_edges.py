"""The edge of a picture: what reaches it, and paper beyond it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from digitcli.reading.edges import cropped, reaches_edge


def stroke(left: int, *, paper: Image.Image | None = None) -> Image.Image:
    """A dark stroke that begins so many pixels from the left, on white or other paper, 90x60."""
    image = paper.copy() if paper else Image.new("L", (90, 60), 255)
    image.paste(20, (left, 25, 60, 33))
    return image


def light(brightest: int, darkest: int) -> Image.Image:
    """Paper on which the light fades from left to right."""
    row = np.linspace(brightest, darkest, 90).astype(np.uint8)
    return Image.fromarray(np.tile(row, (60, 1)))


@pytest.mark.parametrize("inverted", [False, True])
def test_ink_is_told_from_paper_at_the_edge(inverted: bool) -> None:
    for left, reaches in ((0, True), (12, False)):
        image = stroke(left)
        assert reaches_edge(ImageOps.invert(image) if inverted else image) == reaches


def test_light_that_fades_is_no_ink_at_the_edge() -> None:
    paper = light(250, 90)
    assert not reaches_edge(stroke(12, paper=paper))
    assert reaches_edge(stroke(0, paper=paper))


@given(st.integers(-40, 40), st.integers(-40, 40), st.integers(1, 150), st.integers(1, 150))
def test_beyond_a_picture_there_is_its_paper(left: int, top: int, width: int, height: int) -> None:
    image = Image.new("L", (50, 30), 200)
    image.paste(20, (20, 10, 30, 20))
    part = cropped(image, (left, top, left + width, top + height))
    assert part.size == (width, height)
    assert set(np.unique(np.asarray(part)).tolist()) <= {20, 200}
