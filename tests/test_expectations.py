"""Probabilities where no digit is more, or less, likely than in people's pictures."""

from __future__ import annotations

import numpy as np
import pytest

from digitcli.data.digits import NO_DIGITS
from digitcli.expectations import expecting


def rows(*sums: float) -> np.ndarray:
    return np.stack([np.full(10, total / 10, np.float32) for total in sums])


def test_what_was_expected_anyway_changes_nothing() -> None:
    np.testing.assert_allclose(expecting(NO_DIGITS, rows(0.2, 1.0)), rows(0.2, 1.0), rtol=1e-5)


def test_where_half_show_no_digit_a_doubtful_one_is_likely_none() -> None:
    # Bayes' rule by hand: odds of none 1:1 become 49:1.
    assert expecting(0.5, rows(0.5)).sum() == pytest.approx(1 / 50, rel=1e-4)


def test_probabilities_of_a_classifier_without_that_output_stay_as_they_are() -> None:
    np.testing.assert_allclose(expecting(0.9, rows(1.0, 1.0000001)), rows(1.0, 1.0), atol=1e-4)


def test_no_rows_are_no_rows() -> None:
    assert expecting(0.5, np.zeros((0, 10), np.float32)).shape == (0, 10)
