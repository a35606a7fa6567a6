"""Signs that stand between digits, in sums, prices and telephone numbers, and are none.

Slashes and brackets are left out: a detector that learns them misses ones that lean.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_SIGNS = {
    "dash": "0,52 40,52",
    "dot": "0,97 3,100",
    "comma": "8,90 6,104 -4,116",
    "colon": "0,32 3,35 | 0,92 3,95",
    "plus": "0,52 50,52 | 25,26 25,78",
    "equals": "0,42 45,42 | 0,62 45,62",
    "times": "0,40 42,86 | 42,40 0,86",
}
"""Strokes separated by "|", of points "x,y" in hundredths of a digit's height; the line is at y = 100."""


def sign(rng: np.random.Generator) -> list[NDArray[np.float32]]:
    """Any of them as a person might write it: strokes in heights of a digit, whose line is at y = 1."""
    written = _SIGNS[tuple(_SIGNS)[rng.integers(len(_SIGNS))]]
    size, slant = np.exp(rng.normal(0, 0.12, 2)), rng.normal(0.05, 0.1)
    strokes = []
    for stroke in written.split("|"):
        points = np.array([[float(each) for each in point.split(",")] for point in stroke.split()]) / 100
        points += rng.normal(0, 0.015, points.shape)
        x, y = (points * size).T
        strokes.append(np.stack([x - slant * y, y], axis=1).astype(np.float32))
    return strokes
