from __future__ import annotations

from collections.abc import Callable
from itertools import chain, repeat

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from digitcli.data import synthetic
from digitcli.reading import many
from digitcli.reading import one as first_look
from digitcli.reading.find import Found
from digitcli.reading.one import One, read_one

DIGITS = synthetic.generate(100, seed=5)


def always(*confidences: float) -> Callable[[np.ndarray], np.ndarray]:
    """A classifier that takes everything for a 7, in its first batch as surely as the first number says.

    The last of several numbers is for all batches after; with a single number, there must be no other.
    """
    calls = chain(confidences, repeat(confidences[-1], 9 if len(confidences) > 1 else 0))

    def probabilities(images: np.ndarray) -> np.ndarray:
        confidence = next(calls)
        rows = np.full((len(images), 10), (1 - confidence) / 9, np.float32)
        rows[:, 7] = confidence
        return rows

    return probabilities


def page(text: str, gap: int = 40) -> Image.Image:
    """Digits of DIGITS, up to 60 pixels tall, dark on white."""
    image = np.full((110, 60 + len(text) * (60 + max(gap, 0))), 255, np.uint8)
    left = 30
    for digit in text:
        ink = DIGITS.images[np.flatnonzero(DIGITS.labels == int(digit))[0]]
        ink = ink[np.ix_(ink.any(axis=1), ink.any(axis=0))].repeat(3, 0).repeat(3, 1)
        area = image[25 : 25 + ink.shape[0], left : left + ink.shape[1]]
        area[...] = np.minimum(area, 255 - ink)
        left += ink.shape[1] + gap
    return Image.fromarray(image)


def one(image: Image.Image, probabilities: Callable[[np.ndarray], np.ndarray] | None = None) -> One:
    return read_one([image], probabilities or always(0.99))[0]


def test_nothing_is_read_in_a_blank_picture() -> None:
    assert one(Image.new("L", (50, 40), 255)) == One()


def test_pictures_keep_their_order_around_one_without_ink() -> None:
    def count_ink(images: np.ndarray) -> np.ndarray:
        return np.repeat(images.sum(axis=(1, 2), dtype=np.float32)[:, None], 10, axis=1)

    pictures = [page("1"), Image.new("L", (30, 30)), page("8")]
    first, blank, last = read_one(pictures, count_ink)
    assert blank.pixels is None
    for read in (first, last):
        assert read.pixels is not None
        assert read.probabilities is not None
        assert read.probabilities[0] == read.pixels.sum()


@pytest.mark.parametrize("digit", "0123456789")
def test_one_digit_is_not_several(digit: str) -> None:
    assert not one(page(digit)).several


@pytest.mark.parametrize("text", ["47", "31", "5082"])
def test_digits_side_by_side_are_several(text: str) -> None:
    assert one(page(text)).several


@pytest.mark.parametrize(("cells", "several"), [(1, False), (2, True), (4, True)])
def test_a_frame_is_looked_into_but_of_several_each_may_hold_a_digit(cells: int, several: bool) -> None:
    form = Image.new("L", (cells * 110 + 10, 130), 255)
    for cell in range(cells):
        ImageDraw.Draw(form).rectangle((cell * 110 + 10, 10, cell * 110 + 110, 120), outline=0, width=3)
    form.paste(page("7").crop((20, 15, 100, 105)), (20, 20))
    read = one(form)
    assert read.several == several
    assert read.box is not None
    left, _, width, _ = read.box
    assert 20 < left < left + width < 100


def test_what_is_wide_is_several_only_if_it_is_read_with_doubt() -> None:
    touching = page("08", gap=-4)
    assert not one(touching).several
    assert one(touching, always(0.3, 0.3)).several


@pytest.mark.parametrize(("scores", "several"), [((0.9, 0.9), True), ((0.9, 0.3), False)])
def test_what_is_read_with_doubt_is_several_if_so_many_are_found_in_it(
    monkeypatch: pytest.MonkeyPatch, scores: tuple[float, float], several: bool
) -> None:
    boxes = np.array([(25, 20, 60, 50), (25, 50, 60, 90)], np.float32)
    found = Found(boxes, np.array(scores, np.float32), np.full((2, 10), 0.1, np.float32), 1.0)
    monkeypatch.setattr(many, "find_closely", lambda image: found)
    assert not one(page("8")).several
    assert one(page("8"), always(0.3, 0.3)).several is several


