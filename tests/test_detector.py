"""Finding digits: the detector as it is bundled, and what it is trained on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from digitcli.convention import CLASSES
from digitcli.data import synthetic
from digitcli.detector import pages, views
from digitcli.detector.pages import PageOfDigits, page
from digitcli.detector.targets import LEAST_SEEN, SMALLEST, targets
from digitcli.detector.views import SIDE, view
from digitcli.reading import find as finding
from digitcli.reading.find import STRIDE, decoded, find
from digitcli.simulator import HELD_OUT, picture

REAL = synthetic.generate(100, seed=8)


def overlaps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes (n, 4) with (m, 4): (n, m)."""
    sides = np.minimum(a[:, None, 2:], b[None, :, 2:]) - np.maximum(a[:, None, :2], b[None, :, :2])
    shared = sides.clip(0, None).prod(axis=2)
    areas_a, areas_b = (np.prod(each[:, 2:] - each[:, :2], axis=1) for each in (a, b))
    return np.asarray(shared / (areas_a[:, None] + areas_b[None] - shared))


def corners(boxes: list[list[int]]) -> np.ndarray:
    """Of [left, top, width, height]."""
    array = np.array(boxes, float).reshape(-1, 4)
    return np.concatenate([array[:, :2], array[:, :2] + array[:, 2:]], axis=1)


@pytest.mark.parametrize(
    "kind", ["soft brush", "circled", "underlined", "note on a table", "hard shadow", "drawing program"]
)
def test_digits_are_found_whatever_is_around_them(kind: str) -> None:
    drawn = [picture(kind, "305", np.random.default_rng(seed), tallest=200) for seed in range(4)]
    best = []
    for each in drawn:
        found = find(each.image.convert("RGB"))
        sure = found.only(found.scores > 0.4)
        best += overlaps(corners(each.boxes), sure.boxes).max(axis=1, initial=0).tolist()
    assert np.mean(np.array(best) > 0.6) >= 0.8


def test_what_was_found_tells_which_digit_it_is() -> None:
    right = []
    for digit in range(CLASSES):
        drawn = picture("soft brush", str(digit), np.random.default_rng(digit), tallest=120)
        found = find(drawn.image, finding.GLANCE)
        right.append(len(found) > 0 and found.probabilities[0].argmax() == digit)
    assert sum(right) >= 9


def test_what_was_found_keeps_its_place_in_a_larger_picture() -> None:
    found = find(picture("soft brush", "4", np.random.default_rng(3), tallest=80).image)
    moved = found.moved(30, 7)
    assert np.allclose(moved.boxes - found.boxes, [30, 7, 30, 7])


@pytest.mark.parametrize("size", [(300, 200), (1, 1), (400, 1)])
def test_nothing_is_found_on_a_blank_page(size: tuple[int, int]) -> None:
    for image in (Image.new("RGB", size, "ivory"), Image.new("L", size)):
        found = find(image)
        assert not (found.scores > 0.3).any()


@settings(max_examples=20, deadline=None)
@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3))))
def test_any_picture_has_boxes_of_some_size_the_surest_first(pixels: np.ndarray) -> None:
    found = find(Image.fromarray(pixels))
    assert (found.boxes[:, 2:] > found.boxes[:, :2]).all()
    assert (np.diff(found.scores) <= 0).all()
    assert ((found.scores >= finding.LEAST) & (found.scores <= 1)).all()
    assert np.allclose(found.probabilities.sum(axis=1), 1, atol=1e-4)


BOXES = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(10, 50), st.integers(16, 50)),
    min_size=1,
    max_size=16,
    unique_by=lambda box: box[:2],
)


@given(BOXES, st.data())
def test_an_answer_as_it_is_wanted_gives_the_boxes_and_digits_back(
    places: list[tuple[int, int, int, int]], data: st.DataObject
) -> None:
    boxes = np.array([(56 * x, 56 * y, 56 * x + w, 56 * y + h) for x, y, w, h in places], np.float32)
    labels = np.array(data.draw(st.lists(st.integers(0, 9), min_size=len(boxes), max_size=len(boxes))))
    found, scores, probabilities = decoded(answer_of(boxes, labels.astype(np.uint8)))
    assert len(found) == len(boxes)
    assert (scores > 0.9).all()
    same = overlaps(boxes, found)
    assert (same.max(axis=1) > 0.99).all()
    assert np.array_equal(probabilities.argmax(axis=1)[same.argmax(axis=1)], labels)


