"""What digits pictures hold: the picture work of `images` and a classifier, put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digitcli.images.components import find_components
from digitcli.images.ink import Box, Ink, groups, on_page
from digitcli.images.preprocess import Reading, readings
from digitcli.reading.edges import reaches_edge
from digitcli.reading.likelihood import Probabilities

SURE = 0.9
"""Probability of a digit with which the first reading is taken; below it others are tried."""

CLEAR = 0.995
"""Probability of a digit from which on there is nothing to doubt; letters, too, pass for digits at 0.99."""

CERTAIN = 0.9995
"""The same from which on nobody else is asked; what is less clear is at times a letter or a thing."""

SURE_PART = 0.8
"""Probability with which a part of a picture is taken for a digit although there seems to be no ink."""

MOST_READINGS = 4
"""Of the whole picture, that are tried beyond the first."""

SURER = 0.05
"""By how much another reading must be surer than the first, which is the likeliest."""

MOST_PARTS = 3
"""Boxes that the detector found which are looked into."""

_APART = 0.2
"""Distance of what is no part of the same digit, as a share of the larger one's longer side."""

_AS_TALL = 0.5
"""Height of another digit, as a share of the tallest one's."""

_INNER = 0.5
"""Of the picture; where ink was looked for in less, within a frame, there may be other digits outside."""

_WIDE = 1.1
"""Width, in heights, from which on what is read with doubt may be several digits that touch."""


@dataclass(frozen=True)
class One:
    """A picture read as one digit.

    pixels: (28, 28) uint8, what was classified; None if there is no ink.
    probabilities: (10,) float32 of the digits; None if there is no ink.
    box: where that is in the picture: left, top, width, height in its pixels; None if there is no ink.
    several: whether the picture seems to hold more than one digit.
    cut: whether something reaches the edge of the picture, which may be a part of the digit.
    prepared: whether the picture is in MNIST's form, made to be classified as it is; then all is said.
    in_ring: whether a ring round the digit was taken away.
    """

    pixels: NDArray[np.uint8] | None = None
    probabilities: NDArray[np.float32] | None = None
    box: Box | None = None
    several: bool = False
    cut: bool = False
    prepared: bool = False
    in_ring: bool = False

    @property
    def clear(self) -> bool:
        """Whether there is nothing to doubt."""
        return self.prepared or (not self.several and not self.cut and bool(self.sureness >= CLEAR))

    @property
    def certain(self) -> bool:
        """Whether no other reader need be asked."""
        return self.clear and (self.prepared or bool(self.sureness >= CERTAIN))

    @property
    def sure(self) -> bool:
        """Whether other readings need not be tried."""
        return bool(self.sureness >= SURE)

    @property
    def sureness(self) -> np.float32:
        """The probability of the likeliest digit, 0-1."""
        return np.float32(0) if self.probabilities is None else self.probabilities.max()


_BY_SURENESS = attrgetter("sureness")


def read_one(images: Sequence[Image.Image], probabilities: Probabilities) -> list[One]:
    """Each picture, mode L or RGB, read as one digit.

    The likeliest readings of all are classified in one batch; where one is doubtful, so are others of the
    same picture, and the surest is taken.
    """
    waiting = [readings(image) for image in images]
    first = [next(each, None) for each in waiting]
    rows = iter(_classified([each for each in first if each], probabilities))
    ones = []
    for image, reading, others in zip(images, first, waiting, strict=True):
        if reading is None:
            ones.append(_without_ink(image, probabilities))
            continue
        one = _one(reading, next(rows))
        several = reading.ink is not None and (
            _apart(reading.ink, reading.box) or _is_beside_others(reading, reading.ink, image)
        )
        if not one.sure and reading.ink is not None:  # MNIST's form leaves nothing to find
            several = several or reading.box[2] >= _WIDE * reading.box[3]
            wholes = list(islice(others, MOST_READINGS))
            pairs = zip(wholes, _classified(wholes, probabilities), strict=True)
            seen = [_one(other, row) for other, row in pairs]
            part, found_several = _part(image, probabilities)
            several = several or found_several
            surest = max(seen, key=_BY_SURENESS, default=one)
            if surest.sureness > one.sureness + SURER:
                one = surest
            one = max(one, part, key=_BY_SURENESS)
        cut = reading.ink is not None and reaches_edge(image)
        ones.append(replace(one, several=several, cut=cut))
    return ones


def _one(reading: Reading, row: NDArray[np.float32]) -> One:
    """A reading of which a classifier says that; row: (10,)."""
    prepared = reading.ink is None
    return One(reading.pixels, row, reading.box, prepared=prepared, in_ring=reading.in_ring)


def _without_ink(image: Image.Image, probabilities: Probabilities) -> One:
    """A part of a picture that shows a digit although the whole seems blank, as on a chequered ground."""
    part, several = _part(image, probabilities)
    found = replace(part, several=several) if part.sureness >= SURE_PART else One()
    return replace(found, cut=reaches_edge(image))


def _part(image: Image.Image, probabilities: Probabilities) -> tuple[One, bool]:
    """The surest digit that the detector finds in a picture, and whether it finds more than one."""
    # A picture that is read at first sight does without their import.
    from digitcli.reading.find import LIKELY
    from digitcli.reading.many import find_closely, read_found

    found = find_closely(image)
    shown = read_found(image, found.only(slice(MOST_PARTS)), probabilities)
    several = int(np.count_nonzero(found.scores >= LIKELY)) > 1
    ones = (One(each.pixels, each.row, each.box) for each in shown)
    return max(ones, key=_BY_SURENESS, default=One()), several


def _classified(found: list[Reading], probabilities: Probabilities) -> NDArray[np.float32]:
    if not found:
        return np.zeros((0, 10), np.float32)
    return probabilities(np.stack([each.pixels for each in found]))


def _is_beside_others(reading: Reading, ink: Ink, image: Image.Image) -> bool:
    """Whether there may be more outside of what its ink was looked for in."""
    if reading.badge is not None:
        return _apart(reading.badge, reading.box)
    return _share(ink, image) < _INNER


def _share(ink: Ink, image: Image.Image) -> float:
    """How much of the picture the ink was looked for in, 0-1."""
    return ink.mask.size * ink.scale**2 / (image.width * image.height)


def _apart(ink: Ink, digit: Box) -> bool:
    """Whether there is something as tall as a digit in more than one place, or beside the digit read.

    Or something taller that was not even thought to be one, such as a grid: other digits may touch it.
    digit: left, top, width, height in pixels of the picture.
    """
    parts = find_components(ink.mask)
    chosen = on_page(parts, ink.mask.shape, several=True)
    names = groups(parts, chosen, _APART)
    heights = parts.boxes[:, 3] - parts.boxes[:, 1]
    tallest = heights[chosen].max(initial=0)
    if heights[~chosen].max(initial=0) > tallest:
        return True
    # Not numpy.unique, which takes 10 ms to import.
    each = set(names[chosen].tolist())
    places = np.array([np.ptp(parts.boxes[chosen & (names == name)][:, [1, 3]]) for name in each])
    if np.count_nonzero(places >= _AS_TALL * places.max(initial=0)) > 1:
        return True
    ends = digit[0] + digit[2]
    tall = parts.boxes[chosen & (heights >= _AS_TALL * tallest)]
    on_picture = [ink.on_picture(tuple(box)) for box in tall.tolist()]
    return any(right <= digit[0] or left >= ends for left, _, right, _ in on_picture)
