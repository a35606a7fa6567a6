"""What an export is made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitcli.convention import CLASSES, SIDE
from digitcli.data.digits import DataSet
from digitcli.version import __version__

PICTURES = 500
"""That show an export what its network will see."""


@dataclass(frozen=True)
class Material:
    """What an export is made from.

    network: a keras.Model or tf.Module from (n, 28, 28, 1) float32 in 0-1 to probabilities.
    about: what is known about it, to be kept in the export; see `describe`.
    pictures: (n, 28, 28) uint8, typical ones.
    """

    network: Any
    about: dict[str, Any]
    pictures: NDArray[np.uint8]


def describe(
    name: str, outputs: int, accuracy: float | None, scored: str | None, license: str
) -> dict[str, Any]:
    """What every export tells about itself, as a JSON object.

    name: of the model. outputs: how many classes it tells apart.
    accuracy: 0-1, on the data that `scored` names; both None if it was not measured.
    """
    labels = [str(digit) for digit in range(CLASSES)] + ["no digit"] * (outputs - CLASSES)
    return {
        "name": name,
        "labels": labels,
        "input": f"images: (n, {SIDE}, {SIDE}, 1) float32, 0 paper to 1 ink; the digit fits in 20x20 pixels, "
        "its centre of mass in the middle, as in MNIST",
        "output": f"probabilities: (n, {outputs}) float32, in the order of the labels",
        "accuracy": accuracy,
        "accuracy_on": scored,
        "license": license,
        "made_by": f"digitcli {__version__}",
    }


def typical(data: DataSet) -> NDArray[np.uint8]:
    """Some pictures of the training part, evenly spread, or where there is none, of the test part."""
    digits = data.train or data.scored
    chosen: NDArray[np.uint8] = digits.images[
        np.linspace(0, len(digits) - 1, min(len(digits), PICTURES)).astype(int)
    ]
    return chosen
