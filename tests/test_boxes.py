"""What stands in a box of a picture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageDraw

from digitcli.images.boxes import LOOKS, SURROUNDINGS, in_box, tightened
from digitcli.images.preprocess import to_mnist
from digitcli.reading.digit import cutting


def picture(size: tuple[int, int] = (120, 120), paper: int = 255) -> Image.Image:
    """A 7 of straight lines, whose ink fills 40, 20 to 80, 100."""
    image = Image.new("L", size, paper)
    draw = ImageDraw.Draw(image)
    draw.line([(40, 23), (79, 23), (50, 99)], fill=255 - paper, width=6, joint="curve")
    return image


SEVEN = np.array([40, 20, 80, 100], np.float32)


def first(image: Image.Image, box: np.ndarray = SEVEN) -> np.ndarray:
    return next(in_box(image, box))[0]


def test_a_digit_alone_is_seen_as_predict_sees_the_picture() -> None:
    assert np.abs(first(picture()).astype(int) - to_mnist(picture())).mean() < 2


@pytest.mark.parametrize("paper", [0, 255])
def test_its_box_is_where_the_ink_is(paper: int) -> None:
    (pixels, box), *_ = in_box(picture(paper=paper), SEVEN)
    assert pixels.shape == (28, 28)
    assert box == pytest.approx((40, 20, 80, 100), abs=3)


def test_neighbours_are_left_out_though_they_touch() -> None:
    crowded = picture((200, 120))
    draw = ImageDraw.Draw(crowded)
    draw.line([(76, 23), (140, 23)], fill=0, width=6)
    draw.line([(20, 10), (20, 110)], fill=0, width=6)
    draw.line([(110, 10), (110, 110)], fill=0, width=6)
    alone = to_mnist(picture())
    assert np.abs(first(crowded).astype(int) - alone).mean() < 12  # as far as it may reach out of its box
    assert np.abs(to_mnist(crowded).astype(int) - alone).mean() > 25


def test_a_ring_around_it_is_left_out() -> None:
    circled = picture()
    ImageDraw.Draw(circled).ellipse((2, 2, 118, 118), outline=0, width=4)
    assert np.abs(first(circled).astype(int) - to_mnist(picture())).mean() < 6


def test_what_is_ringed_by_something_as_tall_as_the_box_is_one_of_the_looks() -> None:
    circled = picture()
    ImageDraw.Draw(circled).ellipse((14, 2, 106, 118), outline=0, width=4)
    too_large = np.array([10, -2, 110, 122], np.float32)
    alone = to_mnist(picture()).astype(int)
    assert min(np.abs(pixels - alone).mean() for pixels, _ in in_box(circled, too_large)) < 4


def test_a_broken_stroke_is_whole() -> None:
    broken = picture()
    broken.paste(255, (0, 50, 120, 56))
    left, top, right, bottom = next(in_box(broken, SEVEN))[1]
    assert (left, top, right, bottom) == pytest.approx((40, 20, 80, 100), abs=3)


@pytest.mark.parametrize("box", [(300, 300, 340, 380), (-80, -80, -10, -10), (0, 0, 8, 8)])
def test_nothing_stands_on_blank_paper_or_beside_it(box: tuple[int, ...]) -> None:
    assert list(in_box(picture(), np.array(box, np.float32))) == []


@settings(max_examples=30, deadline=None)
@given(
    hnp.arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40))),
    st.tuples(*[st.floats(-10, 50, width=32)] * 4),
)
def test_any_box_of_any_picture_has_a_few_looks_inside_it(pixels: np.ndarray, box: tuple[float, ...]) -> None:
    left, right = sorted(box[:2])
    top, bottom = sorted(box[2:])
    looks = list(in_box(Image.fromarray(pixels), np.array([left, top, right + 1, bottom + 1], np.float32)))
    assert len(looks) <= 3 * LOOKS * len(SURROUNDINGS)
    for seen, (x, y, x_end, y_end) in looks:
        assert seen.any()
        assert 0 <= x < x_end <= pixels.shape[1]
        assert 0 <= y < y_end <= pixels.shape[0]


def test_what_lies_in_the_box_comes_before_what_also_reaches_out_of_it() -> None:
    crossed = picture((200, 120))
    ImageDraw.Draw(crossed).line([(0, 104), (60, 112), (120, 108), (200, 116)], fill=0, width=7)
    looks = list(in_box(crossed, np.array([36, 14, 84, 110], np.float32)))
    assert looks[0][1][3] <= 104


@pytest.mark.parametrize(("width", "looks"), [(60, False), (36, False), (24, True)])
def test_what_fills_its_box_is_no_digit_unless_it_may_be_a_fat_1(width: int, looks: bool) -> None:
    image = Image.new("L", (200, 200), 255)
    ImageDraw.Draw(image).rectangle((70, 70, 69 + width, 129), fill=0)
    assert any(in_box(image, np.array([70, 70, 70 + width, 130], np.float32))) is looks


def test_what_is_in_a_cell_is_seen() -> None:
    image = Image.new("L", (220, 140), 255)
    draw = ImageDraw.Draw(image)
    for left in (20, 108):
        draw.rectangle((left, 20, left + 84, 120), outline=0, width=2)
    draw.line([(62, 36), (60, 102)], fill=0, width=6)
    (_, box), *_ = in_box(image, np.array([55, 34, 68, 104], np.float32))
    assert box == pytest.approx((58, 36, 66, 103), abs=3)


def test_a_one_that_touches_ruled_lines_is_seen() -> None:
    image = Image.new("L", (260, 140), 255)
    draw = ImageDraw.Draw(image)
    for y in (20, 120):
        draw.line([(0, y), (260, y)], fill=0, width=2)
    for left in (80, 145):
        draw.line([(left, 40), (left + 35, 42), (left + 10, 100)], fill=0, width=6, joint="curve")
    draw.line([(130, 20), (130, 120)], fill=0, width=6)
    assert any(in_box(image, np.array([125, 18, 136, 122], np.float32)))


def test_what_a_digit_shares_with_another_one_is_of_that_with_the_nearer_middle() -> None:
    touched = picture((200, 120))
    ImageDraw.Draw(touched).line([(72, 20), (72, 100)], fill=0, width=6)  # through the end of the 7's bar
    one = np.array([68, 18, 77, 103], np.float32)
    alone = to_mnist(picture()).astype(int)

    def nearest(*others: np.ndarray) -> float:
        looks = list(in_box(touched, SEVEN, np.array(others, np.float32).reshape(-1, 4)))
        return min(float(np.abs(pixels - alone).mean()) for pixels, _ in looks)

    assert nearest() > 20
    assert nearest(one) < 10


def test_what_lies_in_its_own_box_alone_stays_however_large_the_other_one_is() -> None:
    beside = np.array([[79, -140, 479, 260]], np.float32)
    (_, (_, _, right, _)), *_ = in_box(picture(), SEVEN, beside)
    assert right == pytest.approx(79, abs=1)


@given(st.tuples(*[st.floats(-12, 4)] * 2), st.tuples(*[st.floats(-4, 12)] * 2), st.sampled_from([0, 255]))
def test_a_loose_box_is_tightened_to_the_ink(
    before: tuple[float, float], after: tuple[float, float], paper: int
) -> None:
    loose = SEVEN + np.array([*before, *after], np.float32)
    crowded = picture(paper=paper)
    ImageDraw.Draw(crowded).line([(0, 10), (0, 110)], fill=255 - paper, width=9)
    assert tightened(crowded, loose) == pytest.approx((40, 20, 80, 100), abs=3)


@given(
    hnp.arrays(np.uint8, st.tuples(st.integers(1, 60), st.integers(1, 60))),
    st.tuples(*[st.floats(-20, 70)] * 2, *[st.floats(1, 60)] * 2),
)
@settings(deadline=None, max_examples=60)
def test_any_box_is_tightened_and_cut_out_later_as_at_once(
    pixels: np.ndarray, place: tuple[float, ...]
) -> None:
    image = Image.fromarray(pixels)
    left, top, width, height = place
    box = np.array([left, top, left + width, top + height], np.float32)
    assert np.isfinite(tightened(image, box)).all()
    others = np.stack([box, box + 7])
    at_once = next((look for look, _ in in_box(image, box, others)), np.zeros((28, 28)))
    assert np.array_equal(cutting(image, box, others).pixels, at_once)
