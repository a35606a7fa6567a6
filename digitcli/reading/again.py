"""A second look at a picture that is not clear at first sight: by more readers, and for several digits."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digitcli.convention import CLASSES
from digitcli.images import paper
from digitcli.images.ink import Box, Ink
from digitcli.images.preprocess import in_28x28
from digitcli.reading import close_up, line
from digitcli.reading.edges import continued, reaches_edge
from digitcli.reading.likelihood import Probabilities
from digitcli.reading.numbers import Number, read_numbers
from digitcli.reading.one import CLEAR, SURE_PART, One, read_one
from digitcli.reading.strip import around, grey, leaning, strip
from digitcli.reading.transcript import likelihoods, of_digits

_SMALL = 160
"""Pixels of height of a picture that is read as a whole."""

_TALL = 0.3
"""Of the picture's height that a digit takes at least for the same."""

_BEYOND = 0.2
"""Paper that a picture is given where something reaches its edge, in its longer sides."""

_WITHIN = 0.02
"""Of the picture's longer side, between a digit and the edge, if what reaches the edge is something else."""

_Look = NDArray[np.float64]
"""(2, 11): the probability of each digit and of none, by the line reader and by the close-up reader."""

_ONE_OR_NONE = [*map(str, range(CLASSES)), ""]
"""What one digit, or none, reads like."""

_DOUBT, _NO_DOUBT = 0.03, 0.05
"""Probability that is left to each digit, and to there being none, where the classifier rules it out."""

_RULED_OUT = 0.02
"""The same, where the close-up reader does."""

_MISLED = {False: 0.6, True: 0.2}
"""Power of the classifier's probabilities where it doubts and, true, where ink is cut off as well: it sees
less than a digit there, or more."""

_CLEAN = {False: 2.0, True: 0.5}
"""The same on clean paper, for which digit it is: there a digit is cut out as it is."""

_IN_LINE, _CLOSE = 0.65, 0.5
"""Powers of the line reader's and the close-up reader's: they learnt from the same simulator, and so at times
err together."""

_LEARNT = 2.0
"""Power of the probabilities of a classifier that has learnt somebody's own digits, which it is used for."""

_NONE = {False: 7.0, True: 1.3}
"""Odds of there being no digit among what is doubtful at first sight and, true, where ink is cut off as well,
against those among all pictures."""

_SEVERAL = 0.03
"""What the classifier says of several digits, which it does not know."""

_SURELY_NOT = 0.05
"""Probability that is left to there being several, or one, where the close-up reader rules it out."""

_BESIDE = 2
"""Digits that a picture may show of which one is meant, if it seems to hold more at first sight: of more, it
hardly ever was, however unsure they were."""

_ONE_OF_THEM = 0.1
"""Of a digit's sureness that is left where others seem to stand beside it."""

_FEW, _NARROW, _CUT_OUT = 3, 0.7, 2
"""Digits at most, and width of each in the picture's height, or in so many times that of the tallest digit,
of a narrow picture: it may have been cut out round one of them."""

_NEIGHBOUR, _REACHES = 0.09, 0.03
"""Weight of all of them, if one ends so near the picture's edge, in its height, and ink reaches this: more
likely it is a neighbour."""


