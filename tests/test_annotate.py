from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from digitcli.reading.annotate import Mark, annotated, place


def differing(image: Image.Image, colour: str) -> np.ndarray:
    """Where a copy of a picture of one colour was drawn on: (height, width) bool."""
    return (np.asarray(image) != np.asarray(Image.new("RGB", image.size, colour))).any(axis=2)


def test_a_frame_leaves_the_digit_itself_visible() -> None:
    drawn = differing(annotated(Image.new("L", (600, 400), 255), [Mark("7", (200, 150, 100, 120))]), "white")
    assert not drawn[150:270, 200:300].any()
    assert drawn[140:280, 190:310].any()
    assert not drawn[:, :180].any()


@pytest.mark.parametrize("colour", ["white", "black", "red", "#005ac8", "#c83c00", "#808080"])
@pytest.mark.parametrize("sure", [True, False])
def test_frames_stand_out_from_any_ground(colour: str, sure: bool) -> None:
    copy = annotated(Image.new("RGB", (600, 400), colour), [Mark("7", (200, 150, 100, 120), sure)])
    brightness = np.asarray(copy.convert("L")).astype(int)
    ground = brightness[0, 0]
    assert (abs(brightness[200, 180:200] - ground) > 60).any()


@pytest.mark.parametrize(
    ("size", "expected"), [((28, 28), (308, 308)), ((400, 300), (400, 300)), ((5000, 1000), (1667, 334))]
)
def test_copies_are_neither_tiny_nor_huge(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert annotated(Image.new("L", size), []).size == expected


@given(
    st.lists(st.tuples(*[st.integers(-5, 60)] * 2, *[st.integers(1, 60)] * 2), max_size=3),
    st.tuples(*[st.integers(1, 50)] * 2),
)
def test_any_boxes_can_be_drawn(boxes: list[tuple[int, int, int, int]], size: tuple[int, int]) -> None:
    assert annotated(Image.new("L", size), [Mark("7", box) for box in boxes]).mode == "RGB"


def test_one_copy_goes_to_the_named_file_and_many_mirror_their_folders() -> None:
    assert place(Path("read.png"), "scans/a.jpg") == Path("read.png")
    assert place(Path("out"), "scans/a.jpg") == Path("out/scans/a.jpg.png")
    assert place(Path("out"), "scans/a.png") == Path("out/scans/a.png")
    assert place(Path("out"), "rows.npy[3]") == Path("out/rows.npy[3].png")
    assert place(Path("out"), "-") == Path("out/stdin.png")


@given(st.text(st.sampled_from("/\\.:a-"), min_size=1))
def test_no_name_leads_out_of_the_folder(name: str) -> None:
    assert Path("out") in place(Path("out"), name).parents
    assert ".." not in place(Path("out"), name).parts


def test_no_name_leads_to_another_drive() -> None:
    # Windows would leave the folder for what is joined to it and begins so.
    assert place(Path("out"), "of.zip/c:evil.png") == Path("out/of.zip/c_evil.png")
