"""How far each pixel of a picture stands out from the paper, whatever their colours and the light.

Pixels are (height, width) or (height, width, 3) uint8. Contrast is (height, width) float32, in grey levels:
about 0 on paper, positive on ink, negative where a pixel differs from the paper to the other side.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

_COARSE = 128
"""Longer side at which uneven light is looked at, in pixels."""

_WIDEST_STROKE = 0.2
"""What is wider, as a share of the longer side, is paper in another light."""

_WIDEST_IN_LINE = 0.3
"""The same, as a share of the height of a line."""

_SEVERAL = 1.5
"""Width of a line of several digits, in heights, at least: it is mostly paper wherever one looks."""

_ABOUT = 0.6
"""Height and width of what is mostly paper there, in heights of the line."""

_NOISE, _NOISE_IN_LINE = 0.03, 0.1
"""Of the colours of paper at least, as a share of the ink's contrast; a line is often a small JPEG."""

_STRONG = 0.6
"""Of the greatest difference to the paper, from which on it is surely ink."""

_SAMPLE = 160
"""Pixels along the longer side that tell how colours vary."""

_ALIKE = 0.25
"""Share of a picture's pixels that have one grey level where its paper is clean: no camera leaves so many."""

WHOLE = (0.0, 0.0, 1.0, 1.0)
"""The window that is all of a picture: left, top, right, bottom as shares of its width and height."""


@dataclass(frozen=True)
class Light:
    """Paper and ink as a linear function of colour: contrast = gain * (pixel @ axis - level).

    axis: (channels,) along which ink differs from paper.
    level: what paper has along the axis, (rows, columns) float32 over the picture, (1, 1) if it is even.
    gain: (rows, columns) float32, more than 1 where little light makes for little contrast.
    """

    axis: Floats
    level: Floats
    gain: Floats

    def contrast(self, pixels: Pixels, window: tuple[float, float, float, float] = WHOLE) -> Floats:
        """Of the pixels, which show that window of the picture."""
        values = along(pixels.astype(np.float32), self.axis)
        if self.level.size == 1:
            return np.asarray(values - self.level[0, 0])
        return (values - _part(self.level, window, values.shape)) * _part(self.gain, window, values.shape)

    def inverted(self) -> Light:
        """The same for ink that differs to the other side."""
        return replace(self, axis=-self.axis, level=-self.level)


def is_clean(image: Image.Image) -> bool:
    """Whether the paper of a picture, mode L or RGB, is all alike, as where a program has cleared it."""
    return max(image.convert("L").histogram()) >= _ALIKE * image.width * image.height


def even_light(pixels: Pixels) -> Light:
    """For an evenly lit paper that has the median colour of the border.

    Ink is the side, darker or lighter, with the greater difference.
    """
    paper = quantile(border_of(pixels), 0.5)
    axis = _axis_of_ink(_sampled(pixels) - paper)
    return Light(axis, np.full((1, 1), axis @ np.atleast_1d(paper), np.float32), np.ones((1, 1), np.float32))


def uneven_light(pixels: Pixels, *, inverted: bool = False) -> Light:
    """For strokes on paper in whatever light.

    inverted: whether ink is on the other side, darker or lighter, than is likelier.

    The paper is a morphological closing (for light ink, an opening) at low resolution: it fills what is
    narrower than the widest stroke and follows the edges of shadows. Where the light is weak, so is the
    contrast; it is amplified there.
    """
    dark = ink_is_dark(pixels) != inverted
    level = _coarse(pixels, _COARSE)
    size = round(_WIDEST_STROKE * max(level.shape[:2])) | 1
    # Two pixels more than was filled, since the edge of a shadow is not in the middle of a coarse pixel.
    fill, shrink = np.ones((size, size), np.uint8), np.ones((size + 2, size + 2), np.uint8)
    if dark:
        filled = cv2.erode(cv2.dilate(level, fill), shrink)
    else:
        filled = cv2.dilate(cv2.erode(level, fill), shrink)
    paper = np.asarray(filled, np.float32)
    brightness = paper if paper.ndim == 2 else paper.mean(axis=2)
    gain = np.clip(quantile(brightness.ravel(), 0.9) / np.maximum(brightness, 1), 1, 4).astype(np.float32)
    sample = _sampled(pixels)
    amplified = _resized(gain, sample)
    if sample.ndim == 3:
        amplified = amplified[..., None]
    axis = _axis_of_ink((sample - _resized(paper, sample)) * amplified, dark=dark)
    return Light(axis, along(paper, axis), gain)