def test_paler_ink_beside_a_digit_makes_several_however_near_it_is() -> None:
    beside, pale = page("8"), page("1").point(lambda level: 120 + level * 135 // 255)
    middle = 88
    beside.paste(pale.crop((30, 0, 30 + beside.width - middle, beside.height)), (middle, 0))
    read = one(beside)
    assert read.box is not None
    assert read.box[0] + read.box[2] <= middle
    assert read.several


def test_beside_squares_in_perspective_that_a_digit_may_touch_there_may_be_several() -> None:
    image = page("71", gap=30)  # the 1 touches the line below, the 7 touches none
    draw = ImageDraw.Draw(image)
    width, height = image.size
    for x in (14, 105, 190):
        draw.line((x, 0, 1.1 * x - 12, height), 100, 4)
    for left, right in ((4, 10), (105, 70)):
        draw.line((0, left, width, right), 100, 4)
    draw.line((0, 0, 0, height, width, height - 1), 100, 4)
    assert one(image).several


def test_a_broken_stroke_dust_and_a_line_below_do_not_make_several() -> None:
    image = page("5")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 45, 120, 49), fill=255)
    draw.rectangle((100, 30, 104, 34), fill=0)
    draw.line((20, 100, 100, 100), fill=0, width=2)
    assert not one(image).several


def test_a_doubtful_reading_gives_way_to_one_that_is_much_surer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_look, "_part", lambda *_: (One(), False))
    uneven = page("6")
    uneven.paste(120, (0, 0, 70, 20))
    doubt = one(uneven, always(0.3, 0.35))
    better = one(uneven, always(0.3, 0.9))
    assert doubt.probabilities is not None
    assert better.probabilities is not None
    assert doubt.probabilities.max() == pytest.approx(0.3, rel=1e-4)
    assert better.probabilities.max() == pytest.approx(0.9, rel=1e-4)
    assert not np.array_equal(doubt.pixels, better.pixels)


def test_a_part_of_a_picture_must_not_be_likely_no_digit(monkeypatch: pytest.MonkeyPatch) -> None:
    box = np.array([(70, 75, 130, 125)], np.float32)
    found = Found(box, np.array([0.9], np.float32), np.full((1, 10), 0.1, np.float32), 1.0)
    monkeypatch.setattr(many, "find_closely", lambda image: found)
    picture = Image.new("L", (200, 200), 255)
    ImageDraw.Draw(picture).ellipse((20, 20, 180, 180), outline=0, width=6)
    picture.paste(page("6").resize((60, 50)), (70, 75))

    def doubting(share: float) -> Callable[[np.ndarray], np.ndarray]:
        shares = chain([0.5], repeat(share))
        return lambda images: np.full((len(images), 1), next(shares)) * np.eye(10)[np.full(len(images), 7)]

    likely_none, likely_digit = (one(picture, doubting(share)).probabilities for share in (0.05, 0.99))
    assert likely_none is not None
    assert likely_digit is not None
    assert likely_none.max() == 0.5, "the whole picture's"
    assert likely_digit.max() > 0.8


def test_guesses_at_one_digit_leave_each_other_its_ink(monkeypatch: pytest.MonkeyPatch) -> None:
    image = page("8")
    left, top, right, bottom = ImageOps.invert(image).getbbox() or (0, 0, 0, 0)
    boxes = np.array([(left, top, right, bottom), (left, (top + bottom) / 2, right, bottom)], np.float32)
    found = Found(boxes, np.full(2, 0.99, np.float32), np.full((2, 10), 0.1, np.float32), 1.0)
    monkeypatch.setattr(many, "find_closely", lambda image: found)
    box = one(image, always(0.3, 0.99)).box
    assert box is not None
    assert box[3] == pytest.approx(bottom - top, abs=4)


@pytest.mark.parametrize(("share", "taken"), [(0.97, "the part"), (0.93, "the whole")])
def test_of_the_whole_and_what_the_detector_found_the_surer_is_taken(
    monkeypatch: pytest.MonkeyPatch, share: float, taken: str
) -> None:
    row = np.full(10, (1 - share) / 9, np.float32)
    row[3] = share
    part = One(np.zeros((28, 28), np.uint8), row, (1, 2, 3, 4))
    monkeypatch.setattr(first_look, "_part", lambda *_: (part, False))
    uneven = page("6")
    uneven.paste(120, (0, 0, 70, 20))  # so that there is more than one way to see it
    read = one(uneven, always(0.3, 0.95)).probabilities
    assert read is not None
    assert read.argmax() == {"the part": 3, "the whole": 7}[taken]


@pytest.mark.parametrize("share", [0.0, 0.1])
def test_a_doubtful_whole_is_still_taken_where_the_detector_found_nothing_surer(
    monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    row = share * np.eye(10, dtype=np.float32)[3]
    part = One(np.zeros((28, 28), np.uint8), row, (1, 2, 3, 4)) if share else One()
    monkeypatch.setattr(first_look, "_part", lambda *_: (part, False))
    read = one(page("6"), always(0.15, 0.15))
    assert read.pixels is not None
    assert read.pixels.any()


def test_a_sure_reading_is_not_looked_at_again() -> None:
    assert one(page("6"), always(first_look.SURE)).probabilities is not None  # a second batch would fail
