"""The close-up reader: a network that sees grey pixels, and tells which digit they were cut out round."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from digitcli.convention import CLASSES
from digitcli.reading.network import network
from digitcli.reading.strip import HEIGHT
from digitcli.reading.transcript import softmax

MODEL = Path(__file__).parents[1] / "assets" / "close-up.tflite"

SIDE = HEIGHT
"""Pixels of what it sees, either way."""

NONE, SEVERAL = CLASSES, CLASSES + 1
"""What it tells beside the digits: that there is none, or several, of which none is meant."""

OUTCOMES = CLASSES + 2


def read(strip: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The probability of each digit, of NONE and of SEVERAL: (OUTCOMES,).

    strip: (HEIGHT, width) uint8, as from `strip`.
    """
    return softmax(network(MODEL)(square(strip)[..., None]))


def square(strip: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(SIDE, SIDE) uint8: a strip on black, narrowed and lowered where it is wider than high."""
    rows, columns = strip.shape
    if columns > SIDE:
        rows, columns = max(1, round(rows * SIDE / columns)), SIDE
        strip = np.asarray(cv2.resize(strip, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)
    top, left = (SIDE - rows) // 2, (SIDE - columns) // 2
    return np.pad(strip, ((top, SIDE - rows - top), (left, SIDE - columns - left)))
