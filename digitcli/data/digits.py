"""What every data format is read into."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitcli.convention import CLASSES, SIDE
from digitcli.errors import DataError


@dataclass(frozen=True)
class Digits:
    """Labelled pictures in MNIST's convention: light ink on black.

    images: (n, 28, 28) uint8, 0 paper to 255 ink.
    labels: (n,) uint8, the digits 0-9.
    name: where they come from, for messages and run.json.
    sha256: fingerprint of pixels and labels, the same whatever format they were read from.

    Raises DataError if shapes, counts or labels do not fit.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    name: str
    sha256: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.images.ndim != 3 or self.images.shape[1:] != (SIDE, SIDE):
            raise DataError(
                f"{self.name}: pictures of {SIDE}x{SIDE} expected, got shape {self.images.shape}."
            )
        if len(self.images) != len(self.labels):
            raise DataError(f"{self.name}: {len(self.images)} images but {len(self.labels)} labels.")
        if len(self.images) == 0:
            raise DataError(f"{self.name}: holds no images.")
        wrong = np.flatnonzero(self.labels >= CLASSES)
        if len(wrong):
            raise DataError(
                f"{self.name}: label {self.labels[wrong[0]]} of image {wrong[0] + 1} is not a digit 0-9."
            )
        digest = hashlib.sha256(np.ascontiguousarray(self.images).data)
        digest.update(np.ascontiguousarray(self.labels).data)
        object.__setattr__(self, "sha256", digest.hexdigest())

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def fingerprint(self) -> dict[str, Any]:
        """What run.json tells of it."""
        return {"name": self.name, "images": len(self), "sha256": self.sha256}

    def take(self, indices: NDArray[np.integer] | slice, name: str | None = None) -> Digits:
        """The chosen rows as a data set of their own."""
        return Digits(self.images[indices], self.labels[indices], name or self.name)


@dataclass(frozen=True)
class DataSet:
    """The parts of a data source. A source with one part that does not say which has it as `train`.

    others: (n, 28, 28) uint8, what a picture may look like that is no digit, to be trained on too; None if
        the source has no such pictures.
    few: digits labelled by hand, to be learnt beside the many of `train` as if there were more of them.
    by_hand: whether all of `train` is such.
    origin: how it was found, to be shown to the user ("MNIST in data/mnist (verified)").
    warning: what the user must know about it, if it is not what was asked for.
    At least one of the parts is there.
    """

    train: Digits | None
    test: Digits | None
    origin: str
    warning: str | None = None
    others: NDArray[np.uint8] | None = None
    few: Digits | None = None
    by_hand: bool = False

    @property
    def identity(self) -> dict[str, Any]:
        """What tells whether data are the same, wherever they lie."""
        return {
            "train": self.train.sha256 if self.train else None,
            "others": 0 if self.others is None else len(self.others),
            **({"few": self.few.sha256} if self.few else {}),
            "test": self.test.sha256 if self.test else None,
        }

    @property
    def scored(self) -> Digits:
        """What a model is scored on: the test part, or where there is none, all of it."""
        part = self.train if self.test is None else self.test
        assert part is not None, "a data set has at least one part"
        return part
