"""All digits of a picture, in reading order: found by the detector, cut out, and read by a classifier."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digitcli.convention import CLASSES
from digitcli.images.boxes import NO_BOXES, in_box, tightened
from digitcli.images.ink import Box
from digitcli.reading.bars import without_bars
from digitcli.reading.beside import may_be_print, without_what_stands_beside
from digitcli.reading.degrees import are_degrees
from digitcli.reading.digit import Digit, cutting
from digitcli.reading.find import GLANCE, LIKELY, Found, distinct, find
from digitcli.reading.likelihood import Probabilities, seen_twice

_DOUBT = 0.01
"""Probability that is left to each digit the detector rules out."""

_SETTLED = 0.8
"""Probability, by detector and classifier together, from which on no other look at a digit is taken."""

_AT_ONCE = 0.4
"""Probability of each digit, by the detector, from which on two line readers that see as many are enough."""

_LOOKED_AT = 0.15
"""Score from which on what was found tells where to look closer."""

_LEGIBLE = 38
"""Height of a digit, in pixels that the detector saw; where they are smaller, look closer."""

_CLOSER = 1.25
"""Least enlargement that is worth another look."""

_LOOKS = 2
"""Times that a picture is looked at closer."""

_ROOM = 1.0
"""Paper around digits that are looked at closer, in heights of one."""

_SMALL = 0.4
"""Height of what is no digit of the same writing, against the tallest one's."""

_BESIDE = 0.35
"""How much of the lower of two boxes lies beside the other if both are of one line, 0-1."""


Look = tuple[NDArray[np.uint8], Box]
"""As from `in_box`."""


def read_many(
    image: Image.Image, probabilities: Probabilities, found: Found | None = None
) -> list[list[Digit]]:
    """The digits of a picture: lines from top to bottom, in each its digits from left to right.

    image: mode L or RGB. probabilities: a classifier, (n, 28, 28) uint8 to (n, 10). found: what may be digits
    in it, if that is known. Lines may be slanted, digits broken or touching. An empty list where there are
    none.
    """
    found = find_closely(image) if found is None else found
    likely = found.only(found.scores >= LIKELY)
    digits = [
        Digit(int(each.row.argmax()), float(each.row.max()), each.box, each.pixels)
        for each in read_found(image, likely, probabilities, likely.boxes)
        if each.row.sum() >= LIKELY
    ]
    digits.sort(key=lambda digit: -digit.confidence)
    boxes = np.array([digit.box for digit in digits]).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    # Ink of digits side by side may overlap far, but what lies in another digit is a part of that.
    once = distinct(boxes, same=1)
    rows = [[digits[once[index]] for index in line] for line in lines(boxes[once])]
    return without_what_stands_beside(rows, image)


def found_at_once(image: Image.Image, found: Found) -> list[list[Digit]]:
    """The same as the detector alone has them, where it is sure of all; else none.

    image, found: as for `read_many`.
    """
    likely = found.only(found.scores >= LIKELY)
    sure = likely.scores * likely.probabilities.max(axis=1, initial=0)
    if not len(likely) or sure.min() < _AT_ONCE:
        return []
    digits = []
    for box, named, confidence in zip(likely.boxes, likely.probabilities, sure.tolist(), strict=True):
        left, top, right, bottom = tightened(image, box)
        ink = left, top, right - left, bottom - top
        digits.append(Digit(int(named.argmax()), confidence, ink, cutting(image, box, likely.boxes)))
    rows = [[digits[index] for index in line] for line in lines(likely.boxes)]
    return [] if any(may_be_print(rows)) else rows


@dataclass(frozen=True)
class Shown:
    """What was found in a picture, as it was classified.

    pixels: (28, 28) uint8. box: left, top, width, height in pixels of the picture.
    row: (10,) float32, the probabilities of the digits; what they lack to 1 is that it is none.
    """

    pixels: NDArray[np.uint8]
    box: Box
    row: NDArray[np.float32]


