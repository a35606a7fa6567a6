"""Even stroke width: hairs are thickened and markers thinned towards what MNIST's pens drew."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from digitcli.images.geometry import BOX

THINNEST = 1.7
"""In pixels of 20x20: nine in ten MNIST digits are wider."""

THICKEST = 4.0
"""In pixels of 20x20: nine in ten MNIST digits are narrower."""

_FINE = 4
"""Width is changed at so many times 20x20, by half pixels of 20x20."""

_SOLID = 100 / 255
"""Where the edge of a stroke is, between paper at 0 and ink at 1."""


def stroke_width(mask: NDArray[np.bool_]) -> float:
    """Mean width of the strokes of a mask (height, width), in its pixels: twice the area by the outline.

    The outline is counted along pixel edges, which overstates slanted ones: by 4/pi over all directions.
    """
    inner = np.count_nonzero(mask[1:] != mask[:-1]) + np.count_nonzero(mask[:, 1:] != mask[:, :-1])
    outer = sum(np.count_nonzero(edge) for edge in (mask[0], mask[-1], mask[:, 0], mask[:, -1]))
    return 2 * np.count_nonzero(mask) / max((inner + outer) * np.pi / 4, 1)


def even_strokes(digit: NDArray[np.float32]) -> NDArray[np.float32]:
    """A digit that was cut out, (height, width) in 0-1, with strokes no hair and no marker draws.

    What has a usual width comes back as it is; else it comes 80 pixels long.
    """
    side = max(digit.shape)
    width = stroke_width(digit > 0.5) * BOX / side
    if THINNEST <= width <= THICKEST or min(digit.shape) < 2:
        return digit
    evened = _thickened(digit, width) if width < THINNEST else _thinned(digit, width)
    # What is small in both directions may be thinned to nothing.
    return evened if evened.any() else digit


def _thickened(digit: NDArray[np.float32], width: float) -> NDArray[np.float32]:
    """width: of the strokes, in pixels of 20x20."""
    shrink = max(digit.shape) / (_FINE * BOX)
    if shrink > 1:  # a hair of one pixel must outlive the reduction
        digit = np.asarray(cv2.dilate(digit, _square(round(shrink))), np.float32)
    steps = min(round((THINNEST + 0.5 - width) * _FINE / 2), 4) - (1 if shrink > 1.5 else 0)
    steps = max(0, steps)
    solid = np.pad(_solid(digit, _FINE * BOX - 2 * steps), steps)
    thick = cv2.dilate(solid, _square(2 * steps + 1))
    return np.asarray(cv2.blur(thick, (3, 3), borderType=cv2.BORDER_REPLICATE), np.float32)


def _thinned(digit: NDArray[np.float32], width: float) -> NDArray[np.float32]:
    """width: of the strokes, in pixels of 20x20."""
    steps = min(4, round((width - THICKEST + 0.3) * _FINE / 2))
    solid = np.pad(_solid(digit, _FINE * BOX), 1)
    return np.asarray(cv2.erode(solid, _square(3), iterations=steps), np.float32)


def _square(side: int) -> NDArray[np.uint8]:
    return np.ones((side, side), np.uint8)


def _solid(digit: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    """Of that length, and every pixel 0 or 1."""
    height, width = digit.shape
    side = max(height, width)
    size = (max(1, round(width / side * length)), max(1, round(height / side * length)))
    interpolation = cv2.INTER_AREA if side > length else cv2.INTER_CUBIC
    resized = cv2.resize(digit, size, interpolation=interpolation)
    return (np.asarray(resized) > _SOLID).astype(np.float32)
