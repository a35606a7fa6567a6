"""Signs that stand between digits, in sums, prices and telephone numbers, and are none.

Slashes and brackets are left out: a detector that learns them misses ones that lean.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SIGNS = {
    ".": ("0,97 3,100", "0,94 4,98", "2,95 0,100 4,99"),
    ",": ("8,90 6,104 -4,116", "6,86 4,102 0,112", "10,84 0,112"),
    "'": ("4,0 0,16", "6,-6 2,14"),
    "-": ("0,52 40,52", "0,56 70,50", "0,62 26,60", "0,50 140,46"),
    "/": ("40,-8 0,108", "60,-4 0,104", "52,10 8,120"),
    ":": ("0,32 3,35 | 0,92 3,95", "0,48 3,50 | 0,90 2,93"),
    "+": ("0,52 50,52 | 25,26 25,78", "0,56 64,52 | 34,20 30,88", "28,24 28,84 | 2,54 54,54"),
    "=": ("0,42 45,42 | 0,62 45,62", "0,38 70,36 | 0,60 72,58", "0,50 34,50 | 2,66 34,64"),
    "×": (
        "0,40 42,86 | 42,40 0,86",
        "0,28 50,92 | 52,26 0,90",
        "4,44 30,78 | 32,46 2,80",
        "0,52 40,98 | 42,50 0,100",
    ),
    "÷": ("0,54 50,54 | 24,30 27,33 | 24,76 27,79", "0,52 60,52 | 30,20 33,23 | 30,84 33,87"),
    "(": ("26,-8 6,22 4,70 26,110", "34,-4 10,20 2,56 14,92 30,112", "30,-24 4,10 0,60 8,110 34,126"),
    ")": ("2,-8 24,22 26,70 2,110", "0,-4 24,20 32,56 18,92 0,112", "0,-30 30,10 36,60 24,110 2,130"),
    "*": (
        "22,12 22,58 | 2,24 42,46 | 42,24 2,46",
        "20,40 20,84 | 0,50 40,74 | 40,50 0,74",
    ),
    "$": (
        "50,14 20,4 6,26 24,46 48,60 44,88 6,92 | 28,-12 24,112",
        "54,10 10,16 14,42 50,58 40,92 2,86 | 36,-10 30,110",
    ),
    "#": (
        "22,0 10,100 | 50,0 38,100 | 2,34 60,34 | 0,68 58,68",
        "30,6 14,94 | 54,6 38,94 | 8,36 66,32 | 2,66 60,62",
    ),
}
"""Ways to write each sign: strokes separated by "|", of points "x,y" in hundredths of a digit's height; the
line is at y = 100."""

_ANY = {
    "dash": "0,52 40,52",
    "dot": "0,97 3,100",
    "comma": "8,90 6,104 -4,116",
    "colon": "0,32 3,35 | 0,92 3,95",
    "plus": "0,52 50,52 | 25,26 25,78",
    "equals": "0,42 45,42 | 0,62 45,62",
    "times": "0,40 42,86 | 42,40 0,86",
}
"""Those that the detector learns."""


def written(sign: str, rng: np.random.Generator) -> list[NDArray[np.float32]]:
    """One of SIGNS as a person might write it: strokes in heights of a digit, whose line is at y = 0."""
    ways = SIGNS[sign]
    strokes = _strokes(ways[rng.integers(len(ways))], rng, np.exp(rng.normal(0, 0.2, 2)), 0.0)
    return [stroke - np.array((0, 1), np.float32) for stroke in strokes]


def sign(rng: np.random.Generator) -> list[NDArray[np.float32]]:
    """Any of them as a person might write it: strokes in heights of a digit, whose line is at y = 1."""
    way = _ANY[tuple(_ANY)[rng.integers(len(_ANY))]]
    size, slant = np.exp(rng.normal(0, 0.12, 2)), rng.normal(0.05, 0.1)
    return _strokes(way, rng, size, slant)


def _strokes(
    way: str, rng: np.random.Generator, size: NDArray[np.float64], slant: float
) -> list[NDArray[np.float32]]:
    strokes = []
    for stroke in way.split("|"):
        points = np.array([[float(each) for each in point.split(",")] for point in stroke.split()]) / 100
        points += rng.normal(0, 0.015, points.shape)
        x, y = (points * size).T
        strokes.append(np.stack([x - slant * y, y], axis=1).astype(np.float32))
    return strokes
