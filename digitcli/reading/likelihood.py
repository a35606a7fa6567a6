"""How likely a digit is where the classifier alone does not tell: others expected, or a detector's word."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from digitcli.convention import CLASSES, NO_DIGITS

Probabilities = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""A classifier: (n, 28, 28) uint8, 0 paper to 255 ink, to (n, 10) float32; what a row lacks to 1 is the
probability that it is no digit."""


UNCERTAIN = 0.8
"""Confidence below which an answer is marked: of simulated pictures, every other one of these was misread."""

_DOUBTED = 0.55
"""Power of the doubt in a number, on either side of UNCERTAIN: it is less than what its readers leave."""

_SUREST = 0.995
"""Score of a detector that is believed at most."""

_BADLY_CUT = 0.05
"""Share of the digits that are not cut out well."""

_NEW = 0.25
"""Of the detector's word on which digit it is; what misleads a classifier tends to mislead it as well."""

_LEAST = 1e-9
"""Probability of what was seen, where detector and classifier rule out all that the other sees."""


def odds(share: float) -> float:
    """Of a share, at least 0 and below 1, against the rest."""
    return share / (1 - share)


def calibrated(share: float) -> float:
    """The probability that a number is right, of the share, 0-1, that its readers give it among all.

    They see the same pixels and so doubt the same, twice: pictures that nothing was trained on are read right
    more often than they say. What is marked stays marked.
    """
    if share < UNCERTAIN:
        return UNCERTAIN * math.pow(share / UNCERTAIN, _DOUBTED)
    rest = 1 - UNCERTAIN
    return 1 - rest * math.pow(max(1 - share, 0.0) / rest, 1 / _DOUBTED)


def not_sure_enough(text: str, confidence: float) -> str:
    """Why there is no answer where a least confidence was asked for. text: of one line or several."""
    return f"not sure enough ({' '.join(text.split())} at {confidence:.4f})"


def seen_twice(score: float, named: NDArray[np.float32], row: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities of the ten digits where a detector found one and a classifier saw what was cut out.

    score: of there being a digit, 0-1, and named: (10,), which one, as the detector has it.
    row: (10,), as from a classifier; what it lacks to 1 is the probability of no digit, which is expected in
    NO_DIGITS of what it sees. Returns (10,), which lack to 1 the probability of no digit. By Bayes' rule, the
    two being independent where they err on whether it is one; a digit that was cut out badly looks like none
    to the classifier.
    """
    score = min(score, _SUREST)
    seen_as_none = max(1 - float(row.sum()), 0.0) / NO_DIGITS
    seen_as_digits = row * (CLASSES / (1 - NO_DIGITS))
    likely = named**_NEW
    likely /= likely.sum()
    digits = score * likely * ((1 - _BADLY_CUT) * seen_as_digits + _BADLY_CUT * seen_as_none)
    none = (1 - score) * seen_as_none
    return np.asarray(digits / max(float(digits.sum()) + none, _LEAST), np.float32)
