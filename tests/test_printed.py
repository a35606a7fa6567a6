"""Digits in typefaces."""

from __future__ import annotations

import numpy as np

from digitcli.data import printed
from digitcli.images.geometry import is_in_mnist_form


def test_every_digit_is_printed_equally_often_and_in_mnist_s_form() -> None:
    dataset = printed.dataset(seed=1, count=200)
    assert dataset.test is None
    assert dataset.train is not None
    assert np.array_equal(np.bincount(dataset.train.labels), np.full(10, 20))
    assert np.mean([is_in_mnist_form(image) for image in dataset.train.images]) > 0.95


def test_the_same_seed_prints_the_same_and_another_seed_other_digits() -> None:
    first, again, other = ([*printed.dataset(seed, 30).train.images.flat] for seed in (1, 1, 2))
    assert first == again != other


def test_there_are_faces_of_many_kinds() -> None:
    names = {path.stem for path in printed.faces()}
    assert {"DejaVuSans", "DejaVuSerif-Bold", "STIXGeneralItalic", "cmtt10"} <= names
