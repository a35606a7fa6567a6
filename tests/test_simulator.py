from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from digitcli.simulator import HELD_OUT, KINDS, NOT_DIGITS, Picture, mixed, not_digits, picture
from digitcli.simulator.forms import in_cells
from digitcli.simulator.kinds import HELD_OUT_PARTS
from digitcli.simulator.papers import PAPERS
from digitcli.simulator.pens import PENS
from digitcli.simulator.signs import sign
from digitcli.simulator.styles import STYLES
from digitcli.simulator.writing import AMBIGUOUS, UPSTROKES, handwritten, is_clear, scribble

SMALL = [name for name in KINDS if "huge" not in name]
"""Kinds that are drawn in a moment."""

PLAIN = ["paint pencil 1 px", "paint brush", "soft brush", "28x28 dark on light", "tiny", "low contrast"]
"""Kinds on white paper, where whatever is not white is ink."""


def draw(kind: str, text: str = "7", seed: int = 0) -> Picture:
    return picture(kind, text, np.random.default_rng(seed))


def pixels(drawn: Picture) -> NDArray[np.uint8]:
    return np.asarray(drawn.image)


@pytest.mark.parametrize("kind", SMALL)
def test_every_kind_draws_its_digit_inside_the_picture(kind: str) -> None:
    drawn = draw(kind, "4", seed=1)
    width, height = drawn.image.size
    assert drawn.image.mode in ("RGB", "RGBA")
    assert drawn.text == "4"
    assert len(drawn.boxes) == 1
    x, y, w, h = drawn.boxes[0]
    assert 0 <= x < x + w <= width
    assert 0 <= y < y + h <= height
    assert np.ptp(pixels(drawn)[y : y + h, x : x + w].astype(int), axis=(0, 1)).max() > 20


def test_a_digit_is_no_taller_than_asked_for() -> None:
    heights = [
        picture("soft brush", "1", np.random.default_rng(seed), tallest=80).boxes[0][3] for seed in range(9)
    ]
    assert 60 <= min(heights) <= max(heights) <= 100


def test_a_huge_picture_is_huge() -> None:
    assert max(draw("huge").image.size) > 1500


@pytest.mark.parametrize("kind", ["paint brush", "lined paper", "photo of a screen", "dry pen, scanned"])
def test_the_same_seed_gives_the_same_picture_and_another_seed_another(kind: str) -> None:
    first, again, other = draw(kind), draw(kind), draw(kind, seed=1)
    assert np.array_equal(pixels(first), pixels(again))
    assert first.boxes == again.boxes
    assert not np.array_equal(pixels(first), pixels(other))


@pytest.mark.parametrize("kind", PLAIN)
@pytest.mark.parametrize("text", ["8", "2024", "31\n475"])
def test_boxes_hold_all_the_ink(kind: str, text: str) -> None:
    drawn = draw(kind, text, seed=2)
    ink = (pixels(drawn) < 240).any(axis=2)
    for x, y, w, h in drawn.boxes:
        assert ink[y : y + h, x : x + w].any()
        ink[max(y - 1, 0) : y + h + 1, max(x - 1, 0) : x + w + 1] = False
    assert not ink.any()


def test_boxes_follow_the_writing_through_a_camera() -> None:
    drawn = draw("steep angle", "1", seed=3)
    grey = pixels(drawn).min(axis=2).astype(int)
    x, y, w, h = drawn.boxes[0]
    outside = np.delete(np.delete(grey, slice(y, y + h), axis=0), slice(x, x + w), axis=1)
    assert np.percentile(grey[y : y + h, x : x + w], 2) < outside.min()


@settings(max_examples=15, deadline=None)
@given(
    kind=st.sampled_from(["soft brush", "tiny", "fax", "form box", "28x28 light on dark"]),
    lines=st.lists(st.text("0123456789", min_size=1, max_size=6), min_size=1, max_size=3),
    seed=st.integers(0, 2**32),
)
def test_numbers_have_a_box_for_each_digit_in_reading_order(kind: str, lines: list[str], seed: int) -> None:
    drawn = draw(kind, "\n".join(lines), seed)
    boxes = iter(drawn.boxes)
    tops = []
    for line in lines:
        in_line = [next(boxes) for _ in line]
        assert [x for x, *_ in in_line] == sorted(x for x, *_ in in_line)
        tops.append(max(y for _, y, *_ in in_line))
    assert not list(boxes)
    assert tops == sorted(tops)


