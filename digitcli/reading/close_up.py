"""The close-up reader: a network that sees grey pixels, and tells which digit they were cut out round."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digitcli.convention import CLASSES
from digitcli.images.ink import Box
from digitcli.reading.network import network
from digitcli.reading.one import One
from digitcli.reading.strip import HEIGHT, around, grey, strip
from digitcli.reading.transcript import softmax

MODEL = Path(__file__).parents[1] / "assets" / "close-up.tflite"

SIDE = HEIGHT
"""Pixels of what it sees, either way."""

NONE, SEVERAL = CLASSES, CLASSES + 1
"""What it tells beside the digits: that there is none, or several, of which none is meant."""

OUTCOMES = CLASSES + 2

_DOUBTED, _NO_DIGIT = 0.1, 0.5
"""Probability of a digit below which it is doubted although the classifier sees it, with more than that of
NONE."""


def may_be(one: One, image: Image.Image) -> bool:
    """Whether a picture, mode L or RGB, may show the digit that was read in it.

    Signs and things may look like one as soon as their ink is cut out.
    """
    if one.probabilities is None or one.box is None:
        return False
    seen = look(image, one.box)
    return bool(seen[one.probabilities.argmax()] >= _DOUBTED or seen[NONE] <= _NO_DIGIT)


def look(image: Image.Image, box: Box) -> NDArray[np.float32]:
    """As `read`, of a digit's box (left, top, width, height) in a picture, mode L or RGB."""
    return read(strip(grey(image.crop(around(box, image.size)))))


def read(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The probability of each digit, of NONE and of SEVERAL: (OUTCOMES,).

    pixels: (HEIGHT, width) uint8, as from `strip`.
    """
    return softmax(network(MODEL)(square(pixels)[..., None]))


def square(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(SIDE, SIDE) uint8: a strip on black, narrowed and lowered where it is wider than high."""
    rows, columns = pixels.shape
    if columns > SIDE:
        rows, columns = max(1, round(rows * SIDE / columns)), SIDE
        pixels = np.asarray(cv2.resize(pixels, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)
    top, left = (SIDE - rows) // 2, (SIDE - columns) // 2
    return np.pad(pixels, ((top, SIDE - rows - top), (left, SIDE - columns - left)))
