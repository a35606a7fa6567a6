"""Contrast to ink: which pixels are strokes, and which of their parts belong together."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from digitcli.images.components import Components, find_components
from digitcli.images.paper import border_of, quantile

Mask = NDArray[np.bool_]
Box = tuple[int, int, int, int]

FAINTEST_INK = 16
"""The least contrast, of 255, that counts as ink; less is the paper's own texture."""

_SAMPLE = 10_000
"""Pixels that tell how noisy the paper is."""

_PALEST = 0.6
"""Of a digit's parts, against the strength of the largest: all are of one pen."""

_ALONG = 0.8
"""Of its own side that something touches the edge of the picture for: then it lies along it."""

_MOST_PARTS = 400
"""That are put together; more are a texture."""

_FLAT, _AS_WIDE, _BELOW = 0.3, 0.8, 0.03
"""Of an underline: its height in widths at most, its width in those of the digit and how far below that it is
in heights of it, at least."""

_FEWEST_DOTS = 8
"""On dotted paper; fewer may be what a dry pen left."""


@dataclass(frozen=True)
class Ink:
    """What was found on the paper.

    strength: (height, width) float32, 0 paper to 1 ink, with the soft edges of the strokes; more than 1 where
    ink is darker than most of it.
    mask: (height, width), where strokes are.
    scale: how many pixels of the picture one of these is wide.
    left, top: where in the picture these begin, in its pixels.
    """

    strength: NDArray[np.float32]
    mask: Mask
    scale: float = 1.0
    left: int = 0
    top: int = 0

    def only(self, mask: Mask) -> Ink:
        """The part of the ink that lies in a smaller mask, with its soft edges but not its neighbours'."""
        return replace(self, strength=self.strength * (grown(mask) & ~(self.mask & ~mask)), mask=mask)

    def moved(self, left: int, top: int) -> Ink:
        """The same, of a larger picture in which this one began at left, top."""
        return replace(self, left=self.left + left, top=self.top + top)

    def on_picture(self, box: Box) -> Box:
        """Where a box (left, top, right, bottom) of the mask is on the picture, in its pixels."""
        left, top, right, bottom = (round(each * self.scale) for each in box)
        return self.left + left, self.top + top, self.left + right, self.top + bottom


