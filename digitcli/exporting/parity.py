"""The proof that every export passes through: two models that give the same answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from digitcli.data import synthetic
from digitcli.errors import ModelError
from digitcli.evaluation import Runnable

PICTURES = 1000
SEED = 20


@dataclass(frozen=True)
class Bound:
    """How far an export may be from its original.

    probability: how far a probability may move. The default is some rounding of float32, far below what
        could change a digit.
    other_digits: on how many of the 1,000 pictures it may give another digit.
    accuracy: how much lower its accuracy may be, 0-1; None where the digits are the same anyway.
    """

    probability: float = 1e-4
    other_digits: int = 0
    accuracy: float | None = None


EXACT = Bound()


@dataclass(frozen=True)
class Parity:
    """How close two models are.

    pictures: how many both were run on.
    same_digits: on how many both give the same digit, or the original has a tie.
    largest_difference: the furthest that any probability moved.
    """

    pictures: int
    same_digits: int
    largest_difference: float

    def holds(self, bound: Bound = EXACT) -> bool:
        """Whether the two models may pass for one."""
        return (
            self.pictures - self.same_digits <= bound.other_digits
            and self.largest_difference <= bound.probability
        )


def compare(original: Runnable, other: Runnable) -> Parity:
    """Runs both models on the same synthetic digits."""
    images = synthetic.generate(PICTURES, SEED).images
    expected, found = original.probabilities(images), other.probabilities(images)
    digits = found.argmax(1)
    # Where the original cannot decide, rounding may.
    lead = expected.max(1) - np.take_along_axis(expected, digits[:, None], axis=1)[:, 0]
    return Parity(
        pictures=len(images),
        same_digits=int((lead <= EXACT.probability).sum()),
        largest_difference=float(np.abs(expected - found).max()),
    )


def prove(original: Runnable, other: Runnable, bound: Bound = EXACT) -> Parity:
    """Compares, and raises ModelError if the models differ by more than the bound."""
    parity = compare(original, other)
    if not parity.holds(bound):
        raise ModelError(
            f"The export of {original.path} differs from it: the same digit on {parity.same_digits} of "
            f"{parity.pictures} pictures, probabilities up to {parity.largest_difference:.2g} apart "
            f"({bound.probability:g} allowed). Nothing was written."
        )
    return parity


def prove_accuracy(original: Runnable, before: float, after: float, images: int, bound: Bound) -> None:
    """Raises ModelError if an export reads fewer of the test images right than its bound allows.

    before, after: accuracy of the original and of the export, 0-1. One image more or less is always allowed.
    """
    if bound.accuracy is not None and before - after > max(bound.accuracy, 1 / images) + 1e-9:
        raise ModelError(
            f"The export of {original.path} reads {after:.2%} of {images} images right, the original "
            f"{before:.2%}: {bound.accuracy:.2%} less is allowed. Nothing was written."
        )