def axis_of_strokes(pixels: Pixels) -> Floats:
    """The axis of colour along which the strokes of a line of writing differ from its paper, (3,).

    pixels: (height, width, 3), the line as high as that. Paper is what fills the strokes in or, in a line of
    several digits, what most of the pixels about are: that holds for strokes too which are darker in one
    colour and lighter in another, as blue ones on wood. The way in which ink is told more clearly is taken.
    """
    height, width = pixels.shape[:2]
    dark = ink_is_dark(pixels)
    size = round(_WIDEST_IN_LINE * height) | 1
    fill = cv2.MORPH_CLOSE if dark else cv2.MORPH_OPEN
    filled = cv2.morphologyEx(pixels, fill, np.ones((size, size), np.uint8))
    found = [_clearest(_beyond(pixels, cv2.blur(filled, (size, size))), dark, _NOISE_IN_LINE)]
    if width >= _SEVERAL * height:
        median = cv2.medianBlur(pixels, round(_ABOUT * height) | 1)
        found.append(_clearest(_beyond(pixels, median), None, _NOISE_IN_LINE))
    return max(found, key=itemgetter(1))[0]


def border_of(pixels: NDArray[Any]) -> NDArray[Any]:
    """The outermost pixels, (n,) or (n, 3)."""
    return np.concatenate([pixels[0], pixels[-1], pixels[1:-1, 0], pixels[1:-1, -1]])


def quantile(values: NDArray[Any], share: float) -> Floats:
    """Below which a share of values (n,) or (n, k) lies: () or (k,). numpy.quantile takes 10 ms to import."""
    at = share * (len(values) - 1)
    low, high = math.floor(at), math.ceil(at)
    ordered = np.partition(values, (low, high), axis=0)[[low, high]].astype(np.float32)
    return np.asarray(ordered[0] + np.float32(at - low) * (ordered[1] - ordered[0]))


def differs_from_border(pixels: Pixels) -> NDArray[np.bool_]:
    """Which pixels (height, width) have another colour than the border has, whatever it is."""
    border = border_of(pixels)
    paper = quantile(border, 0.5)
    noise = float(quantile(_greatest(np.abs(border[:, None] - paper)).ravel(), 0.5))
    most = max(24.0, 5 * noise)
    low, high = np.ceil(np.atleast_1d(paper - most)), np.floor(np.atleast_1d(paper + most))
    return np.asarray(cv2.inRange(pixels, low.clip(0, 255), high.clip(0, 255)) == 0)


def is_uneven(contrast: Floats) -> bool:
    """Whether the border differs so much from place to place that it is hardly one paper in one light.

    contrast: in even light.
    """
    border = border_of(contrast)
    return bool(quantile(border, 0.9) - quantile(border, 0.1) > 0.2 * max(float(contrast.max()), 1.0))


