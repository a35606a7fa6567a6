"""Bars: what a detector takes for ones are at times some of many, as in a barcode, a fence or a comb."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digitcli.reading.find import LIKELY, Found

_AROUND = 3.0
"""Of a one, to either side, in its heights, where bars are looked for."""

_MANY = 5
"""Strokes there from which on they are bars, beside all that is likely a digit."""

_BANDS = (0.2, 0.4), (0.6, 0.8)
"""Two bands of a one, in its height, in which bars look the same."""

_SAME = 0.8
"""Correlation of the two from which on they do."""

_LEANING = 0.1
"""How far one may be moved for that, in the height of the one."""


def without_bars(image: Image.Image, found: Found) -> Found:
    """What may be digits in a picture, mode L or RGB, without ones that are bars."""
    ones = found.probabilities.argmax(axis=1) == 1
    if not ones.any():
        return found
    digits = found.boxes[found.scores >= LIKELY]
    bars = [bool(one) and _is_bar(image, box, digits) for one, box in zip(ones, found.boxes, strict=True)]
    return found.only(~np.array(bars))


def _is_bar(image: Image.Image, box: NDArray[np.float32], digits: NDArray[np.float32]) -> bool:
    """Whether more of the same stand beside it. digits: the boxes of what is likely one, (n, 4)."""
    left, top, right, bottom = box.tolist()
    height = bottom - top
    start, end = max(0, int(left - _AROUND * height)), min(image.width, int(right + _AROUND * height) + 1)
    room = max(1, round(_LEANING * height))
    if end - start <= 2 * room:
        return False
    upper, lower = (
        _profile(image.crop((start, int(top + height * first), end, int(top + height * last) + 1)))
        for first, last in _BANDS
    )
    middle = (top + bottom) / 2
    elsewhere = np.ones(end - start, bool)
    for first, above, last, below in digits.tolist():
        if above < middle < below:
            elsewhere[max(0, int(first) - start) : max(0, int(last) + 1 - start)] = False
    if min(_strokes(upper, elsewhere), _strokes(lower, elsewhere)) < _MANY:
        return False
    alike = cv2.matchTemplate(upper[None], lower[None, room:-room], cv2.TM_CCOEFF_NORMED)
    return bool(alike.max() >= _SAME)


def _profile(strip: Image.Image) -> NDArray[np.float32]:
    """The mean grey of each column, (width,)."""
    profile: NDArray[np.float32] = np.asarray(strip.convert("L")).mean(axis=0, dtype=np.float32)
    return profile


def _strokes(profile: NDArray[np.float32], where: NDArray[np.bool_]) -> int:
    """How many strokes, darker than halfway between its ends, begin in some of its columns."""
    dark = (profile < (profile.min() + profile.max()) / 2) & where
    return int(np.count_nonzero(np.diff(dark.astype(np.int8)) == 1))