@pytest.mark.parametrize("kind", ["28x28 dark on light", "28x28 light on dark"])
def test_drawings_of_28x28_have_that_size(kind: str) -> None:
    assert {draw(kind, str(digit), digit).image.size for digit in range(10)} == {(28, 28)}


def test_a_pencil_of_one_pixel_is_either_ink_or_paper() -> None:
    assert np.unique(pixels(draw("paint pencil 1 px"))).tolist() == [0, 255]


@pytest.mark.parametrize("seed", range(4))
def test_equally_bright_colours_vanish_in_grey(seed: int) -> None:
    drawn = draw("equally bright colours", "8", seed)
    assert np.ptp(pixels(drawn).astype(int), axis=(0, 1)).max() > 100
    assert np.ptp(np.asarray(drawn.image.convert("L")).astype(int)) < 20


def test_transparent_pictures_hold_nothing_but_ink() -> None:
    alpha = np.asarray(draw("transparent, dark ink").image.getchannel("A"))
    assert 0 < (alpha > 0).mean() < 0.5


@pytest.mark.parametrize(("touching", "meet"), [(0.0, False), (1.0, True)])
@pytest.mark.parametrize("seed", range(3))
def test_neighbours_touch_if_asked_to(touching: float, meet: bool, seed: int) -> None:
    drawn = picture("paint brush", "20856", np.random.default_rng(seed), touching=touching)
    pairs = itertools.pairwise(drawn.boxes)
    assert {start <= left + width + 1 for (left, _, width, _), (start, *_) in pairs} == {meet}


@pytest.mark.parametrize("kind", NOT_DIGITS)
def test_pictures_without_digits_have_no_text(kind: str) -> None:
    rng = np.random.default_rng(0)
    for _ in range(3):
        drawn = not_digits(kind, rng)
        assert drawn.text == ""
        assert drawn.boxes == []
        assert min(drawn.image.size) >= 4


def test_any_scribble_can_be_drawn() -> None:
    for seed in range(3000):
        assert all(np.isfinite(stroke).all() for stroke in scribble(np.random.default_rng(seed)))


def test_ways_of_writing_that_are_left_out_exist() -> None:
    assert UPSTROKES.keys() <= {style.name for style in STYLES[1]}
    for digit, names in AMBIGUOUS.items():
        assert {style.name for style in STYLES[digit]} > set(names)


def strokes(*paths: list[tuple[float, float]]) -> list[NDArray[np.float32]]:
    """Straight from point to point, with as many points as a pen leaves."""
    pieces = [[np.linspace(a, b, 20) for a, b in itertools.pairwise(path)] for path in paths]
    return [np.concatenate(piece).astype(np.float32) for piece in pieces]


@pytest.mark.parametrize(
    ("one", "seven", "glyph"),
    [
        (True, False, strokes([(0.3, 0), (0.3, 1)])),
        (True, False, strokes([(0, 0.4), (0.4, 0), (0.4, 1)])),  # a long upstroke
        (True, False, strokes([(0.25, 0.05), (0.35, 0), (0.35, 1)])),  # hardly any
        (False, True, strokes([(0, 0.05), (0.5, 0), (0.3, 1)])),
        (False, False, strokes([(0, 0.3), (0.5, 0), (0.3, 1)])),  # either of both
        (False, False, strokes([(0.2, 0.02), (0.5, 0), (0.4, 1)])),  # a short top, which may be a flag
        (True, True, strokes([(0, 0.3), (0.5, 0), (0.3, 1)], [(0, 0.5), (0.6, 0.5)])),  # with a bar or foot
    ],
)
def test_a_one_rises_steeply_and_a_seven_begins_level(
    one: bool, seven: bool, glyph: list[NDArray[np.float32]]
) -> None:
    assert (is_clear(1, glyph), is_clear(7, glyph)) == (one, seven)


@pytest.mark.parametrize("digit", range(10))
def test_what_is_handwritten_is_clear_and_stands_on_its_line(digit: int) -> None:
    for seed in range(20):
        glyph = handwritten(digit, np.random.default_rng(seed))
        assert is_clear(digit, glyph)
        heights = np.concatenate(glyph)[:, 1]
        assert heights.max() == pytest.approx(1)
        assert heights.min() > -0.01


