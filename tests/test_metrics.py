from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digitcli.evaluation.metrics import (
    DigitScores,
    Sums,
    confusion_matrix,
    cross_entropies,
    digit_scores,
)

pairs = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=60)


def columns(rows: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    labels, read = np.array(rows).T
    return labels.astype(np.uint8), read


def test_confusion_counts_true_digits_in_rows_and_read_digits_in_columns() -> None:
    confusion = confusion_matrix(*columns([(4, 4), (4, 9), (4, 9), (9, 9), (0, 6)]))
    assert confusion.shape == (10, 10)
    assert {tuple(cell.tolist()): confusion[tuple(cell)] for cell in np.argwhere(confusion)} == {
        (4, 4): 1,
        (4, 9): 2,
        (9, 9): 1,
        (0, 6): 1,
    }


def test_scores_of_a_small_case_are_those_computed_by_hand() -> None:
    # 4: read 3 times, 2 of them right, out of 4 pictures. 9: read 3 times, 1 right, out of 2.
    rows = [(4, 4), (4, 4), (4, 9), (4, 9), (9, 9), (9, 4)]
    scores = digit_scores(confusion_matrix(*columns(rows)))
    assert scores[4] == DigitScores(4, pytest.approx(2 / 3), pytest.approx(1 / 2), pytest.approx(4 / 7), 4)
    assert scores[9] == DigitScores(9, pytest.approx(1 / 3), pytest.approx(1 / 2), pytest.approx(2 / 5), 2)


def test_scores_without_a_denominator_are_none() -> None:
    scores = digit_scores(confusion_matrix(*columns([(1, 1), (2, 3)])))
    assert scores[0] == DigitScores(0, None, None, None, 0)
    assert scores[2] == DigitScores(2, None, 0.0, 0.0, 1), "there, but never read"
    assert scores[3] == DigitScores(3, 0.0, None, 0.0, 0), "read, but not there"


@settings(max_examples=50)
@given(pairs)
def test_confusion_holds_every_picture_once_and_its_trace_is_accuracy(rows: list[tuple[int, int]]) -> None:
    labels, read = columns(rows)
    confusion = confusion_matrix(labels, read)
    assert confusion.sum() == len(rows)
    assert np.trace(confusion) == np.count_nonzero(labels == read)
    assert confusion.sum(axis=1).tolist() == np.bincount(labels, minlength=10).tolist()


@settings(max_examples=50)
@given(pairs)
def test_f1_is_the_harmonic_mean_of_precision_and_recall(rows: list[tuple[int, int]]) -> None:
    for scores in digit_scores(confusion_matrix(*columns(rows))):
        if scores.precision and scores.recall:
            harmonic = 2 / (1 / scores.precision + 1 / scores.recall)
            assert scores.f1 == pytest.approx(harmonic)
        else:
            assert not scores.f1


@settings(max_examples=50)
@given(pairs)
def test_swapping_truth_and_reading_swaps_precision_and_recall(rows: list[tuple[int, int]]) -> None:
    labels, read = columns(rows)
    there = digit_scores(confusion_matrix(labels, read))
    back = digit_scores(confusion_matrix(read, labels))
    assert [s.precision for s in there] == [s.recall for s in back]
    assert [s.f1 for s in there] == [s.f1 for s in back]


def test_cross_entropy_is_minus_the_log_of_what_the_true_digit_was_given() -> None:
    probabilities = np.full((2, 10), 0.5 / 9, dtype=np.float32)
    probabilities[:, 3] = 0.5
    losses = cross_entropies(np.array([3, 7], dtype=np.uint8), probabilities)
    assert losses == pytest.approx([math.log(2), math.log(18)])


def test_cross_entropy_of_an_impossible_digit_stays_finite() -> None:
    sure = np.eye(10, dtype=np.float32)[[3, 3]]
    assert cross_entropies(np.array([3, 4]), sure) == pytest.approx([0.0, -math.log(1e-7)])


def test_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    rows = np.full((10, 10), 0.1 / 9)
    rows[:, 3] = 0.9
    assert Sums.of(rows, np.array([3] * 9 + [5])).calibration_error == pytest.approx(0)
    assert Sums.of(rows, np.array([3] * 5 + [5] * 5)).calibration_error == pytest.approx(0.4)
    assert Sums.of(rows, np.full(10, 3)).calibration_error == pytest.approx(0.1)


def test_calibration_error_does_not_balance_one_confidence_with_another() -> None:
    rows = np.zeros((4, 10))
    rows[:2, 0], rows[:2, 1] = 0.95, 0.05
    rows[2:, 0], rows[2:, 1] = 0.55, 0.45
    assert Sums.of(rows, np.array([0, 1, 0, 0])).calibration_error == pytest.approx((0.45 * 2 + 0.45 * 2) / 4)


def test_sums_of_parts_are_those_of_the_whole() -> None:
    rng = np.random.default_rng(0)
    rows = rng.dirichlet(np.ones(10), 50).astype(np.float32)
    labels = rng.integers(0, 10, 50)
    parts = [Sums.of(rows[part], labels[part]) for part in (slice(17), slice(17, 18), slice(18, None))]
    total = parts[0] + parts[1] + parts[2] + Sums()
    whole = Sums.of(rows, labels)
    assert (total.confusion == whole.confusion).all()
    assert total.loss == pytest.approx(whole.loss)
    assert total.calibration_error == pytest.approx(whole.calibration_error)
    assert total.reliability == whole.reliability
