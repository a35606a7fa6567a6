"""The training loop and the run it writes, on a few hundred synthetic digits."""

from __future__ import annotations

import csv
import json

import keras
import numpy as np
import pytest

from digitcli import classifiers, models
from digitcli.data import synthetic
from digitcli.data.digits import DataSet
from digitcli.errors import DataError, UsageError
from digitcli.training import augmentation
from digitcli.training import run as run_module
from digitcli.training.calibration import calibrate, expect_digits
from digitcli.training.config import configure
from digitcli.training.loop import fit, split
from digitcli.training.run import train


@pytest.fixture(scope="module")
def digits():
    return synthetic.generate(600, seed=1)


def small(preset="mlp-512", *, seed=0, patience=None, **recipe):
    recipe = {"epochs": 2, "batch_size": 50, "val_split": 0.2, **recipe}
    model = {"channels": (4, 8)} if models.preset(preset).model.channels else {"hidden": (32,)}
    return configure(preset, seed=seed, patience=patience, model=model, recipe=recipe)


def weights(fitted):
    return np.concatenate([weight.ravel() for weight in fitted.model.get_weights()])


def read(model, digits):
    return model(digits.images[..., None] / np.float32(255)).numpy()


def share_right(model, digits):
    return (read(model, digits).argmax(1) == digits.labels).mean()


def cross_entropy(model, digits):
    return -np.log(read(model, digits)[np.arange(len(digits)), digits.labels] + 1e-30).mean()


def test_override_replaces_one_value_and_keeps_the_preset_s_others():
    config = configure("mlp-dropout", model={"hidden": (5,), "dropout": None}, recipe={"lr": 0.5})
    preset = configure("mlp-dropout")
    assert config.model.hidden == (5,)
    assert config.model.dropout == preset.model.dropout
    assert config.recipe.lr == 0.5
    assert config.recipe.epochs == preset.recipe.epochs


def test_run_is_named_after_preset_rate_and_epochs():
    assert configure("mlp-512-64").run_name == "mlp-512-64-lr0.001-e18"


@pytest.mark.parametrize(
    "values", [{"patience": 0}, {"patience": 3, "recipe": {"val_split": 0.0}}, {"seed": -1}]
)
def test_settings_that_make_no_sense_are_refused(values):
    with pytest.raises(UsageError):
        configure("cnn", **values)


@pytest.mark.parametrize("preset", models.PRESETS)
def test_every_preset_learns(digits, preset):
    fitted = fit(small(preset, epochs=5, lr=0.005), digits)
    assert fitted.history[-1].loss < fitted.history[0].loss
    assert fitted.history[-1].accuracy > 0.3  # guessing gets 0.1


def test_same_seed_gives_the_same_weights_and_another_seed_others(digits):
    config = small("cnn", seed=3)
    first, again, other = fit(config, digits), fit(config, digits), fit(small("cnn", seed=4), digits)
    np.testing.assert_array_equal(weights(first), weights(again))
    assert not np.array_equal(weights(first), weights(other))


def test_history_and_callbacks_tell_the_same_story(digits):
    steps, epochs = [], []
    fitted = fit(small(epochs=3), digits, on_step=steps.append, on_epoch=epochs.append)
    assert tuple(epochs) == fitted.history
    assert [epoch.epoch for epoch in epochs] == [1, 2, 3]
    last = [step for step in steps if step.epoch == 3][-1]
    assert (last.step, last.steps) == (9, 9)
    assert last.loss == pytest.approx(epochs[-1].loss)
    assert last.accuracy == pytest.approx(epochs[-1].accuracy)


def test_validation_figures_are_those_of_the_kept_model(digits):
    config = small()
    fitted = fit(config, digits)
    _, validation = split(digits, config.recipe.val_split, config.seed)
    assert fitted.history[-1].val_accuracy == pytest.approx(share_right(fitted.model, validation))
    loss = cross_entropy(fitted.model, validation)
    assert fitted.history[-1].val_loss == pytest.approx(loss, rel=1e-4)