def answer_of(boxes: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """What the network would answer had it learnt everything."""
    wanted = targets(boxes, labels, SIDE)
    answer = np.full((SIDE // STRIDE, SIDE // STRIDE, 15), -9, np.float32)
    answer[..., 0] = np.where(wanted.centres == 1, 9, -9)
    rows, columns = np.nonzero(wanted.labels >= 0)
    answer[rows, columns, 1 + wanted.labels[rows, columns]] = 9
    middles = np.stack([columns, rows], axis=1) + 0.5
    box = wanted.boxes[rows, columns]
    away = np.concatenate([middles - box[:, :2], box[:, 2:] - middles], axis=1)
    answer[rows, columns, 11:] = np.log(away.clip(0.02, None))
    return answer


def test_two_boxes_of_one_digit_are_one() -> None:
    answer = np.full((20, 20, 15), -9, np.float32)
    for row, column, logit in ((5, 5, 4), (5, 7, 3), (15, 15, 2)):
        answer[row, column, 0] = logit
        answer[row, column, 11:] = np.log(4)
    boxes, scores, _ = decoded(answer)
    assert boxes.tolist() == [[6, 6, 38, 38], [46, 46, 78, 78]]
    assert scores[0] > scores[1]


def test_digits_that_are_cut_or_too_small_need_not_be_found() -> None:
    side, least = float(SIDE), SMALLEST
    boxes = np.array(
        [
            (-40 * (1 - LEAST_SEEN) - 1, 50, 40 * LEAST_SEEN - 1, 100),
            (-40 * (1 - LEAST_SEEN) + 1, 150, 40 * LEAST_SEEN + 1, 200),
            (100, 100, 100 + least - 1, 100 + least - 1),
            (side, 10, side + 30, 50),
        ],
        np.float32,
    )
    wanted = targets(boxes, np.array([1, 2, 3, 4], np.uint8), SIDE)
    assert set(wanted.labels.ravel().tolist()) == {-1, 2}
    assert (wanted.counted[50 // STRIDE : 100 // STRIDE, 0] == 0).all()
    assert wanted.counted[100 // STRIDE, 100 // STRIDE] == 0
    assert (wanted.counted[:, -1] == 1).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_boxes_go_with_the_pixels_of_a_view(seed: int) -> None:
    pixels = np.full((300, 420, 3), 255, np.uint8)
    pixels[120:180, 150:190] = 0
    box = np.array([(150, 120, 190, 180)], np.float32)
    seen, boxes = view(PageOfDigits(pixels, box, np.array([1], np.uint8)), np.random.default_rng(seed))
    assert seen.shape == (SIDE, SIDE, 3)
    left, top, right, bottom = boxes[0].round().astype(int)
    if left < 4 or top < 4 or max(right, bottom) > SIDE - 4 or min(right - left, bottom - top) < 12:
        return  # cut by the edge, or too small to compare
    grey = seen.astype(float).mean(axis=2)
    inside = np.median(grey[top + 3 : bottom - 3, left + 3 : right - 3])
    beside = np.median([grey[top:bottom, left - 4], grey[top:bottom, right + 3]])
    assert abs(inside - beside) > 40


def a_page(seed: int) -> PageOfDigits:
    return page(np.random.default_rng(seed), REAL.images, REAL.labels)


def test_a_page_comes_from_its_seed_with_its_boxes_inside() -> None:
    drawn = [a_page(seed) for seed in range(40)]
    again = a_page(3)
    assert np.array_equal(again.pixels, drawn[3].pixels)
    assert not np.array_equal(drawn[3].pixels, drawn[4].pixels)
    counts = [len(each.labels) for each in drawn]
    assert 0 in counts
    assert max(counts) > 3
    for each in drawn:
        height, width = each.pixels.shape[:2]
        assert each.boxes.shape == (len(each.labels), 4)
        assert (each.boxes >= -1).all()
        assert (each.boxes <= [width + 1, height + 1, width + 1, height + 1]).all()
        assert (each.boxes[:, 2:] > each.boxes[:, :2]).all()


def test_real_digits_are_laid_where_their_boxes_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "WITHOUT", 0.0)
    monkeypatch.setattr(pages, "LAID", 1.0)
    darker = []
    for seed in range(12):
        each = a_page(seed)
        for left, top, right, bottom in each.boxes.astype(int):
            inside = each.pixels[top:bottom, left:right].astype(float)
            darker.append(np.ptp(inside, axis=(0, 1)).max() > 30)
    assert len(darker) > 10
    assert np.mean(darker) > 0.95


def test_held_out_kinds_are_never_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: set[str] = set()

    def spy(kind: str, text: str, rng: np.random.Generator, **_: float) -> object:
        drawn.add(kind)
        return picture("28x28 dark on light", text[0], rng)

    def spy_others(kind: str, rng: np.random.Generator, kinds: list[str], **_: float) -> object:
        drawn.update(kinds)
        return picture("28x28 dark on light", "1", rng)

    monkeypatch.setattr(pages, "picture", spy)
    monkeypatch.setattr(pages, "mixed", spy)
    monkeypatch.setattr(pages, "not_digits", spy_others)
    for seed in range(60):
        a_page(seed)
    assert len(drawn) > 40
    assert not drawn & HELD_OUT


def test_views_show_digits_of_all_sizes() -> None:
    drawn = next(
        each
        for each in map(a_page, range(100))
        if len(each.labels) > 2 and np.median(each.boxes[:, 3] - each.boxes[:, 1]) > 60
    )
    rng = np.random.default_rng(0)
    heights = [np.ptp(boxes[:, [1, 3]], axis=1).mean() for _, boxes in (view(drawn, rng) for _ in range(60))]
    assert min(heights) < 30
    assert max(heights) > 80
    assert max(heights) <= 1.5 * views.HEIGHTS[1]


def test_nothing_is_found_beyond_the_edge(monkeypatch: pytest.MonkeyPatch) -> None:
    def centre_in_the_last_cell(pixels: np.ndarray) -> np.ndarray:
        answer = np.full((pixels.shape[0] // STRIDE, pixels.shape[1] // STRIDE, 15), -9, np.float32)
        answer[-1, -1, 0] = 9
        answer[..., 11:] = 1
        return answer

    monkeypatch.setattr(finding, "network", lambda model: centre_in_the_last_cell)
    assert len(find(Image.new("L", (96, 96)), 96 * 96)) == 1
    assert len(find(Image.new("L", (70, 70)), 70 * 70)) == 0  # it is padded to 96
