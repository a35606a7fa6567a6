"""A page with writing on it, on its way to becoming a picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.float32]
Points = NDArray[np.float32]
Colour = tuple[float, float, float]
"""Red, green and blue, each 0-1."""
Range = tuple[float, float]


@dataclass(frozen=True)
class Page:
    """What has been written, and how it looks by now.

    pixels: (height, width, 3) float32, red, green and blue in 0-1.
    ink: (height, width) float32, how much of a pixel the pen has covered, 0-1; for pictures with alpha.
    glyphs: for each digit the points (n, 2) of its strokes as x, y in pixels.
    height: of a digit, in pixels; the measure of all that happens to it.
    pen: width of the strokes in pixels.
    colour: of the ink.
    alpha: (height, width) float32 if the picture is transparent, 0 where nothing is.
    """

    pixels: Pixels
    ink: Pixels
    glyphs: tuple[Points, ...]
    height: float
    pen: float
    colour: Colour
    alpha: Pixels | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]


Step = Callable[[Page, np.random.Generator], Page]
"""Something that happens to a page: a lamp shines on it, a camera takes it, a program frames it."""


def as_image(pixels: Pixels) -> Image.Image:
    """Pixels (height, width, 3) in 0-1 as an RGB image of 8 bits."""
    return Image.fromarray((pixels.clip(0, 1) * 255).round().astype(np.uint8))


def as_pixels(image: Image.Image) -> Pixels:
    """An RGB image as (height, width, 3) float32 in 0-1."""
    return np.asarray(image, np.float32) / np.float32(255)


def noise(shape: tuple[int, int], feature: float, rng: np.random.Generator) -> Pixels:
    """Random smooth hills of mean 0 and deviation 1, (height, width) float32; feature: their size."""
    if feature <= 1:
        return rng.standard_normal(shape, np.float32)
    coarse = tuple(int(side / feature) + 4 for side in shape)
    hills = Image.fromarray(rng.standard_normal(coarse, np.float32))
    # A window that starts anywhere in the grid, so that hills do not line up with the corner.
    left, top = rng.uniform(0, 1, 2)
    window = (left, top, left + shape[1] / feature, top + shape[0] / feature)
    smooth: Pixels = np.asarray(hills.resize(shape[::-1], Image.Resampling.BICUBIC, box=window))
    smooth = smooth - smooth.mean()
    spread = max(float(smooth.std()), 0.3)  # a picture smaller than a hill has hardly any
    return np.asarray(smooth / spread, np.float32)


def log_uniform(low: float, high: float, rng: np.random.Generator) -> float:
    """A number between two positive ones, small and large ones as likely per octave."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