def ink_is_dark(pixels: Pixels) -> bool:
    """Whether strokes are darker than what is around them, in uneven light."""
    grey = _grey(_coarse(pixels, _COARSE // 2))
    around = cv2.medianBlur(grey, (max(grey.shape) // 3) | 1)
    deviation = grey.astype(np.float32) - around
    return float(np.sum(np.minimum(deviation, 0) ** 2)) >= float(np.sum(np.maximum(deviation, 0) ** 2))


def along(values: Floats, axis: Floats) -> Floats:
    """values @ axis: (height, width) float32."""
    if values.ndim == 2:
        return np.asarray(values * axis[0])
    return np.asarray(cv2.transform(values, axis[None]))


def _axis_of_ink(difference: Floats, *, dark: bool | None = None) -> Floats:
    """The axis of colour along which ink differs most clearly from the paper, (channels,).

    difference: to the paper, (height, width) or (height, width, 3). dark: as for `_clearest`.
    """
    if difference.ndim == 3:
        return _clearest(difference, dark, _NOISE)[0]
    if dark is None:
        strong = difference[np.abs(difference) >= _STRONG * np.abs(difference).max()]
        dark = float(strong.sum()) <= 0
    return np.array([-1 if dark else 1], np.float32)


def _clearest(difference: Floats, dark: bool | None, noise: float) -> tuple[Floats, float]:
    """The axis of colour along which ink differs most clearly from the paper, (3,), and how clearly.

    difference: to the paper, (height, width, 3).
    dark: which side ink is on; None for that of most of what differs strongly.
    noise: that the colours of paper have at least, as a share of the ink's contrast.
    The axis is Fisher's (1936): it weighs down the directions in which the paper itself varies, so that blue
    ink on shadowed paper is found by its blue. How clearly is his criterion, the variance between ink and
    paper over that within the paper.
    """
    greatest = _greatest(np.abs(difference))
    if dark is None:
        extent = greatest
    else:
        extent = np.maximum(along(difference, np.full(3, -1 if dark else 1, np.float32)), 0)
    ink = difference[extent >= _STRONG * extent.max()].sum(axis=0)
    extent = greatest * (along(difference, ink) > 0)
    strong = extent >= _STRONG * extent.max()
    ink = difference[strong].mean(axis=0)
    length = float(np.linalg.norm(ink))
    if length == 0:
        return np.zeros(3, np.float32), 0.0
    paper = difference[extent <= quantile(extent.ravel(), 0.5)]
    covariance = paper.T @ paper / len(paper) + np.eye(3) * (noise * length) ** 2
    axis = np.linalg.solve(covariance, ink)
    apart, share = float(ink @ axis), float(strong.mean())
    return np.asarray(axis * (np.abs(ink).max() / apart), np.float32), apart * share * (1 - share)


def _beyond(pixels: Pixels, paper: NDArray[Any]) -> Floats:
    return np.asarray(cv2.subtract(pixels, paper, dtype=cv2.CV_32F), np.float32)


def _sampled(pixels: Pixels) -> Floats:
    """As many rows and columns as tell how colours vary."""
    step = -(-max(pixels.shape) // _SAMPLE)
    return pixels[::step, ::step].astype(np.float32)


def _greatest(values: Floats) -> Floats:
    """Of the channels of each pixel, (height, width)."""
    if values.ndim == 2:
        return values
    # One channel after the other, since NumPy is slow along so short an axis.
    return functools.reduce(np.maximum, [values[..., channel] for channel in range(values.shape[2])])


def _grey(pixels: Pixels) -> Pixels:
    return pixels if pixels.ndim == 2 else np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY))


def _coarse(pixels: Pixels, side: int) -> Pixels:
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))


def _resized(values: Floats, like: Floats) -> Floats:
    return np.asarray(cv2.resize(values, like.shape[1::-1], interpolation=cv2.INTER_LINEAR))


def _part(values: Floats, window: tuple[float, float, float, float], shape: tuple[int, ...]) -> Floats:
    """That window of values (rows, columns) over the whole picture, interpolated to a shape."""
    rows, columns = values.shape
    height, width = shape
    left, top, right, bottom = window
    across, down = (right - left) * columns / width, (bottom - top) * rows / height
    # Centres of pixels are half a pixel from their corners.
    placing = np.array(
        [[across, 0, left * columns + across / 2 - 0.5], [0, down, top * rows + down / 2 - 0.5]], np.float32
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(
        cv2.warpAffine(values, placing, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    )
