"""How far each pixel of a picture stands out from the paper, whatever their colours and the light.

All take pixels (height, width, channels) float32, 0-255, and give contrast (height, width) float32: about 0
on paper, positive on ink, in grey levels; negative where a pixel differs from the paper to the other side.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float32]

_COARSE = 128
"""Longer side at which uneven light is looked at, in pixels."""

_WIDEST_STROKE = 0.2
"""What is wider, as a share of the longer side, is paper in another light."""


def border_of(pixels: Floats) -> Floats:
    """The outermost pixels, (n, channels)."""
    return np.concatenate([pixels[0], pixels[-1], pixels[1:-1, 0], pixels[1:-1, -1]])


def contrast_to_border(pixels: Floats) -> Floats:
    """Contrast to an evenly lit paper that has the median colour of the border.

    Ink is the side, darker or lighter, with the greater difference.
    """
    paper = np.median(border_of(pixels), axis=0).astype(np.float32)
    return _along_ink(pixels - paper)


def differs_from_border(pixels: Floats) -> NDArray[np.bool_]:
    """Which pixels (height, width) have another colour than the border has, whatever it is."""
    border = border_of(pixels)
    paper = np.median(border, axis=0).astype(np.float32)
    noise = float(np.median(np.abs(border - paper).max(axis=1)))
    differs: NDArray[np.bool_] = np.abs(pixels - paper).max(axis=2) > max(24.0, 5 * noise)
    return differs


def is_uneven(pixels: Floats, contrast: Floats) -> bool:
    """Whether the border differs so much from place to place that it is hardly one paper in one light.

    contrast: what `contrast_to_border` made of the pixels.
    """
    border = border_of(contrast[..., None])[:, 0]
    low, high = np.percentile(border, (10, 90))
    return bool(high - low > 0.2 * max(float(contrast.max()), 1.0))


def contrast_to_surroundings(pixels: Floats, *, dark: bool) -> Floats:
    """Contrast of dark or light strokes to the paper around them, in whatever light that is.

    The paper is a morphological closing (for light ink, an opening) at low resolution: it fills what is
    narrower than the widest stroke and follows the edges of shadows. Where the light is weak, so is the
    contrast; it is amplified there.
    """
    sign = np.float32(1 if dark else -1)
    light = sign * _coarse(pixels)
    size = max(3, round(_WIDEST_STROKE * max(light.shape[:2])))
    paper = _running_max(light, size)
    # One pixel more than was filled, since the edge of a shadow is not in the middle of a coarse pixel.
    paper = sign * -_running_max(-paper, size + 2)
    paper = _resized(paper, (pixels.shape[1], pixels.shape[0]))
    brightness = paper.mean(axis=2)
    gain = np.clip(np.percentile(brightness, 90) / np.maximum(brightness, 1), 1, 4)
    return _along_ink((pixels - paper) * gain[..., None].astype(np.float32), dark=dark)


def ink_is_dark(pixels: Floats) -> bool:
    """Whether strokes are darker than what is around them, in uneven light."""
    grey = _coarse(pixels).mean(axis=2)
    deviation = grey - _local_median(grey)
    return float(np.sum(np.minimum(deviation, 0) ** 2)) >= float(np.sum(np.maximum(deviation, 0) ** 2))


def _along_ink(difference: Floats, dark: bool | None = None) -> Floats:
    """The difference to the paper (height, width, channels), along the axis of colour where ink is clearest.

    dark: which side ink is on; None for that of most of what differs strongly.
    With several channels the axis is Fisher's (1936): it weighs down the directions in which the paper itself
    varies, so that blue ink on shadowed paper is found by its blue.
    """
    if dark is None:
        extent = np.abs(difference).max(axis=2)
    else:
        extent = np.maximum(difference.sum(axis=2) * (-1 if dark else 1), 0)
    ink = difference[extent >= 0.6 * extent.max()].sum(axis=0)
    if difference.shape[2] == 1:
        return difference[..., 0] * np.float32(1 if ink[0] > 0 else -1)
    extent = np.abs(difference).max(axis=2) * (difference @ ink > 0)
    ink = difference[extent >= 0.6 * extent.max()].mean(axis=0)
    length = float(np.linalg.norm(ink))
    if length == 0:
        return np.zeros(difference.shape[:2], np.float32)
    paper = difference[extent <= np.median(extent)]
    covariance = paper.T @ paper / len(paper) + np.eye(3) * (0.03 * length) ** 2
    axis = np.linalg.solve(covariance, ink)
    axis *= np.abs(ink).max() / float(ink @ axis)
    return np.asarray(difference @ axis.astype(np.float32))


def _coarse(pixels: Floats) -> Floats:
    height, width = pixels.shape[:2]
    scale = min(1.0, _COARSE / max(height, width))
    return _resized(pixels, (max(1, round(width * scale)), max(1, round(height * scale))))


def _resized(pixels: Floats, size: tuple[int, int]) -> Floats:
    if size == (pixels.shape[1], pixels.shape[0]):
        return pixels
    channels = (
        Image.fromarray(pixels[..., channel]).resize(size, Image.Resampling.BILINEAR)
        for channel in range(pixels.shape[2])
    )
    return np.stack([np.asarray(channel) for channel in channels], axis=2)


def _running_max(pixels: Floats, size: int) -> Floats:
    """The greatest value in the square of `size` about each pixel, beyond the edge as at the edge."""
    for axis in (0, 1):
        length = pixels.shape[axis]
        before = size // 2
        positions = np.clip(np.arange(-before, length + size - before - 1), 0, length - 1)
        running = pixels.take(positions, axis)
        span = 1
        while span < size:  # doubling: the maximum of 2n is that of two n
            step = min(span, size - span)
            count = running.shape[axis] - step
            running = np.maximum(
                running.take(np.arange(count), axis), running.take(np.arange(step, step + count), axis)
            )
            span += step
        pixels = running
    return pixels


def _local_median(grey: Floats) -> Floats:
    """A coarse median over about a third of the picture about each pixel."""
    height, width = grey.shape
    rows = np.linspace(0, height, 13).astype(int)
    columns = np.linspace(0, width, 13).astype(int)
    medians = np.empty((12, 12), np.float32)
    for i in range(12):
        top, bottom = rows[max(i - 2, 0)], max(rows[min(i + 3, 12)], rows[max(i - 2, 0)] + 1)
        for j in range(12):
            left, right = columns[max(j - 2, 0)], max(columns[min(j + 3, 12)], columns[max(j - 2, 0)] + 1)
            medians[i, j] = np.median(grey[top:bottom, left:right])
    return _resized(medians[..., None], (width, height))[..., 0]
