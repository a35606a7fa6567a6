"""Rings drawn round a digit: known by their convex outline, and taken out of a mask of ink."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from digitcli.images.components import find_components

Mask = NDArray[np.bool_]

_NEAR = 0.06
"""Depth below the convex outline, as a share of the ring's shorter side, of the strokes that follow it."""

_CLOSED = 0.9
"""Of the outline that a stroke follows: hardly anyone meets the point where a ring began."""

_EMPTY = 0.3
"""Of what is ink at one depth, against where most is: there the ring's stroke has ended."""

_THICKEST = 0.2
"""Of a ring's stroke, as a share of the ring's shorter side."""

_DEEP = 0.12
"""Below the stroke, as a share of that side, that a part reaches unless it is an end of the ring."""

_TALL = 0.22
"""Height of what is inside, against that of the ring; the dot of a 0 is lower."""


def inside_ring(mask: Mask) -> Mask | None:
    """What the largest thing in a mask (height, width) surrounds, if that is a ring; None if it is none.

    What is inside may touch the ring. A 0 is a ring with nothing in it, so there None is returned too.
    """
    parts = find_components(mask)
    if not len(parts):
        return None
    largest = int(parts.sides.argmax())
    left, top, right, bottom = (int(each) for each in parts.boxes[largest])
    side = min(right - left, bottom - top)
    window = (slice(top, bottom), slice(left, right))
    ring = parts.labels[window] == largest + 1
    depth = _depth(ring)
    near = max(_NEAR * side, 1.0)
    follows = cv2.dilate((ring & (depth <= near)).view(np.uint8), _disc(near + 1))
    if follows[(depth > 0) & (depth <= 1)].mean() < _CLOSED:
        return None
    stroke = _stroke(ring, depth, int(_THICKEST * side))
    if stroke is None:
        return None
    inner = find_components(mask[window] & (depth > stroke + 1))
    deepest = np.zeros(len(inner) + 1, np.float32)
    np.maximum.at(deepest, inner.labels, depth)
    kept = deepest[1:] >= stroke + _DEEP * side
    boxes = inner.boxes[kept]
    if not len(boxes) or boxes[:, 3].max() - boxes[:, 1].min() < _TALL * (bottom - top):
        return None
    found = np.zeros_like(mask)
    found[window] = inner.mask(kept)
    return found


def _depth(ring: Mask) -> NDArray[np.float32]:
    """How far each pixel lies below the convex outline of a mask (height, width), in pixels; 0 outside."""
    rows, columns = np.nonzero(ring)
    hull = cv2.convexHull(np.stack([columns + 1, rows + 1], axis=1).astype(np.int32))
    within = cv2.fillConvexPoly(np.zeros(np.add(ring.shape, 2), np.uint8), hull, 1)
    return np.asarray(cv2.distanceTransform(within, cv2.DIST_L2, 3)[1:-1, 1:-1], np.float32)


def _stroke(ring: Mask, depth: NDArray[np.float32], deepest: int) -> int | None:
    """How deep below its outline a ring's stroke ends, in pixels; None if it goes on to `deepest`."""
    shell = np.ceil(depth).astype(np.intp).ravel()
    inked = np.bincount(shell, ring.ravel(), deepest + 2)[1 : deepest + 2]
    share = inked / np.maximum(np.bincount(shell, minlength=deepest + 2)[1 : deepest + 2], 1)
    ends = int(np.flatnonzero(share >= _EMPTY * share.max())[-1]) + 1
    return ends if ends <= deepest else None


def _disc(radius: float) -> NDArray[np.uint8]:
    size = 2 * int(radius) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))
