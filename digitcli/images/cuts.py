"""Where touching digits may be cut apart: along the paths from top to bottom that cross the least ink."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

_ROWS = 40
"""Paths are looked for where a digit is so many pixels tall."""

_ASIDE = 0.04
"""What a step to the side costs, as a share of a pixel of ink."""

_WIDEST_CROSSING = 2.4
"""Of the strokes that a path crosses, in widths of the pen: two strokes, as above each other in a 0."""

_NARROWEST = 0.12
"""Of the parts between two paths, in heights of a digit."""


_TALLEST = 2.5
"""Of what is cut, in heights of a digit; taller is a line or a drawing."""


@dataclass(frozen=True)
class Part:
    """A part of a component: the mask of the whole where it is this part, (height, width).

    crossed: the ink that was cut through at its left, in widths of the pen; 0 for the first.
    """

    mask: Mask
    crossed: float = 0.0


def cut(mask: Mask, height: float, pen: float) -> list[Part]:
    """The parts, from left to right, that a component (height, width) may fall into; often more than digits.

    height: of a digit, in pixels of the mask. pen: the width of its strokes.
    Paths are the shortest ones through the picture where ink is far to walk: a variant of the drop that falls
    along strokes (Congedo et al., "Segmentation of numeric strings", 1995).
    """
    if mask.shape[0] > _TALLEST * height:
        return [Part(mask)]
    scale = _ROWS / height
    size = (max(1, round(mask.shape[1] * scale)), max(1, round(mask.shape[0] * scale)))
    margin = max(1, round(_NARROWEST * _ROWS))
    if size[0] <= 2 * margin + 1:
        return [Part(mask)]
    shrinking = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    ink = np.asarray(cv2.resize(mask.astype(np.float32), size, interpolation=shrinking), np.float32)
    down, up = _costs(ink), _costs(ink[::-1])[::-1]
    middle = len(ink) // 2
    through = (down + up - ink)[middle]
    starts = _minima(through, margin, _WIDEST_CROSSING * pen * scale)
    if not starts:
        return [Part(mask)]
    paths = np.array([_path(down, up, middle, start) for start in starts])
    rows = np.minimum((np.arange(mask.shape[0]) * len(ink)) // mask.shape[0], len(ink) - 1)
    edges = (paths[:, rows] + 0.5) * mask.shape[1] / size[0]
    index = (np.arange(mask.shape[1]) >= edges[:, :, None]).sum(axis=0)
    crossed = [0.0, *(float(through[start]) / (pen * scale) for start in starts)]
    parts = [Part(mask & (index == number), cost) for number, cost in enumerate(crossed)]
    return [part for part in parts if part.mask.any()]


def _costs(ink: NDArray[np.float32]) -> NDArray[np.float32]:
    """How far it is from the top to each pixel, that included."""
    costs = ink.copy()
    for row in range(1, len(ink)):
        above = costs[row - 1]
        nearest = above.copy()
        np.minimum(nearest[1:], above[:-1] + np.float32(_ASIDE), out=nearest[1:])
        np.minimum(nearest[:-1], above[1:] + np.float32(_ASIDE), out=nearest[:-1])
        costs[row] += nearest
    return costs


def _minima(costs: NDArray[np.float32], margin: int, highest: float) -> list[int]:
    """Where costs (n,) are lowest within `margin`, the middle of the lowest stretch, and not too high."""
    padded = np.pad(costs, margin, mode="edge")
    least = np.lib.stride_tricks.sliding_window_view(padded, 2 * margin + 1).min(axis=1)
    low = (costs <= least + 1e-4) & (costs <= highest)
    low[:margin] = low[-margin:] = False
    edges = np.flatnonzero(np.diff(low, prepend=False, append=False))
    minima: list[int] = []
    for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        middle = (start + end - 1) // 2
        if not minima or middle - minima[-1] >= margin:
            minima.append(middle)
    return minima


def _path(down: NDArray[np.float32], up: NDArray[np.float32], middle: int, start: int) -> list[int]:
    """The column of the cheapest path in each row, that goes through `start` in row `middle`."""
    above = _followed(down[:middle][::-1], start)
    below = _followed(up[middle + 1 :], start)
    return [*above[::-1], start, *below]


def _followed(costs: NDArray[np.float32], start: int) -> list[int]:
    path = []
    at = start
    for row in costs.tolist():
        # Straight on where that is as cheap.
        at = min(
            (column for column in (at, at - 1, at + 1) if 0 <= column < len(row)),
            key=lambda column: row[column] + (_ASIDE if column != at else 0),
        )
        path.append(at)
    return path
