"""A digit that was read among others."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from digitcli.images.ink import Box


@dataclass(frozen=True)
class Digit:
    """A digit in a picture.

    digit: 0-9. confidence: its probability, 0-1. box: left, top, width, height in pixels of the picture.
    pixels: (28, 28) uint8, what was classified.
    """

    digit: int
    confidence: float
    box: Box
    pixels: NDArray[np.uint8] = field(compare=False)
