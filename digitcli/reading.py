"""What digits pictures hold: the picture work of `images` and a classifier, put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digitcli.images.preprocess import to_mnist

Probabilities = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""A classifier: (n, 28, 28) uint8, 0 paper to 255 ink, to (n, 10) float32; what a row lacks to 1 is the
probability that it is no digit."""


@dataclass(frozen=True)
class One:
    """A picture read as one digit.

    pixels: (28, 28) uint8, what was classified; None if there is no ink.
    probabilities: (10,) float32 of the digits; None if there is no ink.
    several: whether the picture seems to hold more than one digit.
    """

    pixels: NDArray[np.uint8] | None
    probabilities: NDArray[np.float32] | None
    several: bool


def read_one(images: Sequence[Image.Image], probabilities: Probabilities) -> list[One]:
    """Each picture, mode L or RGB, read as one digit; all are classified in one batch."""
    pixels = [to_mnist(image) for image in images]
    inked = [each for each in pixels if each.any()]
    rows = iter(probabilities(np.stack(inked)) if inked else ())
    return [One(each, next(rows), False) if each.any() else One(None, None, False) for each in pixels]
