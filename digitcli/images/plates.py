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

_LEGIBLE, _LARGE = 10, 0.25
"""Height or width of what is cut out of a plate, in pixels and as a share of the plate's, to be a sign."""

_PLAIN = 0.78
"""Of its convex hull that the hole of a 0 fills at least, where it has pixels enough to tell."""


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


def is_cut_out(hole: Mask) -> bool:
    """Whether what is missing from a plate, in its box (height, width), is a sign.

    The hole of a 0 drawn with a fat pen is none: it is convex, and has no island in it.
    """
    parts = find_components(hole)
    if not len(parts):
        return False
    largest = int(parts.sides.argmax())
    if parts.sides[largest] < max(_LEGIBLE, _LARGE * max(hole.shape)):
        return False
    points = cv2.findNonZero((parts.labels == largest + 1).view(np.uint8))
    hull = cv2.fillConvexPoly(np.zeros(hole.shape, np.uint8), cv2.convexHull(points), 1)
    return bool(parts.areas[largest] < _PLAIN * np.count_nonzero(hull))
