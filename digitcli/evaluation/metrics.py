"""The figures of merit, from labels and probabilities alone.

Rows of a confusion matrix are the true digits, columns what was read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from digitcli.convention import CLASSES

SMALLEST_PROBABILITY = 1e-7
"""Where cross-entropy clips, since one picture given 0 would make the mean infinite; Keras clips here too."""

BINS = 15
"""Of confidence, as is usual for the expected calibration error."""


@dataclass(frozen=True)
class DigitScores:
    """How well one digit is read. A score whose denominator is zero is None, not 0.

    digit: 0-9.
    precision: of the pictures read as it, the share that are it; None if it was never read.
    recall: of the pictures that are it, the share that were read so; None if there are none.
    f1: their harmonic mean; None if the digit was neither read nor there.
    support: how many pictures are it.
    """

    digit: int
    precision: float | None
    recall: float | None
    f1: float | None
    support: int


def confusion_matrix(labels: NDArray[np.integer], read: NDArray[np.integer]) -> NDArray[np.int64]:
    """Counts of (true digit, digit read): (10, 10) int64, from two arrays (n,) of digits 0-9."""
    cells = labels.astype(np.int64) * CLASSES + read
    return np.bincount(cells, minlength=CLASSES * CLASSES).reshape(CLASSES, CLASSES)


def cross_entropies(labels: NDArray[np.integer], probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Each picture's loss in nats: minus the log of the probability given to its true digit.

    labels: (n,) digits 0-9. probabilities: (n, 10), each row in 0-1 and summing to 1.
    Returns (n,) float64, from 0 to -log(SMALLEST_PROBABILITY), about 16.1.
    """
    given = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    losses: NDArray[np.float64] = -np.log(np.clip(given, SMALLEST_PROBABILITY, 1.0))
    return losses


@dataclass(frozen=True)
class ReliabilityBin:
    """The pictures whose confidence is about the same.

    count: how many. confidence: its mean over them, 0-1. accuracy: the share of them that was read right.
    """

    count: int
    confidence: float
    accuracy: float


def reliability(probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> list[ReliabilityBin]:
    """Accuracy by confidence, in up to BINS bins of equal width, the empty ones left out.

    probabilities: (n, 10). labels: (n,) digits 0-9.
    """
    return Sums.of(probabilities, labels).reliability


@dataclass(frozen=True)
class Sums:
    """What can be added up over pictures, wherever they were read, and gives all figures.

    confusion: as of `confusion_matrix`. loss: the sum of the pictures' `cross_entropies`.
    bins: (3, BINS) float64: of the pictures in each bin of confidence, how many there are, the sum of their
        confidences, and how many were read right.
    """

    confusion: NDArray[np.int64] = field(default_factory=lambda: np.zeros((CLASSES, CLASSES), np.int64))
    loss: float = 0.0
    bins: NDArray[np.float64] = field(default_factory=lambda: np.zeros((3, BINS)))

    @classmethod
    def of(cls, probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> Sums:
        """Those of some pictures. probabilities: (n, 10). labels: (n,) digits 0-9."""
        confidence = probabilities.max(axis=1).astype(np.float64)
        read = probabilities.argmax(axis=1)
        bins = np.minimum((confidence * BINS).astype(np.intp), BINS - 1)
        values = (np.ones_like(confidence), confidence, read == labels)
        return cls(
            confusion_matrix(labels, read),
            float(cross_entropies(labels, probabilities).sum()),
            np.stack([np.bincount(bins, each, BINS) for each in values]),
        )

    def __add__(self, other: Sums) -> Sums:
        return Sums(self.confusion + other.confusion, self.loss + other.loss, self.bins + other.bins)

    @property
    def count(self) -> int:
        """Of pictures."""
        return int(self.confusion.sum())

    @property
    def reliability(self) -> list[ReliabilityBin]:
        """As the function of that name."""
        return [
            ReliabilityBin(int(count), float(confidence / count), float(right / count))
            for count, confidence, right in self.bins.T
            if count
        ]

    @property
    def calibration_error(self) -> float:
        """How far confidence is from accuracy, 0-1: expected calibration error over bins of equal width.

        Naeini, Cooper & Hauskrecht, "Obtaining Well Calibrated Probabilities Using Bayesian Binning", 2015.
        """
        bins = self.reliability
        return sum(each.count * abs(each.confidence - each.accuracy) for each in bins) / self.count


def wilson_interval(right: int, count: int) -> tuple[float, float]:
    """The 95 % confidence interval, 0-1, of a share of which a sample has `right` of `count`.

    Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", 1927.
    """
    z = 1.959964
    middle = (right + z * z / 2) / (count + z * z)
    half = z / (count + z * z) * math.sqrt(right * (count - right) / count + z * z / 4)
    return max(0.0, middle - half), min(1.0, middle + half)


def digit_scores(confusion: NDArray[np.int64]) -> tuple[DigitScores, ...]:
    """Precision, recall, F1 and support of the ten digits, from a confusion matrix (10, 10)."""
    right, support, read = confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)
    return tuple(
        DigitScores(
            digit,
            precision=_share(right[digit], read[digit]),
            recall=_share(right[digit], support[digit]),
            f1=_share(2 * right[digit], support[digit] + read[digit]),
            support=int(support[digit]),
        )
        for digit in range(CLASSES)
    )


def _share(part: np.int64, whole: np.int64) -> float | None:
    return float(part / whole) if whole else None
