"""The proof that every export passes through: two models that give the same answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from digitcli.classifiers import Classifier
from digitcli.data import synthetic
from digitcli.errors import ModelError

BOUND = 1e-4
"""How far a probability may move: some rounding of float32, far below what could change a digit."""

PICTURES = 1000
SEED = 20


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

    @property
    def holds(self) -> bool:
        """Whether the two models may pass for one."""
        return self.same_digits == self.pictures and self.largest_difference <= BOUND


def compare(original: Classifier, other: Classifier) -> Parity:
    """Runs both models on the same synthetic digits."""
    images = synthetic.generate(PICTURES, SEED).images
    expected, found = original.probabilities(images), other.probabilities(images)
    digits = found.argmax(1)
    # Where the original cannot decide, rounding may.
    lead = expected.max(1) - np.take_along_axis(expected, digits[:, None], axis=1)[:, 0]
    return Parity(
        pictures=len(images),
        same_digits=int((lead <= BOUND).sum()),
        largest_difference=float(np.abs(expected - found).max()),
    )


def prove(original: Classifier, other: Classifier) -> Parity:
    """Compares, and raises ModelError if the models differ."""
    parity = compare(original, other)
    if not parity.holds:
        raise ModelError(
            f"The export of {original.path} differs from it: the same digit on {parity.same_digits} of "
            f"{parity.pictures} pictures, probabilities up to {parity.largest_difference:.2g} apart "
            f"({BOUND:.0e} allowed). Nothing was written."
        )
    return parity
