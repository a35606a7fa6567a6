"""Numbers in a picture: each line of digits, read by two readers that err in different ways.

One finds the digits, cuts each out and classifies it (`many`); the other reads the whole line from its grey
pixels (`line`). What both say is sure; where they differ, the likelier text is taken, and less sure. Where
the second is sure enough, the first only finds, and classifies nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from digitcli.images import paper
from digitcli.images.boxes import NO_BOXES
from digitcli.images.ink import Box
from digitcli.reading import line, many
from digitcli.reading.degrees import find_degrees
from digitcli.reading.digit import Digit, cutting, median_height
from digitcli.reading.edges import reaches_edge
from digitcli.reading.expect import ANY, Expect
from digitcli.reading.find import Found
from digitcli.reading.likelihood import Probabilities, calibrated
from digitcli.reading.line import Looks, View
from digitcli.reading.transcript import LETTER, Place, aligned, likelihoods, only_digits
from digitcli.reading.weighing import SETTLED, as_found, best
from digitcli.reading.words import find_words, painted_over, without

_TALL = 0.3
"""Of the picture's height, from which on a line of digits is all there is, and the whole picture is read."""

_AIRY = 0.6
"""The same, below which the line readers see only what is near the digits, if the paper is clean."""

_LOW = 160
"""Pixels of height of a picture that may be one line although no digit was found in it."""

_LONGEST = 25
"""Width of a line in heights of the picture, beyond which it is not read as one."""

_ROOMS = ((0.7, 0.3), (0.3, 0.12))
"""Paper beside and above a line that the line reader sees, in heights of a digit: two views."""

_BEYOND = 0.25
"""Paper beside a picture that is all one line and cut off, in its heights: its ends are seen better."""

_BESIDE = 1.3
"""Paper beside it in which digits and brackets are looked for that were missed, in the same."""

_OF_A_LINE = "0123456789()"
"""The signs of those that a line may begin and end with as far as it is looked at."""

_MISSED = 4
"""Times that this is done, since beyond one digit that was missed there may be others."""

_ASIDE, _HALF = 0.15, 0.4
"""Distance of the middle of such a digit from those that were found, and half its width, in the same."""

_AT_ONCE = 0.95
"""Share of a number from which on one look at it is enough."""

_UNPAIRED = 0.05
"""Weight of a text with a bracket that has no other."""

_BESIDE_WORDS = 0.7
"""Share of the numbers beside printed words that are right, of those that all are sure of."""


@dataclass(frozen=True)
class Number:
    """A line of digits.

    digits: from left to right. full: its text with the signs between them. confidence: that all of the digits
    are right, none is missing and none too many, 0-1.
    """

    digits: tuple[Digit, ...]
    full: str
    confidence: float

    @property
    def text(self) -> str:
        """The digits."""
        return "".join(str(digit.digit) for digit in self.digits)


def read_numbers(image: Image.Image, probabilities: Probabilities, expect: Expect = ANY) -> list[Number]:
    """The numbers of a picture, mode L or RGB, from top to bottom; an empty list where there is none.

    probabilities: a classifier, (n, 28, 28) uint8 to (n, 10). expect: what is known of each number.
    """
    looks, found = Looks(image), many.find_closely(image)
    if no_digits := find_words(looks, found) + find_degrees(found, image.size):
        image, found = painted_over(image, no_digits), without(found, no_digits)
        looks = Looks(image)
    numbers = _all_at_once(looks, found, expect)
    if not numbers:
        rows, whole = _lines(image, many.read_many(image, probabilities, found))
        numbers = [each for row in rows if (each := _number(looks, row, whole, expect)).digits]
    return [_beside_words(each) for each in numbers] if no_digits else numbers


def _beside_words(number: Number) -> Number:
    """The same, less sure: a letter of the words may have been taken for a digit all the same."""
    return replace(number, confidence=number.confidence * _BESIDE_WORDS)


