"""Training data out of simulated pictures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from digitcli.convention import NO_DIGIT
from digitcli.data import simulated
from digitcli.simulator import HELD_OUT, KINDS, picture


@pytest.fixture(scope="module")
def chunk() -> tuple[np.ndarray, np.ndarray]:
    return simulated.examples((1, 0, 40))


def test_it_holds_digits_and_what_is_none(chunk: tuple[np.ndarray, np.ndarray]) -> None:
    images, labels = chunk
    assert images.shape == (len(labels), 28, 28)
    assert images.dtype == np.uint8
    assert (images.max((1, 2)) > 200).all()
    assert set(range(10)) <= set(labels.tolist())
    assert 0.2 < (labels == NO_DIGIT).mean() < 0.8


def test_the_same_numbers_give_the_same_examples(chunk: tuple[np.ndarray, np.ndarray]) -> None:
    parts = [simulated.examples((1, 0, 25)), simulated.examples((1, 25, 40))]
    assert np.array_equal(np.concatenate([images for images, _ in parts]), chunk[0])
    assert not np.array_equal(simulated.examples((2, 0, 25))[0], parts[0][0])


def test_a_data_set_counts_its_pictures_as_it_goes() -> None:
    done: list[tuple[int, int | None]] = []
    dataset = simulated.dataset(1, 60, lambda *progress: done.append(progress))
    assert done == [(50, 60), (60, 60)]
    assert dataset.test is None
    assert dataset.train is not None
    assert dataset.others is not None
    images, labels = simulated.examples((1, 0, 60))
    assert np.array_equal(dataset.train.labels, labels[labels != NO_DIGIT])
    assert np.array_equal(dataset.others, images[labels == NO_DIGIT])


def test_held_out_kinds_are_never_learnt_from(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []

    def spy(kind: str, text: str, rng: np.random.Generator, **_: float) -> object:
        drawn.append(kind)
        return picture("28x28 dark on light", text, rng)

    def spy_others(kind: str, rng: np.random.Generator, kinds: list[str], **_: float) -> object:
        drawn.extend(kinds)
        return replace(picture("28x28 dark on light", "1", rng), text="", boxes=[])

    monkeypatch.setattr(simulated, "picture", spy)
    monkeypatch.setattr(simulated, "not_digits", spy_others)
    simulated.examples((0, 0, 60))
    assert set(drawn) <= set(KINDS) - HELD_OUT
    assert len(set(drawn)) > 20


def test_a_lone_upright_stroke_is_never_called_no_digit(monkeypatch: pytest.MonkeyPatch) -> None:
    stroke, dash = np.zeros((2, 28, 28), np.uint8)
    stroke[4:24, 12:15] = dash[12:15, 4:24] = 255

    def elsewhere(*_: object) -> object:
        return [(stroke, (0, 0, 1, 1)), (dash, (0, 0, 1, 1))]

    monkeypatch.setattr(simulated, "in_box", elsewhere)
    images, labels = simulated.examples((0, 0, 20))
    assert any(np.array_equal(image, dash) for image in images[labels == NO_DIGIT])
    assert not any(np.array_equal(image, stroke) for image in images)