def read_found(
    image: Image.Image,
    found: Found,
    probabilities: Probabilities,
    neighbours: NDArray[np.float32] = NO_BOXES,
) -> list[Shown]:
    """What the detector found, each in the way to see it in which it and the classifier are surest together.

    neighbours: (n, 4), as the `others` of `in_box`, if what was found are not several guesses at one digit.
    Where there is no ink, nothing was found.
    """
    named = _DOUBT + (1 - CLASSES * _DOUBT) * found.probabilities
    waiting = [in_box(image, box, neighbours) for box in found.boxes]
    looks = [list(islice(each, 1)) for each in waiting]
    rows = _classified(looks, probabilities)
    more = [
        list(each) if len(row) and (row * name).max() < _SETTLED else []
        for each, row, name in zip(waiting, rows, named, strict=True)
    ]
    rows = [np.concatenate(each) for each in zip(rows, _classified(more, probabilities), strict=True)]
    shown = []
    for index, its in enumerate(rows):
        if not len(its):
            continue
        best = int((its * named[index]).max(axis=1).argmax())
        pixels, (left, top, right, bottom) = (looks[index] + more[index])[best]
        row = seen_twice(float(found.scores[index]), named[index], its[best])
        shown.append(Shown(pixels, (left, top, right - left, bottom - top), row))
    return shown


def _classified(looks: list[list[Look]], probabilities: Probabilities) -> list[NDArray[np.float32]]:
    """The rows of the looks at each box, (n, 10), of all boxes in one batch."""
    every = [pixels for each in looks for pixels, _ in each]
    if not every:
        return [np.zeros((0, CLASSES), np.float32)] * len(looks)
    ends = np.cumsum([len(each) for each in looks])
    return np.split(probabilities(np.stack(every)), ends[:-1])


def find_closely(image: Image.Image) -> Found:
    """What may be digits in a picture; where they are small in it, from more of its pixels."""
    found = _alike(find(image, GLANCE))
    if found.scores.max(initial=0) < LIKELY:
        found = _alike(find(image))  # too small to be seen from far
    for _ in range(_LOOKS):
        window = _window(found, image.size)
        if window is None:
            break
        closer = _alike(find(image.crop(window)).moved(window[0], window[1]))
        if found.scale < _CLOSER * closer.scale or closer.scores.sum() < 0.8 * found.scores.sum():
            break
        found = closer
    return without_bars(image, found)


def _alike(found: Found) -> Found:
    """Without what is much smaller than the digits, but no degree sign: print beside them, as on an axis."""
    heights = found.boxes[:, 3] - found.boxes[:, 1]
    tallest = heights[found.scores >= LIKELY].max(initial=0)
    return found.only((heights >= _SMALL * tallest) | are_degrees(found))


def _window(found: Found, size: tuple[int, int]) -> Box | None:
    """Left, top, right, bottom of where to look closer for digits; None if they are large enough."""
    seen = found.boxes[found.scores >= _LOOKED_AT]
    if not len(seen):
        return None
    height = float(np.median(seen[:, 3] - seen[:, 1]))
    if height >= _LEGIBLE * found.scale:
        return None
    room = _ROOM * height
    left, top = np.maximum(seen[:, :2].min(axis=0) - room, 0).astype(int).tolist()
    right, bottom = np.minimum(seen[:, 2:].max(axis=0) + room, size).astype(int).tolist()
    return left, top, right, bottom


def lines(boxes: NDArray[np.number[Any]]) -> list[list[int]]:
    """Boxes (n, 4) as lines from top to bottom: the indices in each, from left to right."""
    rows: list[list[int]] = []
    for index in np.argsort(boxes[:, 0] + boxes[:, 2], kind="stable").tolist():
        beside = [_beside(boxes[row[-1]], boxes[index]) for row in rows]
        if beside and max(beside) > _BESIDE:
            rows[int(np.argmax(beside))].append(index)
        else:
            rows.append([index])
    return sorted(rows, key=lambda row: float(boxes[row[0], [1, 3]].mean()))


def _beside(a: NDArray[np.number[Any]], b: NDArray[np.number[Any]]) -> float:
    """How much of the lower of two boxes lies beside the other, 0-1."""
    shared = min(a[3], b[3]) - max(a[1], b[1])
    return float(shared / max(min(a[3] - a[1], b[3] - b[1]), 1))
