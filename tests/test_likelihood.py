"""Probabilities where a detector and a classifier have seen the same place, and how sure a number then is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digitcli.reading.likelihood import UNCERTAIN, calibrated, seen_twice

UNDECIDED = np.full(10, 0.1, np.float32)


def naming(digit: int, share: float, total: float = 1.0) -> np.ndarray:
    """A row that has a share of the total for one digit, the rest for the others alike."""
    row = np.full(10, total * (1 - share) / 9, np.float32)
    row[digit] = total * share
    return row


def test_a_classifier_that_sees_a_digit_has_the_last_word_where_the_detector_names_none() -> None:
    row = naming(3, 0.8)
    np.testing.assert_allclose(seen_twice(0.9, UNDECIDED, row), row, rtol=1e-4)


def test_a_detector_that_names_the_same_digit_makes_surer_by_a_quarter_of_its_word() -> None:
    # By hand: the odds of 3 against another digit are 0.8 to 0.2 / 9, those of the detector 16 to 1.
    odds = 0.8 / (0.2 / 9) * 16**0.25
    named = naming(3, 16 / 25)
    assert seen_twice(0.9, named, naming(3, 0.8))[3] == pytest.approx(odds / (odds + 9), rel=1e-4)


def test_of_two_digits_as_likely_to_the_classifier_it_is_the_one_the_detector_names() -> None:
    row = np.full(10, 0.02, np.float32)
    row[[3, 5]] = 0.42
    assert seen_twice(0.9, naming(5, 0.8), row).argmax() == 5


def test_where_the_classifier_sees_none_the_detectors_score_decides() -> None:
    none = naming(3, 1.0, total=0.0)
    assert seen_twice(0.3, UNDECIDED, none).sum() < 0.1
    assert seen_twice(0.95, UNDECIDED, none).sum() == pytest.approx(
        0.05 * 0.95 / (0.05 * 0.95 + 0.05), rel=1e-3
    )


def test_nobody_is_wholly_sure_of_a_digit_that_the_classifier_does_not_see() -> None:
    none = naming(3, 1.0, total=0.0)
    assert seen_twice(1.0, UNDECIDED, none).sum() == seen_twice(0.999, UNDECIDED, none).sum() < 0.95


def test_probabilities_never_exceed_one_even_where_each_rules_out_what_the_other_sees() -> None:
    assert seen_twice(1.0, naming(3, 1.0), naming(4, 1.0)).sum() == 0
    for score in (0.0, 0.5, 1.0):
        for total in (0.0, 0.5, 1.0):
            assert 0 <= seen_twice(score, naming(3, 0.7), naming(3, 0.6, total)).sum() <= 1 + 1e-6


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_surer_number_stays_surer_and_a_marked_one_marked_when_its_confidence_is_calibrated(
    share: float, other: float
) -> None:
    less, more = sorted((share, other))
    assert 0 <= calibrated(less) <= calibrated(more) <= 1
    assert (calibrated(share) < UNCERTAIN) == (share < UNCERTAIN)
