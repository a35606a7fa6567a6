"""Where in a picture digits are: what the detector's network says, as boxes.

The network looks for centres of digits, and at each tells the box and the class (Zhou et al., "Objects as
points", 2019).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digitcli.reading.network import network

MODEL = Path(__file__).parents[1] / "assets" / "detector.tflite"

AREA = 360 * 360
"""Pixels to which a picture is brought, its proportions kept."""

GLANCE = 200 * 200
"""Pixels that are enough for large digits, which are best seen from far."""

LARGEST = 4.0
"""Times that a small picture is enlarged, at most."""

STRIDE = 4
"""Pixels that one cell of the network's answer stands for, on each side."""

STEP = 32
"""The sides of what the network takes are multiples of it."""

LIKELY = 0.5
"""Probability of a digit, by the detector and after a classifier has seen it, from which on it is read."""

LEAST = 0.01
"""Score of what is no digit at all."""

_SLOPE, _OFFSET = 3.5, 2.0
"""From the network's logit of a centre to that of the probability of a digit, on simulated pages."""

_SAME, _INSIDE = 0.45, 0.85
"""Of two boxes of the network that are one: the intersection over the union, and over the smaller box."""

MOST = 400
"""Centres that are looked at; more are a texture."""

_ENOUGH = 4  # times as wide and as high as what is looked at

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Found:
    """What may be digits in a picture, the surest first.

    boxes: (n, 4), left, top, right, bottom in pixels of the picture; they may stand over its edge.
    scores: (n,), 0-1, how likely there is a digit. probabilities: (n, 10), which one.
    scale: pixels of the picture that one of those that the network saw is wide.
    """

    boxes: Floats
    scores: Floats
    probabilities: Floats
    scale: float

    def __len__(self) -> int:
        return len(self.boxes)

    def only(self, chosen: NDArray[np.bool_] | slice) -> Found:
        """Some of it."""
        return Found(self.boxes[chosen], self.scores[chosen], self.probabilities[chosen], self.scale)

    def moved(self, left: int, top: int) -> Found:
        """The same in a larger picture, in which this one began at left, top."""
        shift = np.array([left, top, left, top], np.float32)
        return Found(self.boxes + shift, self.scores, self.probabilities, self.scale)


def find(image: Image.Image, area: int = AREA) -> Found:
    """What may be digits in a picture, mode L or RGB, that is brought to about `area` pixels."""
    sized = resized(_reduced(image, area), area, LARGEST)
    scale = np.array([image.width / sized.shape[1], image.height / sized.shape[0]] * 2, np.float32)
    padding = [-side % STEP for side in sized.shape[:2]]
    padded = cv2.copyMakeBorder(sized, 0, padding[0], 0, padding[1], cv2.BORDER_REPLICATE)
    boxes, scores, probabilities = decoded(network(MODEL)(np.asarray(padded)))
    on_picture = np.all(boxes[:, :2] + boxes[:, 2:] < 2 * np.array(sized.shape[1::-1]), axis=1)
    return Found(boxes * scale, scores, probabilities, float(scale.max())).only(on_picture)


def _reduced(image: Image.Image, area: int) -> NDArray[np.uint8]:
    """(height, width, 3): with pixels enough to be brought to about `area`, and not many more to copy."""
    spare = int((image.width * image.height / area) ** 0.5 / _ENOUGH)
    few = image.reduce(spare) if spare > 1 else image
    return np.asarray(few if few.mode == "RGB" else few.convert("RGB"))


def resized(pixels: NDArray[np.uint8], area: float, largest: float) -> NDArray[np.uint8]:
    """(height, width, 3) brought to about `area` pixels, but not enlarged beyond `largest` times."""
    height, width = pixels.shape[:2]
    factor = min((area / (height * width)) ** 0.5, largest)
    size = (max(8, round(width * factor)), max(8, round(height * factor)))
    interpolation = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, size, interpolation=interpolation), np.uint8)


def decoded(answer: Floats) -> tuple[Floats, Floats, Floats]:
    """The boxes (n, 4) in pixels that the network saw, scores (n,) and probabilities (n, 10).

    answer: (rows, columns, 15): the logits of a centre and of ten classes, and the logarithms of the
    distances to the four sides in cells.
    """
    scores = 1 / (1 + np.exp(-(_SLOPE * answer[..., 0] + _OFFSET).clip(-50, 50)))
    peaks = (scores >= cv2.dilate(scores, np.ones((3, 3), np.uint8))) & (scores >= LEAST)
    rows, columns = np.nonzero(peaks)
    order = np.argsort(-scores[rows, columns], kind="stable")[:MOST]
    rows, columns = rows[order], columns[order]
    centres = np.stack([columns + 0.5, rows + 0.5], axis=1)
    distances = np.exp(answer[rows, columns, 11:].clip(-4, 5))
    boxes = np.concatenate([centres - distances[:, :2], centres + distances[:, 2:]], axis=1) * STRIDE
    exponentials = np.exp(answer[rows, columns, 1:11].clip(-50, 50))
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    kept = distinct(boxes, _SAME)
    return (
        boxes[kept].astype(np.float32),
        scores[rows, columns][kept].astype(np.float32),
        probabilities[kept].astype(np.float32),
    )


def distinct(boxes: NDArray[Any], same: float) -> list[int]:
    """Of boxes (n, 4), the surest first, the indices of those that are not one with a surer one.

    same: the intersection over the union from which on two are one; so they are where one lies in the other.
    """
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    kept: list[int] = []
    for index, box in enumerate(boxes):
        others = boxes[kept]
        sides = np.minimum(others[:, 2:], box[2:]) - np.maximum(others[:, :2], box[:2])
        shared = np.prod(sides.clip(0, None), axis=1)
        union = areas[kept] + areas[index] - shared
        if not ((shared > same * union) | (shared > _INSIDE * np.minimum(areas[kept], areas[index]))).any():
            kept.append(index)
    return kept