def test_patience_stops_and_goes_back_to_the_best_epoch(digits):
    # A rate this high makes the loss rise after a while.
    config = small(optimizer="sgd", lr=3.0, epochs=30, patience=2)
    fitted = fit(config, digits)
    losses = [epoch.val_loss for epoch in fitted.history]
    assert len(losses) < 30
    assert fitted.best_epoch == len(losses) - 2
    assert losses[fitted.best_epoch - 1] == min(losses)
    _, validation = split(digits, config.recipe.val_split, config.seed)
    assert cross_entropy(fitted.model, validation) == pytest.approx(min(losses), rel=1e-3)


def test_averaged_weights_are_validated_and_kept(digits):
    config = small("cnn", average=0.9)
    fitted = fit(config, digits)
    _, validation = split(digits, config.recipe.val_split, config.seed)
    right = (
        fitted.model(validation.images[..., None] / np.float32(255)).numpy().argmax(1) == validation.labels
    )
    assert fitted.history[-1].val_accuracy == pytest.approx(right.mean())
    assert not np.allclose(weights(fitted), weights(fit(small("cnn", average=0.0), digits)))


def test_cosine_schedule_warms_up_and_comes_down(digits):
    fitted = fit(small(schedule="cosine", epochs=6, lr=0.01), digits)
    rates = [epoch.lr for epoch in fitted.history]
    assert max(rates) <= 0.01
    assert rates[-1] < rates[1]


def test_split_takes_each_image_once_and_the_seed_decides(digits):
    train_part, validation = split(digits, 0.25, seed=5)
    assert (len(train_part), len(validation)) == (450, 150)
    both = np.concatenate([train_part.images, validation.images])
    assert sorted(map(bytes, both)) == sorted(map(bytes, digits.images))
    assert split(digits, 0.25, seed=5)[1].sha256 == validation.sha256
    assert split(digits, 0.25, seed=6)[1].sha256 != validation.sha256


def test_split_that_leaves_nothing_is_refused(digits):
    with pytest.raises(UsageError, match="leaves none of the 2 images"):
        split(digits.take(slice(2)), 0.9, seed=0)


def test_no_validation_split_means_no_validation_figures(digits):
    fitted = fit(small(val_split=0.0, epochs=1), digits)
    assert fitted.history[0].val_loss is None
    assert fitted.history[0].val_accuracy is None


def test_batch_larger_than_the_data_is_one_step(digits):
    steps = []
    fit(small(epochs=1, batch_size=10_000), digits, on_step=steps.append)
    assert [step.steps for step in steps] == [1]


def test_warp_moves_every_image_a_little_and_keeps_its_ink(digits):
    images = digits.images[:200, ..., None] / np.float32(255)
    warped = augmentation.warp(images, (1, 2)).numpy()
    assert warped.shape == images.shape
    assert 0 <= warped.min() <= warped.max() <= 1 + 1e-6
    assert (np.abs(warped - images).mean((1, 2, 3)) > 0).all()
    ink = warped.sum((1, 2, 3)) / images.sum((1, 2, 3))
    assert 0.6 < ink.min() < ink.max() < 1.6
    assert np.array_equal(warped, augmentation.warp(images, (1, 2)).numpy())
    assert not np.array_equal(warped, augmentation.warp(images, (1, 3)).numpy())


