"""Printed forms: a row of cells for each line of writing, and one cell for each digit."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from digitcli.simulator.writing import Strokes


def in_cells(
    lines: list[list[Strokes]], pen: float, rng: np.random.Generator
) -> tuple[list[Strokes], Strokes]:
    """Puts each glyph into a cell of a form; all cells are alike, some of them may stay empty.

    pen: its width in heights of a digit. Returns the glyphs, moved, in reading order, and the walls of the
    cells as straight strokes.
    """
    widest = max(
        (float(np.ptp(np.concatenate(glyph)[:, 0])) for line in lines for glyph in line), default=0.6
    )
    cell = np.array([widest + pen, 1 + pen]) * rng.uniform(1, [1.8, 1.6])
    gap = rng.uniform(0.05, 0.5) if rng.uniform() < 0.5 else 0.0
    lead = cell[1] + (rng.uniform(0.1, 0.8) if rng.uniform() < 0.5 else 0)
    empty = int(rng.integers(1, 5)) if rng.uniform() < 0.4 else 0
    placed: list[Strokes] = []
    walls: Strokes = []
    for row, glyphs in enumerate(lines or [[]]):
        for column in range(max((len(line) for line in lines), default=1) + empty):
            corner = np.array([column * (cell[0] + gap), row * lead])
            walls += _walls(corner, corner + cell)
            if column < len(glyphs):
                points = np.concatenate(glyphs[column])
                free = cell - np.ptp(points, axis=0) - pen
                aside = free * (0.5 + rng.normal(0, 0.16, 2).clip(-0.45, 0.45))
                shift = corner + pen / 2 + aside - points.min(axis=0)
                placed.append([(stroke + shift).astype(np.float32) for stroke in glyphs[column]])
    return placed, walls


def _walls(low: NDArray[np.float64], high: NDArray[np.float64]) -> Strokes:
    """The four sides of a cell."""
    (left, top), (right, bottom) = low, high
    corners = [(left, top), (left, bottom), (right, bottom), (right, top), (left, top)]
    return [np.array(ends, np.float32) for ends in pairwise(corners)]
