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


def is_in_mnist_form(ink: NDArray[np.uint8]) -> bool:
    """Whether light ink on black (height, width) uint8 is as MNIST's own pictures are.

    They are 28x28, saturated ink on pure black, 19 or 20 pixels on the longer side, and their centre of mass
    lies in the pixel right below the middle; a pixel more is allowed.
    """
    if ink.shape != (SIDE, SIDE) or ink.max() < 200:
        return False
    if np.count_nonzero(ink > 8) > 0.6 * ink.size:
        return False
    _, solid = cv2.threshold(ink, 32, 255, cv2.THRESH_BINARY)
    _, _, width, height = cv2.boundingRect(solid)
    if max(width, height) not in (BOX - 1, BOX):
        return False
    top, left = _centre_of_mass(ink)
    middle = SIDE // 2
    return abs(int(top) - middle) <= 1 and abs(int(left) - middle) <= 1


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
