"""Random views of pages, as a detector in training sees them: zoomed, turned, cut, in other colours."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from digitcli.detector.pages import PageOfDigits

SIDE = 224
"""Pixels of a view."""

HEIGHTS = (9.0, 170.0)
"""Of a digit in a view, in pixels, from to."""

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]


def view(page: PageOfDigits, rng: np.random.Generator) -> tuple[Pixels, Floats]:
    """(SIDE, SIDE, 3) uint8, and the page's boxes (n, 4) in it, which may lie outside or over the edge."""
    height, width = page.pixels.shape[:2]
    size = np.array([width, height], float)
    matrix = _matrix(_scale(page, rng), rng)
    shift = _shift(page.boxes, matrix, size, rng)
    return _recoloured(_seen(page.pixels, matrix, shift, rng), rng), _moved(page.boxes, matrix, shift)


def _scale(page: PageOfDigits, rng: np.random.Generator) -> float:
    """As likely one at which the page about fits as one at which its digits have any of the HEIGHTS."""
    fitting = min(SIDE / max(page.pixels.shape), 1.0)
    if not len(page.boxes) or rng.uniform() < 0.5:
        low = 0.9 if len(page.boxes) else 0.7
        return float(np.exp(rng.uniform(np.log(low * fitting), np.log(1.2))))
    usual = float(np.median(page.boxes[:, 3] - page.boxes[:, 1]))
    wanted = np.exp(rng.uniform(*np.log(HEIGHTS)))
    return float(np.clip(wanted / usual, 0.35 * fitting, 1.3 * max(1.0, SIDE / max(page.pixels.shape))))


def _matrix(scale: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """(2, 2): as large, a little stretched, turned and slanted."""
    across, down = scale * np.exp(rng.normal(0, 0.08, 2))
    turn, slant = np.radians(rng.normal(0, 3)), rng.normal(0, 0.05)
    return np.array(
        [
            [across * np.cos(turn), down * (slant - np.sin(turn))],
            [across * np.sin(turn), down * np.cos(turn)],
        ]
    )


def _shift(
    boxes: Floats, matrix: NDArray[np.float64], size: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """(2,) that puts a digit somewhere in the view, but shows all of the page, or only page, if it can."""
    if len(boxes) and rng.uniform() < 0.7:
        box = boxes[rng.integers(len(boxes))]
        shift = rng.uniform(0.15, 0.85, 2) * SIDE - matrix @ ((box[:2] + box[2:]) / 2)
    else:
        shift = SIDE / 2 - matrix @ (size / 2)
    corners = matrix @ np.array([[0, size[0], 0, size[0]], [0, 0, size[1], size[1]]])
    for axis, (low, high) in enumerate(zip(corners.min(axis=1), corners.max(axis=1), strict=True)):
        if high - low <= SIDE:
            shift[axis] = rng.uniform(-low, SIDE - high)
        else:
            shift[axis] = np.clip(shift[axis], SIDE - high, -low)
    return np.asarray(shift)


def _seen(
    pixels: Pixels, matrix: NDArray[np.float64], shift: NDArray[np.float64], rng: np.random.Generator
) -> Pixels:
    height, width = pixels.shape[:2]
    affine = np.column_stack([matrix, shift])
    shrink = int(1 / abs(np.linalg.det(matrix)) ** 0.5 + 0.25)
    if shrink > 1:  # or fine lines would come and go
        size = (max(1, width // shrink), max(1, height // shrink))
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
        affine[:, :2] *= np.array([width, height]) / size
    beyond = cv2.BORDER_REPLICATE if rng.uniform() < 0.7 else cv2.BORDER_CONSTANT
    colour = rng.integers(0, 256, 3).tolist()
    seen = cv2.warpAffine(pixels, affine, (SIDE, SIDE), borderMode=beyond, borderValue=colour)
    return np.asarray(seen, np.uint8)


def _moved(boxes: Floats, matrix: NDArray[np.float64], shift: NDArray[np.float64]) -> Floats:
    """Boxes round what was in them, with half of what slanting adds to a full box: digits are not square."""
    weights = np.abs(matrix) * np.array([[1, 0.5], [0.5, 1]])
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2 @ matrix.T + shift
    halves = (boxes[:, 2:] - boxes[:, :2]) / 2 @ weights.T
    return np.concatenate([middles - halves, middles + halves], axis=1).astype(np.float32)


def _recoloured(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """In other colours, brighter, paler, as a negative, blurred, with noise; nothing is lost to clipping."""
    if rng.uniform() < 0.2:
        pixels = np.repeat(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    elif rng.uniform() < 0.3:
        pixels = np.ascontiguousarray(pixels[..., rng.permutation(3)])
    darkest, brightest = 0.0, 1.0
    if rng.uniform() < 0.3 and np.ptp(pixels) > 25:
        darkest, brightest = pixels.min() / 255, pixels.max() / 255
    levels = ((np.arange(256) / 255 - darkest) / (brightest - darkest)).clip(0, 1)
    levels **= np.exp(rng.normal(0, 0.2))
    low = rng.uniform(0, 0.3) if rng.uniform() < 0.6 else 0.0
    high = 1 - rng.uniform(0, 0.4) if rng.uniform() < 0.6 else 1.0
    tinted = (low + (high - low) * levels)[:, None] * (1 - rng.uniform(0, 0.12, 3))
    if rng.uniform() < 0.15:
        tinted = 1 - tinted
    pixels = np.asarray(cv2.LUT(pixels, (tinted * 255).astype(np.uint8)[:, None]), np.uint8)
    if rng.uniform() < 0.15:
        pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), rng.uniform(0.3, 1.2)), np.uint8)
    if rng.uniform() < 0.2:
        grain = rng.normal(0, rng.uniform(2, 14), (SIDE, SIDE, int(rng.choice([1, 3]))))
        pixels = (pixels + grain).clip(0, 255).astype(np.uint8)
    return pixels