def test_signs_stand_about_their_line_and_are_no_larger_than_digits() -> None:
    for seed in range(100):
        low, high = (
            edge(np.concatenate(sign(np.random.default_rng(seed))), axis=0) for edge in (np.min, np.max)
        )
        assert -0.7 < low[1] < high[1] < 1.8
        assert high[0] - low[0] < 1


@pytest.mark.parametrize("seed", range(8))
def test_each_digit_of_a_form_has_a_cell_of_its_own(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lines = [[handwritten(digit, rng) for digit in line] for line in ((4, 0, 8), (2, 2))]
    placed, walls = in_cells(lines, 0.1, rng)
    assert len(placed) == 5
    upright = sorted({float(wall[0, 0]) for wall in walls if wall[0, 0] == wall[1, 0]})
    tops = [float(np.concatenate(glyph)[:, 1].min()) for glyph in placed]
    assert max(tops[:3]) < min(tops[3:])
    middles = [float(np.concatenate(glyph)[:, 0].mean()) for glyph in placed[:3]]
    for left, right in itertools.pairwise(middles):
        assert any(left < wall < right for wall in upright)
    assert upright[0] < middles[0]
    assert middles[-1] < upright[-1]


def test_an_empty_form_has_walls_and_no_digits() -> None:
    drawn = not_digits("blank", np.random.default_rng(0), ("cells of a form",))
    assert (drawn.text, drawn.boxes) == ("", [])
    assert np.ptp(pixels(drawn)) > 20


@pytest.mark.parametrize("seed", range(6))
def test_a_ring_goes_round_all_lines_without_crossing_a_digit_or_leaving_the_picture(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ringed = draw("circled", "60481\n2593\n70356", seed)
    monkeypatch.setitem(KINDS, "circled", replace(KINDS["circled"], steps=()))
    plain = draw("circled", "60481\n2593\n70356", seed)
    drawn = pixels(ringed).min(axis=2) < 128
    assert not drawn[[0, -1]].any()
    assert not drawn[:, [0, -1]].any()
    (left, top), (right, bottom) = _hull(ringed)
    assert drawn[top:bottom, :left].any()
    assert drawn[top:bottom, right:].any()
    assert drawn[:top, left:right].any()
    assert drawn[bottom:, left:right].any()
    (left_before, top_before), (right_before, bottom_before) = _hull(plain)
    before = pixels(plain)[top_before:bottom_before, left_before:right_before].min(axis=2) < 128
    assert np.mean(drawn[top:bottom, left:right] != before) < 0.002


def _hull(of: Picture) -> NDArray[np.intp]:
    """Left and top, right and bottom of all digits."""
    boxes = np.array(of.boxes)
    return np.stack([boxes[:, :2].min(axis=0), (boxes[:, :2] + boxes[:, 2:]).max(axis=0)])


def test_nothing_has_no_ring_round_it_which_would_be_a_zero() -> None:
    drawn = pixels(not_digits("blank", np.random.default_rng(0), ("circled",)))
    assert np.ptp(drawn) == 0


def test_held_out_kinds_are_those_with_a_held_out_part_and_no_other_kind_has_one() -> None:
    assert KINDS.keys() > HELD_OUT
    for name, kind in KINDS.items():
        assert (name in HELD_OUT) == bool(HELD_OUT_PARTS & {kind.pen, kind.paper, *kind.steps})


def test_a_pen_a_paper_a_lamp_a_camera_and_a_setting_are_held_out() -> None:
    modules = {part.__module__ for part in HELD_OUT_PARTS if not isinstance(part, str)}
    assert HELD_OUT_PARTS & PENS.keys()
    assert HELD_OUT_PARTS & PAPERS.keys()
    assert modules == {f"digitcli.simulator.{name}" for name in ("lamps", "cameras", "settings")}


def test_every_pen_and_paper_is_in_use() -> None:
    assert {kind.pen for kind in KINDS.values()} == PENS.keys()
    assert {kind.paper for kind in KINDS.values()} == PAPERS.keys()


def test_letters_and_signs_between_digits_have_no_boxes_and_are_not_in_the_text() -> None:
    drawn = [mixed("soft brush", "42\n7", np.random.default_rng(seed), tallest=60) for seed in range(8)]
    for each in drawn:
        assert each.text == "42\n7"
        assert len(each.boxes) == 3
    widths = [each.image.width for each in drawn]
    alone = [picture("soft brush", "42\n7", np.random.default_rng(seed), tallest=60) for seed in range(8)]
    assert sum(widths) > 1.3 * sum(each.image.width for each in alone)
