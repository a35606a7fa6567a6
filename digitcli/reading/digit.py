"""A digit that was read among others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digitcli.convention import SIDE
from digitcli.images.boxes import SURROUNDINGS, in_box
from digitcli.images.ink import Box


@dataclass(frozen=True)
class Cutting:
    """What stands in a box of a picture, brought into MNIST's form when it is asked for.

    image: the box with its surroundings. box: (4,) left, top, right, bottom in that. others: (n, 4), as for
    `in_box`.
    """

    image: Image.Image
    box: NDArray[np.float32]
    others: NDArray[np.float32]

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """(28, 28) uint8; blank where there is no ink."""
        for pixels, _ in in_box(self.image, self.box, self.others):
            return pixels
        return np.zeros((SIDE, SIDE), np.uint8)


def cutting(image: Image.Image, box: NDArray[np.float32], others: NDArray[np.float32]) -> Cutting:
    """Of a picture, mode L or RGB. box, others: as for `in_box`."""
    room = SURROUNDINGS[0] * max(float(box[3] - box[1]), float(box[2] - box[0])) + 1
    corners = np.array([*(box[:2] - room), *(box[2:] + room + 1)]).clip(0, [*image.size, *image.size])
    left, top, right, bottom = corners.astype(int).tolist()
    moved = np.array([left, top, left, top], np.float32)
    return Cutting(image.crop((left, top, right, bottom)), box - moved, others - moved)


@dataclass(frozen=True)
class Digit:
    """A digit in a picture.

    digit: 0-9. confidence: its probability, 0-1. box: left, top, width, height in pixels of the picture.
    shown: (28, 28) uint8, what was classified, or whence it is cut out.
    """

    digit: int
    confidence: float
    box: Box
    shown: NDArray[np.uint8] | Cutting = field(compare=False, repr=False)

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """(28, 28) uint8, as a classifier sees it: 0 paper to 255 ink."""
        return self.shown.pixels if isinstance(self.shown, Cutting) else self.shown


def median_height(digits: Sequence[Digit]) -> float:
    """In pixels of the picture; there must be digits."""
    return float(np.median([digit.box[3] for digit in digits]))
