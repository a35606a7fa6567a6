"""What stands in a box of a picture, as MNIST would show it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digitcli.images.components import Components, find_components
from digitcli.images.ink import Box, Ink, box_of
from digitcli.images.paper import border_of
from digitcli.images.preprocess import in_28x28, inks, is_new

SURROUNDINGS = (0.5, 0.15)
"""Of a box that tell ink from paper, in its size: much of the paper, or little of what lies beside it."""

LOOKS = 2
"""Ways to tell ink from paper that are tried in each."""

_SIDE = 128
"""Pixels to which a box and its surroundings are reduced."""

_BEYOND = 0.06
"""How far a stroke may reach out of its box, as a share of the box's size."""

_WITHIN = 0.5
"""Of a part of the ink that must lie in the box for it to be of the digit there."""

_OF_ALL = 0.3
"""Of all the ink in the box: a part that is so much of it belongs to it wherever its rest lies."""

_DUST = 0.02
"""Of all the ink in the box: less is not of the digit."""

_LARGE = 0.5
"""Of the box's longer side that a digit which lies in it takes at least."""

_FILLED, _BROAD = 0.9, 0.5
"""Of its box that a block fills, and its width in heights, at least."""

NO_BOXES: NDArray[np.float32] = np.zeros((0, 4), np.float32)


def in_box(
    image: Image.Image, box: NDArray[np.float32], others: NDArray[np.float32] = NO_BOXES
) -> Iterator[tuple[NDArray[np.uint8], Box]]:
    """The digit in a box in the ways to see it: (28, 28) uint8, and left, top, right, bottom of its ink.

    Likeliest first, and each made when it is asked for; none where there is no ink.

    image: mode L or RGB. box: left, top, right, bottom in its pixels, which may stand over the edge.
    others: (n, 4), the boxes of digits, this one or not; what two share is of that with the nearer middle.
    What reaches into the box from outside is left out, or cut off where it is one with the digit.
    """
    touching = others[np.all((others[:, :2] < box[2:]) & (others[:, 2:] > box[:2]), axis=1)]
    seen: list[NDArray[np.uint8]] = []
    for ink, corners in chain.from_iterable(_inks(image, box, around) for around in SURROUNDINGS):
        for mask in _masks(ink, corners):
            digit = ink.only(_own(ink, mask, box, touching) if len(touching) else mask)
            pixels = in_28x28(digit)
            if is_new(pixels, seen):
                seen.append(pixels)
                yield pixels, digit.on_picture(box_of(digit.mask))


def tightened(image: Image.Image, box: NDArray[np.float32]) -> Box:
    """Left, top, right, bottom of the ink in a box, in a trice: by Otsu's threshold (1979).

    image, box: as for `in_box`. What reaches in from outside is left out; of a box without ink, all.
    """
    reach = _BEYOND * max(box[3] - box[1], box[2] - box[0])
    corners = np.rint(box + np.array([-reach, -reach, reach, reach])).astype(int)
    left, top, right, bottom = corners.clip(0, [*image.size, *image.size]).tolist()
    pixels = np.asarray(image.crop((left, top, right, bottom)).convert("L"))
    if not pixels.size:
        left, top, right, bottom = np.rint(box).astype(int).tolist()
        return left, top, right, bottom
    _, bright = cv2.threshold(pixels, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    parts = find_components(bright != round(float(border_of(bright).mean())))
    whole = (parts.boxes > 0).all(axis=1) & (parts.boxes[:, 2:] < bright.shape[::-1]).all(axis=1)
    chosen = (whole & (parts.areas >= _DUST * parts.areas.sum())) | (
        parts.areas >= _OF_ALL * parts.areas.sum()
    )
    boxes = parts.boxes[chosen] + np.tile([left, top], 2)
    if not len(boxes):
        return left, top, right, bottom
    return *boxes[:, :2].min(axis=0).tolist(), *boxes[:, 2:].max(axis=0).tolist()


def _inks(
    image: Image.Image, box: NDArray[np.float32], around: float
) -> Iterator[tuple[Ink, NDArray[np.float64]]]:
    """Of a box and so much `around` it: the ink, and where the box and a little more are in its mask."""
    left, top, right, bottom = box.tolist()
    size = max(bottom - top, 0.7 * (right - left))
    reach, room = _BEYOND * size, around * size
    window = (
        max(int(left - room), 0),
        max(int(top - room), 0),
        min(int(right + room) + 1, image.width),
        min(int(bottom + room) + 1, image.height),
    )
    if window[0] >= window[2] or window[1] >= window[3]:
        return
    corners = np.array([left - reach, top - reach, right + reach, bottom + reach])
    for _, ink in islice(inks(image.crop(window), _SIDE), LOOKS):
        placed = ink.moved(*window[:2])
        yield placed, (corners - np.tile([placed.left, placed.top], 2)) / ink.scale


def _inside(ink: Ink, box: NDArray[np.float64]) -> tuple[slice, slice]:
    """The part of the mask that a box covers."""
    height, width = ink.mask.shape
    left, top, right, bottom = np.rint(box).astype(int).clip(0, [width, height, width, height]).tolist()
    return np.s_[top:bottom, left:right]


def _masks(ink: Ink, box: NDArray[np.float64]) -> Iterator[NDArray[np.bool_]]:
    """Which ink may be of the digit in a box of the mask, likeliest first."""
    inside = _inside(ink, box)
    parts = find_components(ink.mask)
    areas = np.bincount(parts.labels[inside].ravel(), minlength=len(parts) + 1)[1:]  # that lie in the box
    some = areas >= max(_DUST * areas.sum(), 1)
    within = some & (areas >= _WITHIN * parts.areas)
    choices = [within | (some & (areas >= _OF_ALL * areas.sum()))]
    if _side(parts, within) >= _LARGE * max(ink.mask[inside].shape):
        choices.insert(0, within)
    for chosen in choices:
        mask = np.zeros_like(ink.mask)
        mask[inside] = parts.mask(chosen)[inside]
        if mask.any() and not _is_block(mask):
            yield mask


def _own(
    ink: Ink, mask: NDArray[np.bool_], box: NDArray[np.float32], others: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """A mask without what lies in another box too, nearer to the middle of that one, in sides of each."""
    rows, columns = np.nonzero(mask)
    points = (np.stack([columns, rows], axis=1) + 0.5) * ink.scale + (ink.left, ink.top)
    corners = np.stack([box, *others])[:, None]
    middles, sides = (corners[..., :2] + corners[..., 2:]) / 2, corners[..., 2:] - corners[..., :2]
    aside = np.abs(points - middles) / sides
    distances = (aside**2).sum(axis=2)
    distances[1:][(aside[1:] > 0.5).any(axis=2)] = np.inf
    nearest = distances.argmin(axis=0) == 0
    own = np.zeros_like(mask)
    own[rows[nearest], columns[nearest]] = True
    return own if own.any() else mask


def _is_block(mask: NDArray[np.bool_]) -> bool:
    """Whether ink fills its box, which is too wide for a fat 1: a filled square, or a bar."""
    left, top, right, bottom = box_of(mask)
    filled = mask[top:bottom, left:right].mean()
    return bool(filled > _FILLED and right - left > _BROAD * (bottom - top))


def _side(parts: Components, chosen: NDArray[np.bool_]) -> int:
    """The longer side of what some parts cover together; 0 for none."""
    if not chosen.any():
        return 0
    boxes = parts.boxes[chosen]
    return int((boxes[:, 2:].max(axis=0) - boxes[:, :2].min(axis=0)).max())