def find_ink(contrast: NDArray[np.float32], scale: float = 1.0, *, strict: bool = False) -> Ink | None:
    """Ink, told from the noise of the paper by a threshold with hysteresis; None if there is none.

    contrast: (height, width), as from `paper`. Pixels of a quarter of the ink's strength count if they touch
    one of half of it (Canny 1986); all must stand out of the noise.
    scale: how many pixels of the picture one of these is wide.
    strict: count only what is nearly as strong as the strongest ink, not what is paler, such as ruled lines.
    """
    # The few strongest may be dust or dead pixels.
    rank = min(max(2, contrast.size // 10_000), contrast.size - 1)
    strong = contrast[contrast >= FAINTEST_INK]
    if len(strong) <= rank:
        return None
    strongest = float(np.partition(strong, -rank - 1)[-rank - 1])
    sample = contrast.ravel()[:: -(-contrast.size // _SAMPLE)]
    rest = sample[sample < 0.5 * strongest]
    # 1.4826 makes the median deviation the standard deviation of Gaussian noise.
    noise = 1.4826 * float(quantile(np.abs(rest), 0.5)) if rest.size else 0.0
    if strongest < 5 * noise:
        return None
    strength = float(quantile(strong[strong > 0.5 * strongest], 0.5))
    low = max((0.55 if strict else 0.25) * strength, 3 * noise)
    high = max((0.7 if strict else 0.5) * strength, 4.5 * noise)
    mask = contrast > low
    parts = find_components(mask)
    sure = np.zeros(len(parts), bool)
    sure[parts.labels[contrast > high] - 1] = True
    if not sure.all():
        mask = parts.mask(sure)
    floor = 2 * noise
    soft = ((contrast - floor) / np.float32(max(strength - floor, 1))).clip(0)
    return Ink(soft * grown(mask), mask, scale)


def grown(mask: Mask) -> Mask:
    """The mask with the pixels next to it, diagonals included."""
    return np.asarray(cv2.dilate(mask.view(np.uint8), np.ones((3, 3), np.uint8))).view(bool)


def on_page(parts: Components, shape: tuple[int, int], *, several: bool = False) -> Mask:
    """Which parts are no shadow, edge of the page or dust: (n,).

    several: there may be several digits, so that one may run over the edge although others do not.
    """
    height, width = shape
    left, top, right, bottom = parts.boxes.T
    touching = (left == 0) | (top == 0) | (right == width) | (bottom == height)
    sides = parts.sides
    inner = sides[~touching].max(initial=0)
    # Digits may run over the edge, but not along it, nor where others, about as large, lie whole within.
    along = np.bincount(border_of(parts.labels), minlength=len(parts) + 1)[1:] >= 0.5 * sides
    if several:
        touching &= (sides < 0.5 * inner) | (sides > 1.5 * inner)
    off = along | (touching & (inner >= 0.4 * sides))
    chosen = ~off if inner > 0.06 * max(shape) else np.ones(len(parts), bool)
    areas = np.where(chosen, parts.areas, 0)
    chosen &= areas >= 0.015 * areas.max(initial=0)
    return np.asarray(chosen & ~_dots(parts, chosen))


def _dots(parts: Components, chosen: Mask) -> Mask:
    """Which parts are the dots of dotted paper: many, small, compact and of one size; (n,)."""
    sides, areas = parts.sides, parts.areas
    small = chosen & (sides <= 0.2 * sides[chosen].max(initial=0))
    if np.count_nonzero(small) < _FEWEST_DOTS:
        return np.zeros(len(parts), bool)
    usual = quantile(areas[small], 0.5)
    dots = small & (areas >= usual / 2) & (areas <= 2 * usual) & (areas >= 0.4 * sides**2)
    return np.asarray(dots & (np.count_nonzero(dots) >= _FEWEST_DOTS))


def groups(parts: Components, chosen: Mask, gap: float) -> NDArray[np.intp]:
    """The parts put together that are closer than `gap` times the side of the larger one.

    Returns (n,) the least index of each part's group, and n for parts that are not chosen.
    """
    index = np.flatnonzero(chosen)
    if len(index) > _MOST_PARTS:
        index = np.sort(index[np.argsort(-parts.areas[index], kind="stable")[:_MOST_PARTS]])
    boxes, sides = parts.boxes[index], parts.sides[index]
    apart = np.maximum(boxes[:, None, :2], boxes[None, :, :2]) - np.minimum(
        boxes[:, None, 2:], boxes[None, :, 2:]
    )
    distance = np.hypot(*np.moveaxis(np.maximum(apart, 0), 2, 0))
    near = distance <= np.maximum(gap * np.maximum(sides[:, None], sides[None]), 1.5)
    names = np.full(len(parts), len(parts))
    least = index
    while not np.array_equal(names[index], least):
        names[index] = least
        least = np.where(near, least, len(parts)).min(axis=1, initial=len(parts))
    return names


def largest_group(ink: Ink) -> Mask:
    """The mask of the parts that make up the one digit of a picture."""
    parts = find_components(ink.mask)
    chosen = on_page(parts, ink.mask.shape)
    # Beside the digit's own strokes, paler parts are dots and lines of the paper, or what a shadow left.
    darkest = np.zeros(len(parts) + 1, np.float32)
    np.maximum.at(darkest, parts.labels[ink.mask], ink.strength[ink.mask].clip(max=1))
    largest = int(np.where(chosen, parts.areas, 0).argmax())
    chosen &= darkest[1:] >= _PALEST * darkest[largest + 1]
    names = groups(parts, chosen, 0.25)
    areas = np.bincount(names[chosen], parts.areas[chosen], len(parts) + 1)
    areas[-1] = 0
    digit = chosen & (names == areas.argmax())
    return parts.mask(digit & ~_underlines(parts, digit))


def _underlines(parts: Components, digit: Mask) -> Mask:
    """Which parts of a digit are strokes below all others and about as wide as these; (n,)."""
    left, top, right, bottom = parts.boxes.T
    flat = digit & (bottom - top < _FLAT * (right - left))
    rest = digit & ~flat
    if not (flat.any() and rest.any()):
        return np.zeros(len(parts), bool)
    width, ends = right[rest].max() - left[rest].min(), bottom[rest].max()
    # A slanted line may begin or end higher than the digit ends: it counts how far down it is below that end.
    lowest = int(parts.mask(rest)[ends - 1].argmax())
    there = parts.labels[:, lowest]
    tops = top.copy()
    for part in np.flatnonzero(flat).tolist():
        if (rows := np.flatnonzero(there == part + 1)).size:
            tops[part] = rows[0]
    below = tops - ends >= _BELOW * (ends - top[rest].min())
    return np.asarray(flat & below & (right - left >= _AS_WIDE * width))


def runs_over_edge(digit: Mask) -> bool:
    """Whether it is more likely a shadow, a grid or another page than a digit that is cut off.

    Such things lie along an edge of the picture, or reach from one edge to the other.
    """
    height, width = digit.shape
    left, top, right, bottom = box_of(digit)
    if (left == 0 and right == width) or (top == 0 and bottom == height):
        return True
    return bool(np.count_nonzero(border_of(digit)) >= _ALONG * max(right - left, bottom - top))


def box_of(mask: Mask) -> Box:
    """Left, top, right, bottom of what is true, the last two exclusive; the mask is not empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