def test_run_directory_holds_all_that_is_promised(digits, tmp_path):
    data = DataSet(digits, synthetic.generate(100, seed=2), "synthetic digits")
    run = train(small(), data, tmp_path / "run")
    assert {file.name for file in run.directory.iterdir()} == {
        "run.json", "history.csv", "curves.png", "model.keras", "model.tflite",
    }  # fmt: skip
    record = json.loads((run.directory / "run.json").read_text())
    assert record["config"]["preset"] == "mlp-512"
    assert record["config"]["model"]["hidden"] == [32]
    assert record["data"]["train"] == {"name": digits.name, "images": 600, "sha256": digits.sha256}
    assert record["input"]["range"] == [0, 1]
    assert record["metrics"]["test_accuracy"] == run.test.accuracy
    assert record["versions"].keys() == {"digitcli", "tensorflow", "keras", "python"}
    with (run.directory / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["val_loss"]) for row in rows] == [epoch.val_loss for epoch in run.history]
    assert (run.directory / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_saved_model_is_the_trained_one(digits, tmp_path):
    test = synthetic.generate(100, seed=2)
    run = train(small("cnn"), DataSet(digits, test, "synthetic digits"), tmp_path / "run")
    model = keras.models.load_model(run.directory / "model.keras")
    assert run.test.accuracy == pytest.approx(share_right(model, test))


@pytest.mark.parametrize("exaggeration", [0.4, 3.0])
def test_calibration_undoes_exaggeration_and_changes_no_reading(digits, exaggeration):
    model = fit(small("cnn", epochs=8), digits).model
    calibrate(model, digits)
    before, loss = read(model, digits), cross_entropy(model, digits)
    layer = model.get_layer("logits")
    layer.set_weights([weight * exaggeration for weight in layer.get_weights()])
    assert cross_entropy(model, digits) > loss
    assert calibrate(model, digits) == pytest.approx(exaggeration, rel=0.02)
    after = read(model, digits)
    assert (after.argmax(1) == before.argmax(1)).all()
    np.testing.assert_allclose(after, before, atol=0.02)


def test_a_run_is_calibrated_on_its_validation_split(digits, tmp_path):
    config = small("cnn", epochs=4)
    run = train(config, DataSet(digits, None, "digits"), tmp_path / "run")
    plain = fit(config, digits).model
    _, validation = split(digits, config.recipe.val_split, config.seed)
    temperature = json.loads((run.directory / "run.json").read_text())["metrics"]["temperature"]
    assert calibrate(plain, validation) == pytest.approx(temperature, rel=0.01)
    kept = keras.models.load_model(run.directory / "model.keras")
    np.testing.assert_allclose(read(kept, digits), read(plain, digits), atol=1e-3)


def test_a_network_learns_what_is_no_digit(digits, tmp_path):
    others = 255 - digits.images[:200]
    run = train(small("cnn", epochs=6), DataSet(digits, digits, "digits", others=others), tmp_path / "run")
    network = classifiers.load(run.directory / "model.tflite")
    assert network.probabilities(others).sum(1).mean() < 0.2
    assert network.probabilities(digits.images).sum(1).mean() > 0.9
    assert json.loads((run.directory / "run.json").read_text())["data"]["others"] == 200


def test_a_network_expects_fewer_no_digits_than_it_was_trained_on(digits):
    model = models.build(models.ModelSpec(hidden=(8,), no_digit=True))
    before = read(model, digits)
    expect_digits(model, 0.5)
    after = read(model, digits)
    # By Bayes' rule, the odds of no digit fall from 1:1 to 2:98, whatever the picture.
    ratio = (after[:, 10] / (1 - after[:, 10])) / (before[:, 10] / (1 - before[:, 10]))
    np.testing.assert_allclose(ratio, 2 / 98, rtol=1e-3)


def test_a_run_with_no_digits_expects_few_of_them(digits, tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(run_module, "expect_digits", lambda model, share: told.append(share))
    train(small(epochs=1), DataSet(digits, None, "digits", others=digits.images[:200]), tmp_path / "run")
    assert told == [200 / 800]


def test_data_without_a_training_part_cannot_train(digits, tmp_path):
    with pytest.raises(DataError, match="only a test part"):
        train(small(), DataSet(None, digits, "test pictures"), tmp_path / "run")


def test_failed_training_leaves_no_directory(digits, tmp_path):
    def interrupt(report):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(small(), DataSet(digits, None, "digits"), tmp_path / "runs" / "a", on_epoch=interrupt)
    assert list((tmp_path / "runs").iterdir()) == []


def test_tensorboard_logs_are_written(digits, tmp_path):
    train(small(), DataSet(digits, None, "digits"), tmp_path / "run", tensorboard=tmp_path / "logs")
    (events,) = (tmp_path / "logs").iterdir()
    assert b"epoch/val_accuracy" in events.read_bytes()
