"""McNemar's test between two models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from digitcli.data.digits import Digits
from digitcli.evaluation import evaluate
from digitcli.evaluation.comparison import compare


def evaluated(right, label=3):
    """An evaluation in which just those of a row of images were read right."""

    class Reader:
        path = Path("reader")

        def probabilities(self, images):
            read = np.where(right, label, label + 1)
            return np.eye(10, dtype=np.float32)[read]

    labels = np.full(len(right), label, np.uint8)
    return evaluate(
        Reader(), Digits(np.zeros((len(right), 28, 28), np.uint8), labels, ""), batch_size=len(right)
    )


def test_only_images_on_which_just_one_is_right_count():
    first = np.array([True] * 50 + [True] * 10 + [False] * 2 + [False] * 30)
    second = np.array([True] * 50 + [False] * 10 + [True] * 2 + [False] * 30)
    result = compare(evaluated(first), evaluated(second))
    assert (result.only_first, result.only_second) == (10, 2)
    assert result.p == pytest.approx(2 * (1 + 12 + 66) / 2**12)
    assert compare(evaluated(second), evaluated(first)).p == result.p


def test_models_that_agree_are_no_different():
    right = np.array([True, False, True])
    assert compare(evaluated(right), evaluated(right)).p == 1


def test_thousands_of_differences_are_counted_exactly():
    first = np.arange(5000) < 2400
    assert 0.004 < compare(evaluated(first), evaluated(~first)).p < 0.006


def test_other_pictures_cannot_be_compared():
    right = np.array([True, True])
    with pytest.raises(ValueError, match="same pictures"):
        compare(evaluated(right), evaluated(right, label=5))
