"""What stands beside digits and was read as some: printed words, walls of cells, parts of rings, ticks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digitcli.images.components import find_components
from digitcli.images.ink import grown
from digitcli.images.preprocess import inks
from digitcli.reading.digit import Digit, median_height

Line = list[Digit]

_TOWERING = 1.25
"""Height of what is no 1 but a wall or part of a ring, against the tallest other digit of its line."""

_PRINT = 0.7
"""Height of a line that may be print, against the tallest line's."""

_TICKS = 3
"""Ones in such a line, from which on they are the marks along an axis."""

_DOUBTFUL = 0.5
"""Confidence below which what stands in such a line counts as a letter."""

_ROOM = 0.6
"""What belongs to a line above and below it, in heights of a digit: letters, and the walls of cells."""

_LOOKS = 3
"""Ways to tell ink from paper, of which that with the most ink is sure to have the walls."""


def without_what_stands_beside(lines: Sequence[Line], image: Image.Image) -> list[Line]:
    """The digits of a picture, in lines, without those that are none for what they stand beside.

    A single line of other digits than 1 stays as it is.
    """
    low = may_be_print(lines)
    written = [
        line
        for line, may_be in zip(lines, low, strict=True)
        if not may_be or not (_is_of_ticks(line) or _is_of_words(line, image))
    ]
    return [_without_walls(_without_towers(line), image) for line in written]


def may_be_print(lines: Sequence[Line]) -> list[bool]:
    """Of each line, whether it is so much lower than the tallest."""
    tallest = max(map(median_height, lines), default=0.0)
    return [median_height(line) < _PRINT * tallest for line in lines]


def _is_of_ticks(line: Line) -> bool:
    """Whether a lower line has ones only, as the marks along an axis are read."""
    return len(line) >= _TICKS and all(digit.digit == 1 for digit in line)


def _without_towers(line: Line) -> Line:
    """Without ones that are much taller than all others, of which there are two at least."""

    def is_tower(digit: Digit) -> bool:
        others = [other.box[3] for other in line if other is not digit]
        return digit.digit == 1 and len(others) > 1 and digit.box[3] > _TOWERING * max(others)

    return [digit for digit in line if not is_tower(digit)]


def _is_of_words(line: Line, image: Image.Image) -> bool:
    """Whether as much in a line, as tall as digits, is read with doubt or not at all as is read: letters."""
    left, top, right, bottom = _parts(line, image).T
    similar = np.abs(np.log((bottom - top) / median_height(line))) < np.log(2)
    middles = ((left + right) / 2)[similar, None]
    starts, _, widths, _ = np.array([digit.box for digit in line]).T
    read = ((starts <= middles) & (middles <= starts + widths)).any(axis=1)
    doubtful = sum(digit.confidence < _DOUBTFUL for digit in line)
    return bool(np.count_nonzero(~read) + doubtful >= len(line) - doubtful)


def _without_walls(line: Line, image: Image.Image) -> Line:
    """Without ones outside of all cells, where most others stand in one."""
    height = median_height(line)
    ones = [digit for digit in line if digit.digit == 1 and digit.box[3] >= height]
    if not ones or len(line) < 3:
        return line
    cells = _parts(line, image, background=True)
    width, tall = (cells[:, 2:] - cells[:, :2]).T
    cells = cells[(tall >= height) & (width >= height / 2)]

    def in_cell(digit: Digit) -> bool:
        left, top, wide, high = digit.box
        x, y = left + wide / 2, top + high / 2
        return bool(((cells[:, 0] < x) & (x < cells[:, 2]) & (cells[:, 1] < y) & (y < cells[:, 3])).any())

    inside = list(map(in_cell, line))
    if 2 * sum(inside) < len(line):
        return line
    return [digit for digit, stands in zip(line, inside, strict=True) if stands or digit not in ones]


def _parts(line: Line, image: Image.Image, *, background: bool = False) -> NDArray[np.float64]:
    """The boxes of all parts of the ink of a line, or of the paper that ink encloses.

    (n, 4), left, top, right, bottom in pixels of the picture.
    """
    room = _ROOM * median_height(line)
    top = max(0, int(min(digit.box[1] for digit in line) - room))
    bottom = min(image.height, int(max(digit.box[1] + digit.box[3] for digit in line) + room))
    looks = [ink for _, ink in islice(inks(image.crop((0, top, image.width, bottom))), _LOOKS)]
    if not looks:
        return np.zeros((0, 4))
    ink = max(looks, key=lambda each: int(np.count_nonzero(each.mask)))
    boxes = find_components(~grown(ink.mask) if background else ink.mask).boxes
    if background:
        height, width = ink.mask.shape
        boxes = boxes[(boxes > 0).all(axis=1) & (boxes[:, 2] < width) & (boxes[:, 3] < height)]
    return np.asarray(boxes * ink.scale + np.tile([ink.left, ink.top + top], 2))
