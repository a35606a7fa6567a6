"""A second look at a picture that is not clear at first sight: by the line reader, and for several digits."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digitcli.classifiers import Classifier, load_our_own
from digitcli.convention import CLASSES
from digitcli.images.ink import Box
from digitcli.reading import line
from digitcli.reading.edges import continued
from digitcli.reading.likelihood import Probabilities
from digitcli.reading.line import View
from digitcli.reading.numbers import Number, read_numbers
from digitcli.reading.one import CLEAR, One, read_one
from digitcli.reading.transcript import likelihoods, of_digits

_SMALL = 160
"""Pixels of height of a picture that is read as a whole."""

_TALL = 0.3
"""Of the picture's height that a digit takes at least for the same."""

_ROOM = 0.3
"""Paper round a digit that the line reader sees, in its height."""

_BEYOND = 0.2
"""Paper that a picture is given where something reaches its edge, in its longer sides."""

_WITHIN = 0.02
"""Of the picture's longer side, between a digit and the edge, if what reaches the edge is something else."""

_ONE_OR_NONE = [*map(str, range(CLASSES)), ""]
"""What one digit, or none, reads like."""

CLOSE_UP = Path(__file__).parents[1] / "assets" / "close-up.tflite"
"""A classifier that learnt from what contour code cuts out, heard beside whichever reads the digits."""

_DOUBT, _NO_DOUBT = 0.03, 0.05
"""Probability that is left to each digit, and to there being none, where the classifier rules it out."""

_MISLED = {False: 0.7, True: 0.4}
"""Power of the classifier's probabilities where it doubts and, true, where ink is cut off as well: it sees
less than a digit there, or more."""

_LEARNT = 2.0
"""Power of the probabilities of a classifier that has learnt somebody's own digits, which it is used for."""

_NONE = {False: 7.0, True: 5.5}
"""Odds of there being no digit among what is doubtful at first sight and, true, where ink is cut off as well,
against those among all pictures."""

_SEVERAL = 0.03
"""What the classifier says of several digits, which it does not know."""

_ONE_OF_THEM = 0.1
"""Of a digit's sureness that is left where others seem to stand beside it."""

_NEIGHBOUR, _NARROW, _REACHES = 0.1, 1.2, 0.03
"""Weight of two digits in a picture that is narrower than two, in its heights, and whose edge one of them
reaches, in the same: it was cut out round one digit, more likely than round both."""


def look_again(
    image: Image.Image, one: One, probabilities: Probabilities, *, has_learnt: bool = False
) -> One:
    """The digit of a picture, mode L or RGB, that was read as `one` with doubt, by both readers.

    has_learnt: whether the classifier has learnt somebody's own digits, which the line reader does not know.
    The probabilities of the digits lack to 1 that of none, or of several.
    """
    if not one.cut:
        return _together(one, line.views(image, _windows(image, one)), has_learnt=has_learnt)
    room = max(2, round(_BEYOND * max(image.size)))
    beyond = continued(image, room)
    (whole,) = read_one([beyond], probabilities)
    if _is_settled(image, one, whole):
        if not one.several:
            return one
        return _together(one, line.views(image, _windows(image, one)), has_learnt=has_learnt)
    nearer = (room // 2, room // 2, beyond.width - room // 2, beyond.height - room // 2)
    # With paper round it a digit is less like a letter: what is seen so counts twice.
    views = line.views(image, _windows(image, one)) + 2 * line.views(beyond, [nearer])
    if whole.box is not None and _agreement(whole, views) >= _agreement(one, views):
        left, top, width, height = whole.box
        one = replace(whole, box=(left - room, top - room, width, height), several=one.several)
    return _together(one, views, cut=True, has_learnt=has_learnt)


def surer(one: One, image: Image.Image, probabilities: Probabilities) -> list[Number]:
    """The numbers of a picture if they have several digits and are surer than that it is `one`; or none.

    That a digit is read well says little of its being the only one, if the picture seems to hold more.
    """
    numbers = read_numbers(image, probabilities)
    several = sum(len(number.digits) for number in numbers) > 1
    together = math.prod(number.confidence for number in numbers)
    together *= _NEIGHBOUR if _shows_a_neighbour(image, numbers) else 1
    alone = one.sureness * (_ONE_OF_THEM if one.several else 1)
    return numbers if several and together > alone else []


def _shows_a_neighbour(image: Image.Image, numbers: list[Number]) -> bool:
    """Whether a picture of two digits is one of a digit with a neighbour in view."""
    if len(numbers) != 1 or len(numbers[0].digits) != 2 or image.width >= _NARROW * image.height:
        return False
    spans = [(digit.box[0], digit.box[0] + digit.box[2]) for digit in numbers[0].digits]
    room = _REACHES * image.height
    return min(spans)[0] <= room or max(end for _, end in spans) >= image.width - room


def _is_settled(image: Image.Image, one: One, whole: One) -> bool:
    """Whether a digit is the same with more paper round the picture, and lies well within this."""
    if one.probabilities is None or whole.probabilities is None or one.box is None:
        return False
    if one.probabilities.argmax() != whole.probabilities.argmax():
        return False
    left, top, width, height = one.box
    gap = min(left, top, image.width - left - width, image.height - top - height)
    return bool(min(one.sureness, whole.sureness) >= CLEAR and gap > _WITHIN * max(image.size))


def _together(one: One, views: list[View], *, cut: bool = False, has_learnt: bool) -> One:
    """By Bayes' rule; cut: whether ink is cut off. has_learnt: as for `look_again`."""
    row = np.zeros(CLASSES)
    if one.probabilities is not None and one.pixels is not None:
        row = np.mean([one.probabilities, _close_up().probabilities(one.pixels[None])[0]], axis=0)
    expected = (np.append(row + _DOUBT, max(1 - row.sum(), 0) + _NO_DOUBT)) ** _MISLED[cut]
    expected[-1] *= _NONE[cut]
    seen = _seen(views)
    shares = seen * expected / expected.sum()
    if has_learnt and one.probabilities is not None:
        # Whether it is a digit is for all to say; which, for who knows the hand.
        which = (one.probabilities + _DOUBT) ** _LEARNT * (seen[:CLASSES] + _DOUBT)
        shares[:CLASSES] = shares[:CLASSES].sum() * which / which.sum()
    several = max(1 - seen.sum(), 0) * _SEVERAL
    together = (shares[:CLASSES] / max(shares.sum() + several, 1e-12)).astype(np.float32)
    return replace(one, probabilities=together)


@cache
def _close_up() -> Classifier:
    return load_our_own(CLOSE_UP, threads=1)


def _agreement(one: One, views: list[View]) -> float:
    """How likely classifier and line reader see the same digit."""
    return 0.0 if one.probabilities is None else float(_seen(views)[:CLASSES] @ one.probabilities)


def _seen(views: list[View]) -> NDArray[np.float64]:
    """What the line reader takes a picture for: (11,), one of the digits or, last, none."""
    return np.asarray(np.mean([likelihoods(of_digits(view.columns), _ONE_OR_NONE) for view in views], axis=0))


def _windows(image: Image.Image, one: One) -> list[Box]:
    windows: list[Box] = []
    if one.box is None or image.height <= _SMALL or one.box[3] >= _TALL * image.height:
        windows.append((0, 0, *image.size))
    if one.box is not None:
        left, top, width, height = one.box
        room = round(_ROOM * max(height, width / 2))
        window = (
            max(0, left - room),
            max(0, top - room),
            min(image.width, left + width + room),
            min(image.height, top + height + room),
        )
        if window not in windows:
            windows.append(window)
    return windows
