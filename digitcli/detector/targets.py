"""What the detector's network should answer, cell by cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from digitcli.reading.find import STRIDE

SMALLEST = 6.5
"""Pixels on the longer side of a digit that has to be found."""

LEAST_SEEN = 0.75
"""Of a digit that has to be found, where the edge of the picture cuts it."""

_SPREAD = 0.13
"""Deviation of the peak around a centre, in sides of the box."""

_INNER = 0.22
"""How far from the centre cells still tell box and class, in sides of the box."""

_SLENDER = 0.5
"""Narrow digits, such as 1, are taken for this wide in heights, and flat ones for this tall."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Targets:
    """For cells (rows, columns) of STRIDE pixels.

    centres: 1 in the cell of a centre, falling off around it like a bell.
    counted: 0 where it does not matter what is answered.
    labels: the digit whose box a cell tells, or -1. boxes: (rows, columns, 4) these boxes, in cells.
    """

    centres: Floats
    counted: Floats
    labels: NDArray[np.int8]
    boxes: Floats


def targets(boxes: Floats, labels: NDArray[np.uint8], side: int) -> Targets:
    """For a picture of `side` pixels. boxes: (n, 4) in its pixels; labels: (n,)."""
    cells = side // STRIDE
    wanted = Targets(
        np.zeros((cells, cells), np.float32),
        np.ones((cells, cells), np.float32),
        np.full((cells, cells), -1, np.int8),
        np.zeros((cells, cells, 4), np.float32),
    )
    nearest = np.full((cells, cells), np.inf, np.float32)
    for box, label in zip(boxes / STRIDE, labels.tolist(), strict=True):
        seen = box.clip(0, cells)
        share = np.prod(seen[2:] - seen[:2]) / max(float(np.prod(box[2:] - box[:2])), 1e-6)
        if share == 0:
            continue
        if share < LEAST_SEEN or (box[2:] - box[:2]).max() * STRIDE < SMALLEST:
            left, top = np.floor(seen[:2]).astype(int)
            right, bottom = np.ceil(seen[2:]).astype(int)
            wanted.counted[top:bottom, left:right] = 0
        else:
            _add(wanted, nearest, box, label)
    return wanted


def _add(wanted: Targets, nearest: Floats, box: Floats, label: int) -> None:
    cells = len(nearest)
    middle, (width, height) = (box[:2] + box[2:]) / 2, (box[2:] - box[:2])
    wide, tall = max(width, _SLENDER * height), max(height, _SLENDER * width)
    deviation = np.maximum(_SPREAD * np.array([wide, tall]), 0.5)
    reach = np.ceil(3 * deviation).astype(int)
    at = middle.astype(int).clip(0, cells - 1)
    left, top = (at - reach).clip(0, None)
    right, bottom = (at + reach + 1).clip(None, cells)
    area = np.s_[top:bottom, left:right]
    across = (np.arange(left, right) + 0.5 - middle[0])[None]
    down = (np.arange(top, bottom) + 0.5 - middle[1])[:, None]
    bell = np.exp(-((across / deviation[0]) ** 2 + (down / deviation[1]) ** 2) / 2)
    wanted.centres[area] = np.maximum(wanted.centres[area], bell)
    wanted.centres[at[1], at[0]] = 1
    inner = (np.abs(across) <= max(_INNER * width, 0.5)) & (np.abs(down) <= max(_INNER * height, 0.5))
    distance = (across / wide) ** 2 + (down / tall) ** 2
    inner &= distance < nearest[area]
    nearest[area][inner] = np.broadcast_to(distance, inner.shape)[inner]
    wanted.labels[area][inner] = label
    wanted.boxes[area][inner] = box
