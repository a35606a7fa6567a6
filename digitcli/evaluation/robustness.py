"""How a classifier bears what happens to digits: accuracy under distortions of growing strength."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from digitcli.convention import SIDE
from digitcli.data.digits import Digits
from digitcli.system.progress import Progress

if TYPE_CHECKING:
    from digitcli.classifiers import Classifier

Images = NDArray[np.uint8]

SEED = 0
_MIDDLE = ((SIDE - 1) / 2, (SIDE - 1) / 2)
_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


@dataclass(frozen=True)
class Distortion:
    """One thing that may happen to a digit.

    name: what. unit: of its strengths. strengths: from harmless to hard; at `neutral` nothing changes.
    apply: from (n, 28, 28) uint8 to the same; the generator decides what is random.
    """

    name: str
    unit: str
    neutral: float
    strengths: tuple[float, ...]
    apply: Callable[[Images, float, np.random.Generator], Images]


@dataclass(frozen=True)
class Robustness:
    """What is read right under one distortion: `accuracies`, 0-1, one for each of `strengths`."""

    distortion: str
    unit: str
    strengths: tuple[float, ...]
    accuracies: tuple[float, ...]


def measure(
    classifier: Classifier, digits: Digits, on_progress: Progress = lambda done, total: None
) -> list[Robustness]:
    """The accuracy on all digits under every distortion of DISTORTIONS, the undistorted ones included.

    The same digits are always distorted in the same way, so that models can be compared.
    """
    total = 1 + sum(len(each.strengths) for each in DISTORTIONS)
    done = 0

    def accuracy(images: Images) -> float:
        nonlocal done
        read = classifier.probabilities(images).argmax(axis=1)
        done += 1
        on_progress(done, total)
        return float((read == digits.labels).mean())

    undistorted = accuracy(digits.images)
    results = []
    for each in DISTORTIONS:
        rng = np.random.default_rng(SEED)
        accuracies = [accuracy(each.apply(digits.images, strength, rng)) for strength in each.strengths]
        strengths = (each.neutral, *each.strengths)
        results.append(Robustness(each.name, each.unit, strengths, (undistorted, *accuracies)))
    return results


def rotated(images: Images, degrees: float, rng: np.random.Generator) -> Images:
    """Each turned about the middle, one way or the other."""
    return _warped(
        images, [cv2.getRotationMatrix2D(_MIDDLE, degrees * side, 1.0) for side in _sides(images, rng)]
    )


def shifted(images: Images, pixels: float, rng: np.random.Generator) -> Images:
    """Each moved in a direction of its own."""
    angles = rng.uniform(0, 2 * np.pi, len(images))
    moves = pixels * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return _warped(images, [np.array([[1, 0, x], [0, 1, y]]) for x, y in moves])


def scaled(images: Images, factor: float, rng: np.random.Generator) -> Images:
    """Each made larger or smaller about the middle."""
    return _warped(images, [cv2.getRotationMatrix2D(_MIDDLE, 0.0, factor)] * len(images))


def thickened(images: Images, pixels: float, rng: np.random.Generator) -> Images:
    """Strokes thicker by so many pixels on each side."""
    return _repeated(cv2.dilate, images, pixels)


def thinned(images: Images, pixels: float, rng: np.random.Generator) -> Images:
    """Strokes thinner by so many pixels on each side."""
    return _repeated(cv2.erode, images, pixels)


def noisy(images: Images, deviation: float, rng: np.random.Generator) -> Images:
    """With normal noise of that standard deviation, a share of white."""
    noise = rng.normal(0, 255 * deviation, images.shape)
    return (images + noise).clip(0, 255).round().astype(np.uint8)


def blurred(images: Images, sigma: float, rng: np.random.Generator) -> Images:
    """Out of focus: a Gaussian blur of that standard deviation in pixels."""
    return np.stack([cv2.GaussianBlur(image, (0, 0), sigma) for image in images])


def inverted(images: Images, share: float, rng: np.random.Generator) -> Images:
    """Ink and paper mixed with their opposites, and exchanged at a share of 1."""
    return (images * (1 - share) + (255 - images) * share).round().astype(np.uint8)


def occluded(images: Images, side: float, rng: np.random.Generator) -> Images:
    """With a square of paper somewhere over the digit."""
    hidden = images.copy()
    length = int(side)
    for image, (top, left) in zip(
        hidden, rng.integers(4, SIDE - 4 - length, (len(images), 2), endpoint=True), strict=True
    ):
        image[top : top + length, left : left + length] = 0
    return hidden


def _sides(images: Images, rng: np.random.Generator) -> NDArray[np.int64]:
    return rng.choice([-1, 1], len(images))


def _repeated(step: Callable[..., Any], images: Images, times: float) -> Images:
    """`step`, by one pixel, done so many times; a part of a time is a mixture of before and after."""
    done = images
    while times > 0:
        share = min(1.0, times)
        further = np.stack([step(image, _CROSS) for image in done])
        done = ((1 - share) * done + share * further).round().astype(np.uint8)
        times -= share
    return done


def _warped(images: Images, matrices: Sequence[NDArray[Any]]) -> Images:
    pairs = zip(images, matrices, strict=True)
    return np.stack([cv2.warpAffine(image, matrix, (SIDE, SIDE)) for image, matrix in pairs]).astype(np.uint8)


DISTORTIONS = (
    Distortion("rotation", "degrees", 0, (5, 10, 15, 20, 30, 45), rotated),
    Distortion("shift", "pixels", 0, (1, 2, 3, 4, 6), shifted),
    Distortion("smaller", "factor", 1, (0.9, 0.8, 0.7, 0.6, 0.5), scaled),
    Distortion("larger", "factor", 1, (1.1, 1.2, 1.3, 1.4), scaled),
    Distortion("thicker strokes", "pixels", 0, (0.5, 1, 1.5, 2), thickened),
    Distortion("thinner strokes", "pixels", 0, (0.25, 0.5, 0.75, 1), thinned),
    Distortion("noise", "of white", 0, (0.1, 0.2, 0.3, 0.4, 0.5), noisy),
    Distortion("blur", "pixels", 0, (0.5, 1, 1.5, 2, 3), blurred),
    Distortion("inversion", "of contrast", 0, (0.1, 0.2, 0.3, 0.4, 1), inverted),
    Distortion("occlusion", "pixels", 0, (4, 6, 8, 10, 12), occluded),
)
