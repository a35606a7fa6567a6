"""How likely no digit is where a classifier is asked about something else than a whole picture."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from digitcli.data.digits import NO_DIGITS

Probabilities = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""A classifier: (n, 28, 28) uint8, 0 paper to 255 ink, to (n, 10) float32; what a row lacks to 1 is the
probability that it is no digit."""


def odds(share: float) -> float:
    """Of a share, at least 0 and below 1, against the rest."""
    return share / (1 - share)


def expecting(share: float, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities of the ten digits where a `share` of what is shown is no digit, instead of NO_DIGITS.

    rows: (n, 10), as from a classifier; what a row lacks to 1 is the probability of no digit. Of a classifier
    that does not know it, rows stay as they are. By Bayes' rule.
    """
    none = np.maximum(1 - rows.sum(axis=1, keepdims=True), 0)
    ratio = odds(share) / odds(NO_DIGITS)
    return np.asarray(rows / (1 + (ratio - 1) * none), np.float32)
