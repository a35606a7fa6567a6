"""Even stroke width: hairs are thickened and markers thinned towards what MNIST's pens drew."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from digitcli.images.geometry import BOX

THINNEST = 1.7
"""In pixels of 20x20: nine in ten MNIST digits are wider."""

THICKEST = 4.0
"""In pixels of 20x20: nine in ten MNIST digits are narrower."""

_FINE = 4
"""Width is changed at so many times 20x20, by half pixels of 20x20."""


def stroke_width(mask: NDArray[np.bool_]) -> float:
    """Mean width of the strokes of a mask (height, width), in its pixels: twice the area by the outline.

    The outline is counted along pixel edges, which overstates slanted ones: by 4/pi over all directions.
    """
    padded = np.pad(mask, 1)
    edges = np.count_nonzero(padded[1:] != padded[:-1]) + np.count_nonzero(padded[:, 1:] != padded[:, :-1])
    return 2 * np.count_nonzero(mask) / max(edges * np.pi / 4, 1)


def even_strokes(digit: NDArray[np.float32]) -> NDArray[np.float32]:
    """A digit that was cut out, (height, width) in 0-1, with strokes no hair and no marker draws.

    What has a usual width comes back as it is; else it comes 80 pixels long.
    """
    side = max(digit.shape)
    width = stroke_width(digit > 0.5) * BOX / side
    if THINNEST <= width <= THICKEST or min(digit.shape) < 2:
        return digit
    length = _FINE * BOX
    shrink = side / length
    image = Image.fromarray((digit * 255).round().astype(np.uint8))
    if shrink > 1 and width < THINNEST:  # a hair of one pixel must outlive the reduction
        image = Image.fromarray(_block_max(np.asarray(image), round(shrink)))
    steps = round((THINNEST + 0.5 - width) * _FINE / 2) if width < THINNEST else 0
    steps = max(0, min(steps, 4) - (1 if shrink > 1.5 else 0))
    inner = length - 2 * steps
    size = tuple(max(1, round(each / side * inner)) for each in (digit.shape[1], digit.shape[0]))
    image = image.resize((size[0], size[1]), Image.Resampling.BICUBIC).point(
        lambda level: 255 * (level > 100)
    )
    if width < THINNEST:
        image = _padded(image, steps)
        if steps:
            image = image.filter(ImageFilter.MaxFilter(2 * steps + 1))
        image = image.filter(ImageFilter.BoxBlur(1))
    else:
        thinner = _padded(image, 1)
        for _ in range(min(4, round((width - THICKEST + 0.3) * _FINE / 2))):
            thinner = thinner.filter(ImageFilter.MinFilter(3))
        image = thinner
    evened = np.asarray(image, dtype=np.float32) / np.float32(255)
    # What is small in both directions may be thinned to nothing.
    return evened if evened.any() else digit


def _block_max(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """The greatest value in each block of size x size."""
    rows, columns = (-(-length // size) for length in pixels.shape)
    padded = np.pad(pixels, ((0, rows * size - pixels.shape[0]), (0, columns * size - pixels.shape[1])))
    greatest: NDArray[np.uint8] = padded.reshape(rows, size, columns, size).max(axis=(1, 3))
    return greatest


def _padded(image: Image.Image, by: int) -> Image.Image:
    padded = Image.new("L", (image.width + 2 * by, image.height + 2 * by))
    padded.paste(image, (by, by))
    return padded