def _lines(image: Image.Image, rows: list[list[Digit]]) -> tuple[list[list[Digit]], bool]:
    """The digits line by line, and whether the picture is nothing but one line."""
    if whole := _is_one_line(image, rows):
        rows = [sorted((digit for row in rows for digit in row), key=lambda digit: digit.box[0])]
    return rows, whole


def _all_at_once(looks: Looks, found: Found, expect: Expect) -> list[Number]:
    """The numbers if something was found and each line of it is read at once; else none."""
    at_once = many.found_at_once(looks.image, found)
    if not at_once:
        return []
    numbers = []
    rows, whole = _lines(looks.image, at_once)
    for row in rows:
        number = _at_once(looks, row, whole, expect)
        if number is None:
            return []
        numbers.append(number)
    return numbers


def _at_once(looks: Looks, found: Sequence[Digit], whole: bool, expect: Expect) -> Number | None:
    """A line's number if two line readers are sure of as many digits as the detector found; as for `best`."""
    views = looks.views(_windows(looks, found, whole)[:1], line.UPRIGHT, line.MODELS)
    text, share = as_found(views, found, whole)  # most often this, and no other need be looked for
    if share < _AT_ONCE or not expect.fits(text):
        text, share = best(views, found, whole)
    if share < _AT_ONCE or len(text) != len(found) or not expect.fits(text):
        return None
    return _as_seen(looks.image, views, text, found, calibrated(share))


def _number(looks: Looks, found: Sequence[Digit], whole: bool, expect: Expect) -> Number:
    """The likeliest number in a line; found, whole, expect: as for `best`."""
    windows = _windows(looks, found, whole)
    width, height = looks.image.size
    if whole and reaches_edge(looks.image):
        room = max(2, round(_BEYOND * height))
        windows.append((-room, 0, width + room, height))
    views: list[View] = []
    for leans, models in line.STAGES:
        views += looks.views(windows, leans, models)
        text, share = best(views, found, whole, expect)
        if share >= SETTLED:
            break
    return _as_seen(looks.image, views, text, found, calibrated(share))


def _as_seen(
    image: Image.Image, views: Sequence[View], text: str, found: Sequence[Digit], confidence: float
) -> Number:
    """A text with where its digits stand. found: as for `best`."""
    marked = [(view, place) for view in views[:1] for place in aligned(view.digits, text)]
    if len(marked) != len(text):  # more digits than the line reader has room for
        return Number(tuple(found), "".join(str(digit.digit) for digit in found), confidence)
    digits = _placed(image, marked, found, confidence)
    return Number(tuple(digits), _full(views, text), confidence)


def _is_one_line(image: Image.Image, rows: Sequence[Sequence[Digit]]) -> bool:
    """Whether a picture is cut out round a single line."""
    if image.width > _LONGEST * image.height:
        return False
    if not rows:
        return image.height <= _LOW
    tall = median_height([digit for row in rows for digit in row])
    return tall >= (_TALL if len(rows) == 1 else 1.5 * _TALL) * image.height


def _windows(looks: Looks, found: Sequence[Digit], whole: bool) -> list[Box]:
    """Left, top, right, bottom of what the line reader sees of a line."""
    width, height = looks.image.size
    whole = whole and not _has_air(looks.image, found)
    windows: list[Box] = [(0, 0, width, height)] if whole else []
    if found:
        boxes = np.array([digit.box for digit in found], float)
        left, top = boxes[:, :2].min(axis=0)
        right, bottom = (boxes[:, :2] + boxes[:, 2:]).max(axis=0)
        tall = median_height(found)
        if not whole:
            left, right = _with_what_was_missed(looks, (left, top, right, bottom), tall)
        for beside, above in _ROOMS[1:] if whole else _ROOMS:
            windows.append(
                (
                    0 if whole else max(0, int(left - beside * tall)),
                    max(0, int(top - above * tall)),
                    width if whole else min(width, int(right + beside * tall) + 1),
                    min(height, int(bottom + above * tall) + 1),
                )
            )
    return windows


