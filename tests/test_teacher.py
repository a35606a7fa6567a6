"""Distillation: `train --teacher` learns what another network says of the same images."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from digitcli import runs
from digitcli.classifiers.networks import load_keras
from digitcli.convention import NO_DIGIT
from digitcli.data import formats, synthetic
from digitcli.data.digits import DataSet, Digits
from digitcli.errors import ModelError
from digitcli.training.config import TrainConfig, configure
from digitcli.training.run import train
from digitcli.training.teacher import SHARE, TRUSTED, Teacher

DIGITS = synthetic.generate(600, seed=1)
OTHERS = 255 - DIGITS.images[:200]


def small(teacher: Path | None = None, **recipe: Any) -> TrainConfig:
    recipe = {"epochs": 6, "batch_size": 50, "val_split": 0.0, "augment": False, "average": 0.0, **recipe}
    return configure("cnn", model={"channels": (4, 8), "depth": ()}, recipe=recipe, teacher=teacher)


def trained(
    config: TrainConfig, folder: Path, digits: Digits = DIGITS, others: Any = None
) -> Callable[[Digits], Any]:
    """What the trained run says of digits: the probabilities of each class."""
    train(config, DataSet(digits, None, "digits", others=others), folder)
    model, _ = load_keras(folder / runs.KERAS_MODEL, "keras")
    return lambda some: model(some.images[..., None] / np.float32(255)).numpy()


def test_a_student_learns_how_sure_its_teacher_is(tmp_path: Path) -> None:
    unsure = trained(small(label_smoothing=0.5, epochs=12), tmp_path / "unsure")
    alone = trained(small(), tmp_path / "alone")
    taught = trained(small(tmp_path / "unsure"), tmp_path / "taught")
    assert unsure(DIGITS).max(1).mean() < taught(DIGITS).max(1).mean() < alone(DIGITS).max(1).mean() - 0.05
    assert (taught(DIGITS).argmax(1) == DIGITS.labels).mean() > 0.9


def test_where_the_teacher_contradicts_the_label_the_label_is_learnt(tmp_path: Path) -> None:
    wrong = Digits(DIGITS.images, ((DIGITS.labels + 1) % 10).astype(np.uint8), "wrong")
    trained(small(epochs=20), tmp_path / "wrong", wrong)
    trained(small(), tmp_path / "alone")
    taught = trained(small(tmp_path / "wrong"), tmp_path / "taught")
    assert (taught(DIGITS).argmax(1) == DIGITS.labels).mean() > 0.9


@pytest.mark.parametrize(("others", "more"), [(None, OTHERS), (OTHERS, None)], ids=["ten", "eleven"])
def test_teacher_and_student_may_differ_in_whether_they_know_of_no_digit(
    tmp_path: Path, others: Any, more: Any
) -> None:
    trained(small(), tmp_path / "teacher", others=others)
    taught = trained(small(tmp_path / "teacher"), tmp_path / "taught", others=more)
    assert (taught(DIGITS)[:, :10].argmax(1) == DIGITS.labels).mean() > 0.9


def test_of_each_image_it_says_what_it_is_trusted_with(tmp_path: Path) -> None:
    said = trained(small(), tmp_path / "teacher", others=OTHERS)(DIGITS)
    labels = DIGITS.labels.astype(np.int32)
    labels[:50], labels[50:100] = NO_DIGIT, (labels[50:100] + 1) % 10
    targets = np.eye(11, dtype=np.float32)[labels]
    images = DIGITS.images[..., None] / np.float32(255)
    improved = Teacher(tmp_path / "teacher").improve(targets, labels, images).numpy()
    heard = (labels != NO_DIGIT) & (said[np.arange(len(said)), labels] >= TRUSTED)
    assert 0.7 < heard.mean() < 1
    np.testing.assert_array_equal(improved[~heard], targets[~heard])
    # It may count in bfloat16.
    np.testing.assert_allclose(improved[heard], SHARE * said[heard] + (1 - SHARE) * targets[heard], atol=0.05)


def test_an_ensemble_teaches_by_the_mean_of_its_logits(tmp_path: Path) -> None:
    small = {"channels": (4, 8), "depth": ()}
    config = configure("cnn", members=2, model=small, recipe={"epochs": 2, "batch_size": 50})
    said = trained(config, tmp_path / "two")(DIGITS)
    targets = np.zeros((len(DIGITS), 10), np.float32)
    labels = said.argmax(1).astype(np.int32)
    improved = Teacher(tmp_path / "two").improve(targets, labels, DIGITS.images[..., None] / np.float32(255))
    sure = said.max(1) > 0.5
    assert sure.any()
    np.testing.assert_allclose(improved.numpy()[sure], SHARE * said[sure], atol=0.05)


def test_the_command_keeps_who_taught(digitcli: Callable[..., Any]) -> None:
    formats.get("npz").write(DataSet(DIGITS.take(slice(100)), None, "few"), Path("few.npz"))
    result = digitcli(
        "train", "--teacher", "bundled", "--data", "few.npz", "--epochs", 1, "--output", "taught", "-q"
    )
    assert result.exit_code == 0, result.stderr
    assert json.loads(Path("taught/run.json").read_text())["config"]["teacher"] == "bundled"


def test_a_teacher_that_is_no_run_is_refused(digitcli: Callable[..., Any], tmp_path: Path) -> None:
    result = digitcli("train", "--teacher", tmp_path / "nobody", "--data", "synthetic")
    assert result.exit_code == 1
    assert "There is no model at" in result.stderr
    (tmp_path / "model.tflite").write_bytes(b"")
    with pytest.raises(ModelError, match=r"is no run with a model\.keras"):
        configure(teacher=tmp_path / "model.tflite")
