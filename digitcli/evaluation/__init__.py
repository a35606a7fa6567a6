"""How good a classifier is on labelled digits."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from digitcli.data.digits import Digits
from digitcli.errors import ModelError, UsageError
from digitcli.evaluation.metrics import DigitScores, Sums, digit_scores, wilson_interval
from digitcli.system.progress import Progress


@dataclass(frozen=True)
class Scores:
    """The figures of a data set.

    count: pictures scored, which is all of them.
    accuracy: the share read right.
    loss: mean cross-entropy in nats.
    calibration_error: how far confidence is from accuracy, 0-1 (expected calibration error).
    digits: the scores of 0 to 9, in order.
    confusion: (10, 10) int64, rows true, columns read.
    seconds: what the classifier took, without reading files; in several processes, of all together.
    """

    count: int
    accuracy: float
    loss: float
    calibration_error: float
    digits: tuple[DigitScores, ...]
    confusion: NDArray[np.int64]
    seconds: float

    @classmethod
    def of(cls, sums: Sums, seconds: float) -> Scores:
        """Those of some pictures, one at least."""
        return cls(
            count=sums.count,
            accuracy=float(np.trace(sums.confusion) / sums.count),
            loss=sums.loss / sums.count,
            calibration_error=sums.calibration_error,
            digits=digit_scores(sums.confusion),
            confusion=sums.confusion,
            seconds=seconds,
        )

    @property
    def wrong(self) -> int:
        """How many pictures were misread."""
        return self.count - int(np.trace(self.confusion))

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % confidence interval of the accuracy, 0-1."""
        return wilson_interval(self.count - self.wrong, self.count)

    @property
    def images_per_second(self) -> float:
        """The classifier's speed."""
        return self.count / self.seconds


@dataclass(frozen=True)
class Evaluation(Scores):
    """What scoring every picture of a data set gave, also of each.

    probabilities: (n, 10) float32, what the classifier gave for each picture.
    labels: (n,) uint8, what they are.
    """

    probabilities: NDArray[np.float32] = field(repr=False)
    labels: NDArray[np.uint8] = field(repr=False)

    @property
    def right(self) -> NDArray[np.bool_]:
        """Which pictures were read right, (n,)."""
        right: NDArray[np.bool_] = self.probabilities.argmax(axis=1) == self.labels
        return right


class Runnable(Protocol):
    """What can be scored: a Classifier, or a page in a browser."""

    path: Path
    runtime: str

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, 28, 28) uint8 to (n, 10) float32."""

    def seconds(self, images: NDArray[np.uint8], times: int) -> float:
        """The median time that `probabilities` takes for these images, of several."""


def evaluate(
    classifier: Runnable,
    digits: Digits,
    batch_size: int = 256,
    on_progress: Progress = lambda done, total: None,
) -> Evaluation:
    """Scores every picture, the last partial batch included.

    Raises UsageError for a batch size below 1, ModelError if the model gives something that is no number.
    """
    if batch_size < 1:
        raise UsageError(f"A batch size of {batch_size} is not possible: it must be 1 or more.")
    batches = []
    started = time.perf_counter()
    for first in range(0, len(digits), batch_size):
        batches.append(classifier.probabilities(digits.images[first : first + batch_size]))
        on_progress(min(first + batch_size, len(digits)), len(digits))
    seconds = time.perf_counter() - started
    probabilities = np.concatenate(batches)
    if not np.isfinite(probabilities).all():
        raise ModelError(
            f"{classifier.path} gives probabilities that are no numbers (NaN or infinite).\n"
            "Its training has probably diverged: train it again with a smaller learning rate."
        )
    scores = Scores.of(Sums.of(probabilities, digits.labels), seconds)
    return Evaluation(**vars(scores), probabilities=probabilities, labels=digits.labels)