def look_again(
    image: Image.Image, one: One, probabilities: Probabilities, *, has_learnt: bool = False
) -> One:
    """The digit of a picture, mode L or RGB, that was read as `one` with doubt, by all readers.

    has_learnt: whether the classifier has learnt somebody's own digits, which the line reader does not know.
    The probabilities of the digits lack to 1 that of none, or of several.
    """
    if not one.cut:
        return _together(image, one, _looks(image, _windows(image, one)), has_learnt=has_learnt)
    room = max(2, round(_BEYOND * max(image.size)))
    beyond = continued(image, room)
    (whole,) = read_one([beyond], probabilities)
    if _is_settled(image, one, whole):
        if not one.several:
            return one
        return _together(image, one, _looks(image, _windows(image, one)), has_learnt=has_learnt)
    nearer = (room // 2, room // 2, beyond.width - room // 2, beyond.height - room // 2)
    # With paper round it a digit is less like a letter: what is seen so counts twice.
    looks = _looks(image, _windows(image, one)) + 2 * _looks(beyond, [nearer])
    if whole.box is not None and _agreement(whole, looks) >= _agreement(one, looks):
        left, top, width, height = whole.box
        one = replace(whole, box=(left - room, top - room, width, height), several=one.several)
    return _together(image, one, looks, cut=True, has_learnt=has_learnt)


def surer(one: One, image: Image.Image, probabilities: Probabilities) -> list[Number]:
    """The numbers of a picture if they have several digits and are surer than that it is `one`; or none.

    That a digit is read well says little of its being the only one, if the picture seems to hold more.
    """
    numbers = read_numbers(image, probabilities)
    digits = sum(len(number.digits) for number in numbers)
    if digits < 2:
        return []
    if one.several and digits > _BESIDE:
        return numbers
    together = math.prod(number.confidence for number in numbers) * _all_are_meant(image, numbers)
    alone = one.sureness * (_ONE_OF_THEM if one.several else 1)
    return numbers if together > alone else []


def _all_are_meant(image: Image.Image, numbers: list[Number]) -> float:
    """Weight of several digits in a narrow picture, of which some may be neighbours in view; else 1.

    Of a neighbour, seen by itself, the close-up reader makes less than of the digit that is meant.
    """
    digits = [digit for number in numbers for digit in number.digits]
    boxes = [digit.box for digit in digits]
    tallest = max(height for *_, height in boxes)
    few = len(numbers) == 1 and len(boxes) <= _FEW
    if not few or image.width >= _NARROW * len(boxes) * min(image.height, _CUT_OUT * tallest):
        return 1.0
    least = min(float(close_up.look(image, digit.box)[digit.digit]) for digit in digits)
    weight = min(1.0, (least + _SURELY_NOT) / (1 - least + _SURELY_NOT))
    spans = [(left, left + width) for left, _, width, _ in boxes]
    room = _REACHES * image.height
    ends = min(spans)[0] <= room or max(end for _, end in spans) >= image.width - room
    return weight * (_NEIGHBOUR if ends and reaches_edge(image) else 1)


def _is_settled(image: Image.Image, one: One, whole: One) -> bool:
    """Whether a digit is the same with more paper round the picture, and lies well within this."""
    if one.probabilities is None or whole.probabilities is None or one.box is None:
        return False
    if one.probabilities.argmax() != whole.probabilities.argmax():
        return False
    left, top, width, height = one.box
    gap = min(left, top, image.width - left - width, image.height - top - height)
    return bool(min(one.sureness, whole.sureness) >= CLEAR and gap > _WITHIN * max(image.size))


def _together(
    image: Image.Image, one: One, looks: list[_Look], *, has_learnt: bool, cut: bool = False
) -> One:
    """By Bayes' rule; cut: whether ink is cut off. has_learnt: as for `look_again`."""
    if one.pixels is not None and one.in_ring:
        looks = [*looks, _look_at(strip(one.pixels))]  # others take the ring for a stroke
    row = np.zeros(CLASSES) if one.probabilities is None else one.probabilities
    expected = np.append(row + _DOUBT, max(1 - row.sum(), 0) + _NO_DOUBT) ** _MISLED[cut]
    expected[-1] *= _NONE[cut]
    in_line, close = np.mean(looks, axis=0)
    seen = in_line**_IN_LINE * (close + _RULED_OUT) ** _CLOSE
    shares = seen * expected / expected.sum()
    if one.probabilities is not None and (has_learnt or paper.is_clean(image)):
        # Whether it is a digit is for all to say; which, for who knows the hand, or sees it as it is.
        power, doubt = (_LEARNT, _DOUBT) if has_learnt else (_CLEAN[cut], 0.0)
        which = (row + _DOUBT) ** power * (seen[:CLASSES] + doubt)
        shares[:CLASSES] = shares[:CLASSES].sum() * which / which.sum()
    several = max(1 - in_line.sum(), 0) * _SEVERAL
    together = (shares[:CLASSES] / max(shares.sum() + several, 1e-12)).astype(np.float32)
    if one.pixels is not None:
        return replace(one, probabilities=together)
    if together.max() < SURE_PART:
        return one
    # There seemed to be no ink, as on a chequered ground.
    return replace(one, probabilities=together, pixels=_cut_out(image))


def _cut_out(image: Image.Image) -> NDArray[np.uint8]:
    """What is seen in a picture as a line, in MNIST's form: (28, 28) uint8."""
    shown = strip(grey(image))
    ink = shown >= shown.max() / 2
    return in_28x28(Ink((ink * (shown / 255)).astype(np.float32), ink))


def _agreement(one: One, looks: list[_Look]) -> float:
    """How likely classifier and line reader see the same digit."""
    in_line, _ = np.mean(looks, axis=0)
    return 0.0 if one.probabilities is None else float(in_line[:CLASSES] @ one.probabilities)


def _looks(image: Image.Image, windows: list[Box]) -> list[_Look]:
    """What is in each window of a picture: one of the digits or, last, none."""
    return [_look_at(strip(grey(image.crop(window)))) for window in windows]


def _look_at(pixels: NDArray[np.uint8]) -> _Look:
    """What is in a strip."""
    leant = [leaning(pixels, lean) for lean in line.LEANS]
    ways = [of_digits(columns) for each in leant for columns in line.read_by_each(each)]
    in_line = likelihoods(ways, _ONE_OR_NONE).mean(axis=1)
    close = np.mean([close_up.read(each) for each in leant], axis=0)
    return np.stack([in_line, close[: CLASSES + 1]])


def _windows(image: Image.Image, one: One) -> list[Box]:
    windows: list[Box] = []
    if one.box is None or image.height <= _SMALL or one.box[3] >= _TALL * image.height:
        windows.append((0, 0, *image.size))
    if one.box is not None:
        window = around(one.box, image.size)
        if window not in windows:
            windows.append(window)
    return windows