def _has_air(image: Image.Image, found: Sequence[Digit]) -> bool:
    """Whether there is much clean paper round the digits of a picture."""
    return bool(found) and median_height(found) < _AIRY * image.height and paper.is_clean(image)


def _with_what_was_missed(
    looks: Looks, found: tuple[float, float, float, float], tall: float
) -> tuple[float, float]:
    """Where a line begins and ends: as found (left, top, right, bottom), or with what it goes on with."""
    left, top, right, bottom = found
    width, height = looks.image.size
    for _ in range(_MISSED):
        window = (
            max(0, int(left - _BESIDE * tall)),
            max(0, int(top - _ROOMS[0][1] * tall)),
            min(width, int(right + _BESIDE * tall) + 1),
            min(height, int(bottom + _ROOMS[0][1] * tall) + 1),
        )
        (view,) = looks.views([window], line.UPRIGHT, line.MODELS[:1])
        places = aligned(view.columns, view.written)
        middles = [view.across(place.middle) for place in places if place.sign in _OF_A_LINE]
        before = min(middles, default=left) < left - _ASIDE * tall
        after = max(middles, default=right) > right + _ASIDE * tall
        if not before and not after:
            break
        left = min(middles) - _HALF * tall if before else left
        right = max(middles) + _HALF * tall if after else right
    return max(left, 0.0), min(right, float(width))


def _full(views: Sequence[View], text: str) -> str:
    """The text with the signs that the line reader most likely saw between its digits."""
    written = {view.written for view in views}
    fitting = sorted(each for each in written if only_digits(each) == text)
    if len(fitting) > 1:
        paired = [1 if each.count("(") == each.count(")") else _UNPAIRED for each in fitting]
        seen = likelihoods([view.columns for view in views], fitting).sum(axis=1) * paired
        fitting = [fitting[int(seen.argmax())]]
    full = fitting[0] if fitting else text
    return re.sub("[$#']", "", full.replace(LETTER, "").replace("*", "×"))


def _placed(
    image: Image.Image, marked: Sequence[tuple[View, Place]], found: Sequence[Digit], together: float
) -> list[Digit]:
    """The digits of a line where they were found, or else where the line reader has them.

    together: how sure all of them are, of which none is less sure.
    """
    middles = [view.across(place.middle) for view, place in marked]
    tall = median_height(found) if found else 0.0
    top = float(np.median([digit.box[1] for digit in found])) if found else 0.0
    as_found = [place.sign for _, place in marked] == [str(digit.digit) for digit in found]
    digits = []
    for index, (view, place) in enumerate(marked):
        columns = view.columns[place.first : place.last + 1, int(place.sign)]
        sure = max(float(columns.max()), together)
        near = found[index : index + 1] if as_found else _near(found, middles[index], place.sign)
        if near:
            digits.append(Digit(near[0].digit, sure, near[0].box, near[0].shown))
            continue
        height = tall or 0.8 * (view.window[3] - view.window[1])
        start = (middles[index - 1] + middles[index]) / 2 if index else middles[index] - 0.4 * height
        end = (
            (middles[index] + middles[index + 1]) / 2
            if index + 1 < len(marked)
            else middles[index] + 0.4 * height
        )
        start, end = max(start, middles[index] - height / 2), min(end, middles[index] + height / 2)
        above = top or view.window[1] + 0.1 * height
        shown = cutting(image, np.array([start, above, end, above + height], np.float32), NO_BOXES)
        box = (max(0, int(start)), max(0, int(above)), max(1, round(end - start)), max(1, round(height)))
        digits.append(Digit(int(place.sign), sure, box, shown))
    return digits


def _near(found: Sequence[Digit], middle: float, sign: str) -> list[Digit]:
    """Those of a sign that stand where it was seen."""
    return [
        digit
        for digit in found
        if digit.box[0] <= middle <= digit.box[0] + digit.box[2] and str(digit.digit) == sign
    ]
