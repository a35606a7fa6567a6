"""Plates that a digit stands on, such as a badge, a road sign or a key: filled shapes of one colour."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from digitcli.images.components import find_components

Mask = NDArray[np.bool_]

_SMALLEST = 12
"""Of a plate's shorter side, in pixels."""

_SLIMMEST = 0.5
"""Of its shorter side, against the longer; a 1 drawn with a fat pen is slimmer."""

_CONVEX = 0.95
"""Of its convex hull that its outline encloses."""

_FILLED = 0.5
"""Of what its outline encloses that is filled; the rest may be a digit in the colour of the ground."""

_EDGE = 0.04
"""Of a plate's shorter side: so far from the outline nothing is looked at."""


def find_plate(mask: Mask) -> Mask | None:
    """Where something may stand on the largest thing in a mask (height, width), if that is a plate.

    A 0 drawn with a fat pen may be taken for one. None if there is no plate.
    """
    parts = find_components(mask)
    if not len(parts):
        return None
    largest = int(parts.sides.argmax())
    left, top, right, bottom = parts.boxes[largest]
    side = min(right - left, bottom - top)
    if side < max(_SMALLEST, _SLIMMEST * parts.sides[largest]):
        return None
    plate = (parts.labels == largest + 1).view(np.uint8)
    contours, _ = cv2.findContours(plate, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    enclosed = cv2.contourArea(contours[0])
    if enclosed < _CONVEX * cv2.contourArea(cv2.convexHull(contours[0])):
        return None
    if parts.areas[largest] < _FILLED * enclosed:
        return None
    # With a border, since the outline may be that of the picture.
    full = cv2.drawContours(np.zeros(np.add(mask.shape, 2), np.uint8), contours, -1, 1, -1, offset=(1, 1))
    within: Mask = cv2.distanceTransform(full, cv2.DIST_L2, 3)[1:-1, 1:-1] > _EDGE * side + 1
    return within if within.any() else None  # as on a thin stroke that slants, which is convex
