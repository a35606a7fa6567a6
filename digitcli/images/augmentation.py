"""Random warps of digits: what one hand varies from one writing to the next."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import astuple, dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from digitcli.convention import SIDE

_CHUNK = 1000  # OpenCV takes pictures of up to 32,767 rows
_MARGIN = 2  # rows between two pictures of a chunk, so that none bleeds into the next
_FINENESS = 32  # steps from one pixel to the next that OpenCV tells apart
ALL = slice(None)
_CELLS = 4  # bumps of an elastic distortion along one side


@dataclass(frozen=True)
class Warp:
    """How far a digit is warped at most, each amount drawn evenly from minus to plus its bound.

    rotation: degrees. shear, scale: shares of the size, drawn apart for the two axes. shift: pixels.
    elastic: standard deviation, in pixels, of a smooth random displacement (Simard, Steinkraus & Platt,
        "Best Practices for Convolutional Neural Networks", 2003).
    """

    rotation: float = 12.0
    shear: float = 0.2
    scale: float = 0.12
    shift: float = 2.2
    elastic: float = 0.6

    def scaled(self, factor: float) -> Warp:
        """The same with every bound multiplied."""
        return Warp(*(factor * bound for bound in astuple(self)))


CENTRED = Warp(shift=0.0, elastic=1.2)
"""For dense networks, to which a digit has nothing in common with itself one pixel further on: shifts only
cost them accuracy on digits that stand in the middle, as MNIST's and all that `digitcli.images` reads do."""
SMALL = Warp(rotation=5.0, shear=0.05, scale=0.05, shift=1.0)
"""Warps after which a digit is as well written as before."""


def warp(
    images: NDArray[np.uint8],
    rng: np.random.Generator,
    bounds: Warp,
    *,
    of: int | None = None,
    which: NDArray[np.integer] | slice = ALL,
) -> NDArray[np.uint8]:
    """Each image under a warp of its own, bilinear, black outside.

    images: (n, 28, 28) uint8. rng: alone decides the warps. Turns and scales about the middle.
    of, which: the images are these of so many, and get the warps that they get when all are given.
    """
    count = len(images) if of is None else of
    u, heights = (each[:, which] for each in _drawn(count, rng, bounds))
    return _resample(images, lambda chunk: _sources(u[:, chunk], heights[:, chunk], bounds))


def views(images: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """Each image as it is, and then slightly warped in `count` - 1 ways that are the same for all and always.

    images: (n, 28, 28) uint8. Returns (count, n, 28, 28).
    """
    rng = np.random.default_rng(0)

    def another() -> NDArray[np.uint8]:
        source = _sources(*_drawn(1, rng, SMALL), SMALL)
        return _resample(images, lambda chunk: source)

    return np.stack([images, *(another() for _ in range(count - 1))])


def _drawn(
    count: int, rng: np.random.Generator, bounds: Warp
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What decides `count` warps: (7, count) between -1 and 1, and the heights of bumps, (2, count, k, k)."""
    knots = len(_SPLINES)
    u = rng.uniform(-1, 1, (7, count)).astype(np.float32)
    shape = (2, count, knots, knots)
    return u, rng.standard_normal(shape, np.float32) if bounds.elastic else np.zeros(shape, np.float32)


def _sources(
    u: NDArray[np.float32], heights: NDArray[np.float32], bounds: Warp
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Where each pixel of warped images comes from: x and y, (n, 28, 28) in pixels. u, heights: as drawn."""
    angle = u[0] * math.radians(bounds.rotation)
    shear_x, shear_y = bounds.shear * u[1], bounds.shear * u[2]
    scale_x, scale_y = 1 + bounds.scale * u[3], 1 + bounds.scale * u[4]
    cos, sin = np.cos(angle), np.sin(angle)
    middle = (SIDE - 1) / 2
    to_x = [scale_x * (cos + shear_x * sin), scale_x * (shear_x * cos - sin), middle + bounds.shift * u[5]]
    to_y = [scale_y * (sin + shear_y * cos), scale_y * (cos - shear_y * sin), middle + bounds.shift * u[6]]
    row, column = np.indices((SIDE, SIDE), np.float32) - np.float32(middle)
    # Products of whole matrices would round differently for different numbers of images.
    x, y = (a * column + b * row + c for a, b, c in (np.stack(to)[..., None, None] for to in (to_x, to_y)))
    if bounds.elastic:
        move_x, move_y = bounds.elastic * (_SPLINES.T @ heights @ _SPLINES)
        x, y = x + move_x, y + move_y
    return x, y


def _resample(
    images: NDArray[np.uint8], sources: Callable[[slice], tuple[NDArray[np.float32], NDArray[np.float32]]]
) -> NDArray[np.uint8]:
    """The images, each pixel from where `sources` has it: x and y of a chunk of them, or one for all.

    They are asked for chunk by chunk, since they take eight times the memory of the images.
    """
    height = SIDE + 2 * _MARGIN
    warped = np.empty_like(images)
    for first in range(0, len(images), _CHUNK):
        chunk = slice(first, first + _CHUNK)
        x, y = (np.broadcast_to(each, images[chunk].shape) for each in sources(chunk))
        # One call for a thousand images: they stand below one another in one tall picture.
        tall = np.pad(images[chunk], ((0, 0), (_MARGIN, _MARGIN), (0, 0))).reshape(-1, SIDE)
        tops = np.arange(len(tall) // height, dtype=np.float32)[:, None, None] * height + _MARGIN
        # Rounded as OpenCV does it, but before the rows get so high that a float cannot tell.
        rows = ((y.clip(-1, SIDE) * _FINENESS).round() / _FINENESS + tops).reshape(-1, SIDE)
        result = cv2.remap(tall, x.reshape(-1, SIDE), rows, cv2.INTER_LINEAR)
        warped[chunk] = result.reshape(-1, SIDE, SIDE)
    return warped


def _splines() -> NDArray[np.float32]:
    """(knots, 28) cubic B-splines along a side; products of two are bumps, whose sum has variance 1."""
    knots = np.arange(_CELLS + 3)
    distance = np.abs(np.linspace(1, _CELLS + 1, SIDE) - knots[:, None])
    near = 2 / 3 - distance**2 + distance**3 / 2
    far = (2 - distance).clip(0) ** 3 / 6
    splines = np.where(distance < 1, near, far)
    variance = (splines**2).sum(axis=0).mean()
    scaled: NDArray[np.float32] = (splines / np.sqrt(variance)).astype(np.float32)
    return scaled


_SPLINES = _splines()
