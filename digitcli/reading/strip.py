"""A line of writing as the line reader sees it: grey, of one height, ink bright on black."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digitcli.images.ink import Box
from digitcli.images.paper import axis_of_strokes, quantile

HEIGHT = 48
"""Pixels."""

STEP = 4
"""Pixels that one column of the reader's answer stands for."""

WIDEST = 1200
"""Pixels; what is wider is narrowed."""

_ENOUGH = 4
"""Times its height that a line is brought to at once, where it is much higher."""

_ROOM = 0.3
"""Paper round a digit that a reader sees, in its height."""

_TAILS = (0.005, 0.995)
"""Quantiles of the brightness that become black and white."""

_COLOURS = 32
"""Pixels of the shorter side that tell how ink differs from paper in colour."""


def grey(image: Image.Image) -> NDArray[np.uint8]:
    """(height, width) uint8, with pixels enough for `strip`: along the axis of colour that ink differs by.

    image: mode L or RGB. Red ink on black and blue on green are seen as well as black on white, and crayon on
    wood: along that axis the paper varies little (Fisher 1936).
    """
    spare = image.height // (_ENOUGH * HEIGHT)
    if spare > 1:
        image = image.reduce(spare)
    pixels = np.asarray(image)
    if pixels.ndim == 2:
        return pixels
    axis = axis_of_strokes(np.asarray(image.reduce(max(1, min(image.size) // _COLOURS))))
    axis *= np.sign(axis.sum() or 1)
    weights = axis / max(float(np.abs(axis).sum()), 1e-6)
    offset = -255 * weights.clip(max=0).sum()
    return np.asarray(cv2.transform(pixels, np.append(weights, offset)[None]), np.uint8)


def strip(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(height, width) uint8, dark on light or light on dark, to (HEIGHT, n * STEP), 0 paper to 255 ink."""
    rows, columns = pixels.shape
    width = int(np.clip(round(columns * HEIGHT / rows), HEIGHT // 2, WIDEST))
    way = cv2.INTER_AREA if rows > HEIGHT else cv2.INTER_CUBIC
    sized = cv2.resize(pixels, (width, HEIGHT), interpolation=way)
    low, high = (float(quantile(sized.ravel(), share)) for share in _TAILS)
    ink = (sized.astype(np.float32) - low) * (255 / max(high - low, 8.0))
    if np.count_nonzero(ink > 127) > ink.size / 2:
        ink = 255 - ink
    return np.pad(ink.clip(0, 255).astype(np.uint8), ((0, 0), (0, -width % STEP)), mode="edge")


def around(box: Box, size: tuple[int, int]) -> Box:
    """Left, top, right, bottom of what is seen of a digit in a picture of that size (width, height).

    box: the digit's left, top, width, height.
    """
    left, top, width, height = box
    room = round(_ROOM * max(height, width / 2))
    return (
        max(0, left - room),
        max(0, top - room),
        min(size[0], left + width + room),
        min(size[1], top + height + room),
    )


def softened(strip: NDArray[np.uint8], deviation: float) -> NDArray[np.uint8]:
    """The same strip out of focus; deviation: of a Gaussian, in pixels, 0 for none."""
    return np.asarray(cv2.GaussianBlur(strip, (0, 0), deviation), np.uint8) if deviation else strip


def leaning(strip: NDArray[np.uint8], shear: float) -> NDArray[np.uint8]:
    """The same strip with other slant; shear: columns a row, by which what is lower moves to the left."""
    rows, columns = strip.shape
    move = np.array([(1, shear, -shear * rows / 2), (0, 1, 0)], np.float32)
    return np.asarray(cv2.warpAffine(strip, move, (columns, rows), borderMode=cv2.BORDER_REPLICATE), np.uint8)
