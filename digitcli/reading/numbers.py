"""Numbers in a picture: each line of digits, read by two readers that err in different ways.

One finds the digits, cuts each out and classifies it (`many`); the other reads the whole line from its grey
pixels (`line`). What both say is sure; where they differ, the likelier text is taken, and less sure. Where
the second is sure enough, the first only finds, and classifies nothing.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digitcli.images.boxes import NO_BOXES
from digitcli.images.ink import Box
from digitcli.reading import line, many
from digitcli.reading.digit import Digit, cutting
from digitcli.reading.edges import reaches_edge
from digitcli.reading.expect import ANY, Expect
from digitcli.reading.find import Found
from digitcli.reading.likelihood import Probabilities, calibrated
from digitcli.reading.line import Looks, View
from digitcli.reading.transcript import (
    LETTER,
    Place,
    aligned,
    greedy,
    likeliest,
    likelihoods,
)
from digitcli.reading.words import find_words, painted_over, without

_TALL = 0.3
"""Of the picture's height, from which on a line of digits is all there is, and the whole picture is read."""

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

_TRUSTED = {False: 0.9, True: 0.35}
"""Confidence of the digits found one by one, together, that is believed at most: on pages and, true, in
pictures cut out round a line, where ink at the edge and patterned paper mislead whoever looks for digits."""

_OTHERWISE = 0.3
"""Probability of another text where those are wrong."""

_OVERLOOKED = 0.2
"""Probability that a digit of a page is not found one by one, however sure the others are."""

_SETTLED = 0.9
"""Share of a number from which on other views of its line changed none of 900."""

_AT_ONCE = 0.95
"""Share of a number from which on one look at it is enough."""

_UNPAIRED = 0.05
"""Weight of a text with a bracket that has no other."""

_UNANIMOUS, _IMPOSSIBLE = 0.6, 1e-9
"""Weight of the geometric mean of what the views say, and what is left to a text in each of them."""

_EXPECTED, _FITTING = 24, 16
"""Texts of each length that are searched for what fits, and those that are then considered."""

_POSSIBLE = 1e-4
"""Probability of a digit in a column from which on such a search follows it."""

_LONGEST_EXPECTED = 40
"""Digits that such a search follows."""

_UNFIT = 0.05
"""Weight of what does not fit, since what is known may be wrong of a picture."""

_HARDLY = 1e-4
"""Share of all that fits, below which the picture is none of what is expected."""

_BESIDE_WORDS = 0.7
"""Share of the numbers beside printed words that are right, of those that all are sure of."""

_LEAST = 1e-12
"""Probability of all texts together where there is none."""


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
    if at_once := _all_at_once(looks, found, expect):
        return at_once
    if words := find_words(looks, found):
        image, found = painted_over(image, words), without(found, words)
        looks = Looks(image)
        if at_once := _all_at_once(looks, found, expect):
            return _beside_words(at_once)
    rows, whole = _lines(image, many.read_many(image, probabilities, found))
    numbers = [_number(looks, row, whole, expect) for row in rows]
    return [each for each in (_beside_words(numbers) if words else numbers) if each.digits]


def _beside_words(numbers: Sequence[Number]) -> list[Number]:
    """The same, less sure: a letter of the words may have been taken for a digit all the same."""
    return [replace(each, confidence=each.confidence * _BESIDE_WORDS) for each in numbers]


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
    text, sureness = _by_itself(found, whole)
    share = 0.0
    if expect.fits(text):  # most often it is just this, and no other text need be looked for
        said = _said([view.digits for view in views], {text})
        _, share = _weighed(said, text, sureness, whole, ANY)
    if share < _AT_ONCE:
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
        if share >= _SETTLED:
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


def best(
    views: Sequence[View], found: Sequence[Digit], whole: bool, expect: Expect = ANY
) -> tuple[str, float]:
    """The likeliest text of digits, and its share among all, by Bayes' rule.

    found: its digits as they were found one by one. whole: whether the picture is nothing but this line.
    expect: what is known of them; the likeliest text that fits is given, with what speaks for others weighing
    _UNFIT. Where none fits, or the picture is almost surely none that does, it is the likeliest of all at 0.
    """
    by_itself, sureness = _by_itself(found, whole)
    each = [view.digits for view in views]
    said = _said(each, {text for view in views for text in view.texts} | {by_itself})
    text, share = _weighed(said, by_itself, sureness, whole, ANY)
    if not expect or (share >= _SETTLED and expect.fits(text)):
        return text, share
    text, share = _weighed(said, by_itself, sureness, whole, expect)
    if share >= _SETTLED:
        return text, share
    said |= _said(each, _fitting(each[: len(line.MODELS)], expect) - said.keys())
    return _weighed(said, by_itself, sureness, whole, expect)


