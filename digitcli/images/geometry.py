"""MNIST's own geometry: how a digit that was cut out lies in its 28x28.

MNIST was made from black-and-white scans: the digit was cut out, scaled with anti-aliasing so that it just
fits in 20x20 pixels, and placed in a 28x28 field with its centre of mass in the middle
(LeCun et al., "Gradient-based learning applied to document recognition", 1998, section III.A).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digitcli.convention import SIDE

BOX = 20

_ROWS, _COLUMNS = np.indices((SIDE, SIDE), np.float32).reshape(2, -1)
_MOMENTS = np.stack([np.ones_like(_ROWS), _ROWS, _COLUMNS], axis=1)
"""Weights of the pixels of 28x28 that add up to their mass, and to it times the mean row and column."""


def is_in_mnist_form(ink: NDArray[np.uint8]) -> bool:
    """Whether light ink on black (height, width) uint8 is as MNIST's own pictures are."""
    return ink.shape == (SIDE, SIDE) and bool(in_mnist_form(ink[None])[0])


def in_mnist_form(inks: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which of (n, 28, 28) uint8, light ink on black, are as MNIST's own pictures are: (n,).

    They are saturated ink on pure black, 19 or 20 pixels on the longer side, and their centre of mass lies in
    the pixel right below the middle; a pixel more is allowed.
    """
    solid = inks > 32
    longer = np.maximum(*(_extent(np.asarray(solid.any(axis=axis))) for axis in (1, 2)))
    # Of whole numbers below 2**24 float32 makes no mistake, in whatever order they are added up.
    mass, down, across = (inks.reshape(-1, SIDE * SIDE).astype(np.float32) @ _MOMENTS).T.astype(float)
    middle = [
        np.abs((moment / mass.clip(min=1) + 0.5).astype(int) - SIDE // 2) <= 1 for moment in (down, across)
    ]
    return np.asarray(
        (inks.max(axis=(1, 2)) >= 200)
        & (np.count_nonzero(inks > 8, axis=(1, 2)) <= 0.6 * SIDE**2)
        & ((longer == BOX - 1) | (longer == BOX))
        & middle[0]
        & middle[1]
    )


def _extent(taken: NDArray[np.bool_]) -> NDArray[np.intp]:
    """From the first to the last that is true in each row of (n, length), both included; 0 where none is."""
    length = taken.shape[1]
    first, after = taken.argmax(axis=1), length - taken[:, ::-1].argmax(axis=1)
    return np.where(taken.any(axis=1), after - first, 0)


def fit_in_20x20(digit: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Scaled with anti-aliasing so that the longer side is 20 pixels, and the strongest ink 255."""
    height, width = digit.shape
    scale = BOX / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    # In floating point, so that hair-thin strokes of a large picture do not round to nothing.
    fitted = np.asarray(Image.fromarray(digit.astype(np.float32)).resize(size, Image.Resampling.HAMMING))
    stretched: NDArray[np.uint8] = (fitted * (255 / fitted.max())).round().astype(np.uint8)
    return stretched


def centre_by_mass(digit: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """At most 28x28, placed in 28x28 so that the centre of mass is in pixel (14, 14), as MNIST has it."""
    top, left = (
        min(max(SIDE // 2 - int(centre), 0), SIDE - length)
        for centre, length in zip(_centre_of_mass(digit), digit.shape, strict=True)
    )
    field = np.zeros((SIDE, SIDE), np.uint8)
    field[top : top + digit.shape[0], left : left + digit.shape[1]] = digit
    return field


def _centre_of_mass(ink: NDArray[np.uint8]) -> tuple[float, float]:
    """Row and column, in pixels from the upper left corner of the first."""
    moments = cv2.moments(ink)
    return moments["m01"] / moments["m00"] + 0.5, moments["m10"] / moments["m00"] + 0.5
