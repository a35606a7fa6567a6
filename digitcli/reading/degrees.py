"""Degree signs: small rings that stand raised behind a digit, which every reader takes for zeros."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from digitcli.images.ink import Box
from digitcli.reading.find import LIKELY, Found

_READ_AS = (0, 9)
"""What the detector takes it for, the latter where a letter follows."""

_SMALLEST, _LARGEST, _ROUND = 0.25, 0.62, 1.3
"""Height, in heights of the digit before it, and its longer side at most, in shorter ones."""

_RAISED, _LOWERED = 0.62, 0.25
"""Where it ends and where it begins at most, below the top of that digit, in its heights."""

_NEAR = 0.6
"""Paper between the two at most, in the same."""

_ROOM = 0.1
"""Paper around it that belongs to it, in the same: its edge is soft."""


def find_degrees(found: Found, size: tuple[int, int]) -> list[Box]:
    """Where degree signs are, with some paper: left, top, right, bottom in pixels of the picture.

    size: width and height of the picture.
    """
    degrees = []
    for ring, digit in _pairs(found):
        left, top, right, bottom = found.boxes[ring].tolist()
        _, above, end, below = found.boxes[digit].tolist()
        room = _ROOM * (below - above)
        start = max(left - room, end, 0)  # nothing of the digit
        corner = min(size[0], int(right + room) + 1), min(size[1], int(bottom + room) + 1)
        degrees.append((int(start), max(0, int(top - room)), *corner))
    return degrees


def are_degrees(found: Found) -> NDArray[np.bool_]:
    """Of each that may be a digit, whether it is one, (n,)."""
    return np.isin(np.arange(len(found)), [ring for ring, _ in _pairs(found)])


def _pairs(found: Found) -> list[tuple[int, int]]:
    """The indices of each degree sign and of the digit before it.

    Of raised rings side by side all are digits: cents are written so.
    """
    likely = found.scores >= LIKELY
    lefts, tops, rights, bottoms = found.boxes.T
    tall = bottoms - tops
    named = found.probabilities.argmax(axis=1)
    pairs = []
    for ring in np.flatnonzero(likely & np.isin(named, _READ_AS)).tolist():
        left, top, right, bottom = found.boxes[ring]
        sides = right - left, bottom - top
        if max(sides) > _ROUND * min(sides):
            continue
        sized = (_SMALLEST * tall <= bottom - top) & (bottom - top <= _LARGEST * tall)
        raised = (top - tops <= _LOWERED * tall) & (bottom - tops <= _RAISED * tall) & (bottom > tops)
        behind = ((left + right) / 2 > rights) & (left - rights <= _NEAR * tall)
        before = np.flatnonzero(likely & sized & raised & behind)
        if not before.size:
            continue
        digit = int(before[rights[before].argmax()])
        others = likely & (lefts > lefts[digit]) & (lefts - right <= _NEAR * tall[digit])
        others[ring] = False
        if not (others & (bottoms - tops[digit] <= _RAISED * tall[digit])).any():
            pairs.append((ring, digit))
    return pairs