def _by_itself(found: Sequence[Digit], whole: bool) -> tuple[str, float]:
    """What was found digit by digit, and how far that is believed; as for `best`."""
    text = "".join(str(digit.digit) for digit in found)
    return text, min(math.prod(digit.confidence for digit in found), _TRUSTED[whole]) if found else 0.5


def _said(each: Sequence[NDArray[np.float32]], texts: Set[str]) -> dict[str, NDArray[np.float64]]:
    """The likelihood of each text in each view, (views,). each: the columns of a view."""
    return dict(zip(texts, likelihoods(each, [*texts]), strict=True))


def _weighed(
    said: Mapping[str, NDArray[np.float64]], by_itself: str, sureness: float, whole: bool, expect: Expect
) -> tuple[str, float]:
    """As `best`, of some texts. said: as from `_said`. by_itself: the one found, so sure, digit by digit."""
    seen = {text: _agreed(shares) for text, shares in said.items()}
    other = (1 - sureness) * _OTHERWISE
    expected = {
        text: sureness if text == by_itself else max(other, 0 if whole else _overlooked(by_itself, text))
        for text in said
    }
    shares = {text: seen[text] * expected[text] for text in said}
    rest = max(1 - sum(float(each.mean()) for each in said.values()), 0.0) * other
    fit = {text: share for text, share in shares.items() if expect.fits(text)} if expect else shares
    among = max(sum(fit.values()), _LEAST)
    others = max(sum(shares.values()) - sum(fit.values()) + rest, 0.0)
    if not fit or among < _HARDLY * others:
        return max(shares, key=lambda text: (shares[text], text)), 0.0
    text = max(fit, key=lambda text: (fit[text], text))
    return text, fit[text] / (among + others * (_UNFIT if expect else 1))


def _overlooked(found: str, text: str) -> float:
    """Probability that the digits a text has more than was found were overlooked; 0 for other texts."""
    left = iter(text)
    within = bool(found) and all(digit in left for digit in found)
    return _OVERLOOKED ** (len(text) - len(found)) if within else 0.0


def _agreed(shares: NDArray[np.float64]) -> float:
    """What views say together: their mean, and less where some of them hardly think it possible."""
    arithmetic, geometric = shares.mean(), np.exp(np.log(shares + _IMPOSSIBLE).mean())
    return float(arithmetic ** (1 - _UNANIMOUS) * geometric**_UNANIMOUS)


def _fitting(each: Sequence[NDArray[np.float32]], expect: Expect) -> set[str]:
    """The likeliest texts that fit, of what some views make possible."""
    longest = min(expect.lengths[1], _LONGEST_EXPECTED)
    found: defaultdict[str, float] = defaultdict(float)
    for columns in each:
        for text, share in likeliest(columns, _EXPECTED, longest=longest, least=_POSSIBLE).items():
            if expect.fits(text):
                found[text] += share
    return set(sorted(found, key=lambda text: -found[text])[:_FITTING])


def _is_one_line(image: Image.Image, rows: Sequence[Sequence[Digit]]) -> bool:
    """Whether a picture is cut out round a single line."""
    if image.width > _LONGEST * image.height:
        return False
    if not rows:
        return image.height <= _LOW
    tall = float(np.median([digit.box[3] for row in rows for digit in row]))
    return tall >= (_TALL if len(rows) == 1 else 1.5 * _TALL) * image.height


def _windows(looks: Looks, found: Sequence[Digit], whole: bool) -> list[Box]:
    """Left, top, right, bottom of what the line reader sees of a line."""
    width, height = looks.image.size
    windows: list[Box] = [(0, 0, width, height)] if whole else []
    if found:
        boxes = np.array([digit.box for digit in found], float)
        left, top = boxes[:, :2].min(axis=0)
        right, bottom = (boxes[:, :2] + boxes[:, 2:]).max(axis=0)
        tall = float(np.median(boxes[:, 3]))
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
        places = aligned(view.columns, greedy(view.columns))
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
    written = {greedy(view.columns) for view in views}
    fitting = sorted(each for each in written if "".join(filter(str.isdigit, each)) == text)
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
    tall = float(np.median([digit.box[3] for digit in found])) if found else 0.0
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
