"""Whether one model is better than another, or only luckier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from digitcli.classifiers import Classifier
from digitcli.evaluation import Evaluation
from digitcli.runs import FoundModel
from digitcli.system.files import size


@dataclass(frozen=True)
class Comparison:
    """Two models on the same pictures.

    only_first, only_second: pictures that only one of them read right.
    p: how likely a difference as large as theirs is if both are equally good, 0-1.
    """

    only_first: int
    only_second: int
    p: float


@dataclass(frozen=True)
class Contender:
    """A model beside others, with what `Evaluation` tells of it.

    model: its run directory or file. bytes: the size of its file.
    interval: the 95 % confidence interval of its accuracy. against_first: None for the first.
    """

    model: str
    runtime: str
    bytes: int
    accuracy: float
    interval: tuple[float, float]
    loss: float
    calibration_error: float
    wrong: int
    images_per_second: float
    against_first: Comparison | None


def side_by_side(
    found: Sequence[FoundModel], classifiers: Sequence[Classifier], results: Sequence[Evaluation]
) -> list[Contender]:
    """Several models, all evaluated on the same digits, in their order."""
    return [
        Contender(
            model=model.where,
            runtime=classifier.runtime,
            bytes=size(model.path),
            accuracy=result.accuracy,
            interval=result.interval,
            loss=result.loss,
            calibration_error=result.calibration_error,
            wrong=result.wrong,
            images_per_second=round(result.images_per_second, 1),
            against_first=None if result is results[0] else compare(results[0], result),
        )
        for model, classifier, result in zip(found, classifiers, results, strict=True)
    ]


def compare(first: Evaluation, second: Evaluation) -> Comparison:
    """McNemar's test of two models on the same pictures, as `mcnemar` has it.

    Raises ValueError for evaluations on different pictures.
    """
    if not np.array_equal(first.labels, second.labels):
        raise ValueError("Two models can only be compared on the same pictures.")
    one, other = first.right, second.right
    return mcnemar(int((one & ~other).sum()), int((other & ~one).sum()))


def mcnemar(only_first: int, only_second: int) -> Comparison:
    """McNemar's test in its exact form, by the pictures on which just one of the two is right.

    McNemar, "Note on the Sampling Error of the Difference Between Correlated Proportions or
    Percentages", 1947.
    """
    count = only_first + only_second
    ways, fewer = 1, 0
    for n in range(min(only_first, only_second) + 1):
        fewer += ways
        ways = ways * (count - n) // (n + 1)  # of choosing n + 1 from count
    return Comparison(only_first, only_second, min(1.0, 2 * fewer / 2**count))
