"""Where in a picture a digit may be, where the picture as a whole does not show one clearly.

A digit in a circle, on a note that lies on a table, in a program's window, beside the edge of a scan: the
part of the picture around it, taken for a picture of its own, is an easy one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digitcli.images.ink import Box
from digitcli.images.preprocess import WORKING_SIDE, Reading, readings

MOST = 12
"""Parts of a picture that are looked at."""

THRESHOLDS = 6
"""Grey levels at which a picture is cut in two."""

_COLOUR = 20
"""Least range of a, or of b, of CIELAB, that a picture in two colours has."""

_ROOM = 0.18
"""Paper to be seen on each side of a part, as a share of its longer side."""

_LEAST, _SHORTEST = 0.06, 8
"""Height of a digit, as a share of the shorter side of the picture, and in pixels."""

_WIDEST = 2.0
"""Width of a digit, in its heights."""

_SAME = 0.7
"""Intersection over union of two parts that are one."""


def search(image: Image.Image, side: int = WORKING_SIDE) -> Iterator[Reading]:
    """The likeliest reading of each part of a picture that may be a digit, the tallest first.

    image: mode L or RGB. side: pixels; a picture with a longer side is reduced below it to find the parts.
    """
    for left, top, right, bottom in _parts(image, side):
        room = round(_ROOM * max(right - left, bottom - top)) + 1
        window = (
            max(left - room, 0),
            max(top - room, 0),
            min(right + room, image.width),
            min(bottom + room, image.height),
        )
        reading = next(readings(image.crop(window)), None)
        if reading:
            x, y, width, height = reading.box
            yield replace(
                reading,
                name=f"a part, {reading.name}",
                box=(x + window[0], y + window[1], width, height),
            )


def _parts(image: Image.Image, side: int) -> list[Box]:
    """Left, top, right, bottom of what stands out from its surroundings, on the picture; tallest first."""
    shrink = -(-max(image.size) // side)
    small = image.reduce(shrink)
    if small.height < _SHORTEST:
        return []
    boxes = np.concatenate([boxes for channel in _channels(small) for boxes in _regions(channel)])
    width, height = (boxes[:, 2:] - boxes[:, :2]).T
    fits = (height >= max(_SHORTEST, _LEAST * min(small.size))) & (width <= _WIDEST * height)
    fits &= (height < 0.95 * small.height) | (width < 0.95 * small.width)
    boxes = boxes[fits]
    boxes = boxes[np.argsort(boxes[:, 1] - boxes[:, 3], kind="stable")]
    chosen: list[NDArray[np.int32]] = []
    for box in boxes:
        if len(chosen) < MOST and all(_overlap(box, other) < _SAME for other in chosen):
            chosen.append(box)
    factor = np.array([image.width / small.width, image.height / small.height] * 2)
    return [tuple(np.rint(box * factor).astype(int).tolist()) for box in chosen]


def _channels(image: Image.Image) -> list[NDArray[np.uint8]]:
    """Brightness, and the two axes of colour (CIELAB) along which the picture varies."""
    if image.mode == "L":
        return [np.asarray(image)]
    lab = np.asarray(cv2.cvtColor(np.asarray(image), cv2.COLOR_RGB2LAB), np.uint8)
    colours = [lab[..., 1], lab[..., 2]]
    return [lab[..., 0], *(colour for colour in colours if np.ptp(colour) > _COLOUR)]


def _regions(grey: NDArray[np.uint8]) -> Iterator[NDArray[np.int32]]:
    """Boxes (n, 4) of what is connected and brighter, or darker, than a threshold, for several thresholds."""
    low, high = int(grey.min()), int(grey.max())
    for threshold in np.linspace(low, high, THRESHOLDS + 2)[1:-1]:
        brighter = cv2.compare(grey, threshold, cv2.CMP_GT)
        for mask in (brighter, cv2.bitwise_not(brighter)):
            # By edges alone: the squares of a chequered ground touch by their corners.
            stats = cv2.connectedComponentsWithStats(mask, connectivity=4)[2][1:]
            boxes = stats[:, :4].astype(np.int32)
            boxes[:, 2:] += boxes[:, :2]
            yield boxes


def _overlap(a: NDArray[np.int32], b: NDArray[np.int32]) -> float:
    """Intersection over union."""
    shared = float(np.prod(np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0)))
    return shared / max(float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])) - shared, 1)
