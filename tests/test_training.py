"""The training loop and the run it writes, on a few hundred synthetic digits."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import keras
import numpy as np
import pytest

from digitcli import classifiers, models
from digitcli.data import synthetic
from digitcli.data.digits import DataSet
from digitcli.errors import DataError, UsageError
from digitcli.images.augmentation import Warp
from digitcli.training import feed, loop, processor
from digitcli.training import run as run_module
from digitcli.training.calibration import calibrate, expect_digits
from digitcli.training.config import configure
from digitcli.training.loop import fit, split
from digitcli.training.run import train
from digitcli.training.schedule import learning_rate


@pytest.fixture(scope="module")
def digits():
    return synthetic.generate(600, seed=1)


def small(preset="mlp-512", *, seed=0, patience=None, **recipe):
    recipe = {"epochs": 2, "batch_size": 50, "val_split": 0.2, **recipe}
    model = {"channels": (4, 8), "depth": ()} if models.preset(preset).model.channels else {"hidden": (32,)}
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
    assert configure("mlp-512-64").run_name == "mlp-512-64-lr0.005-e18"
    assert configure("cnn", members=3, recipe={"epochs": 2}).run_name == "cnn-lr0.008-e2-x3"


def test_a_preset_says_how_many_networks_it_trains_unless_told_otherwise():
    assert configure("best").members == models.preset("best").members > 1
    assert configure("best", members=1).members == 1


@pytest.mark.parametrize(
    "values",
    [
        {"patience": 0},
        {"patience": 3, "recipe": {"val_split": 0.0}},
        {"seed": -1},
        {"members": 0},
        {"time_budget": 0.0},
    ],
)
def test_settings_that_make_no_sense_are_refused(values):
    with pytest.raises(UsageError):
        configure("cnn", **values)


@pytest.mark.parametrize("preset", models.PRESETS)
def test_every_preset_learns(digits, preset):
    # Where the last layer sees no more than a mean over the picture, it takes longer.
    recipe = {"epochs": 20, "lr": 0.01} if preset == "tiny" else {"epochs": 5, "lr": 0.005}
    fitted = fit(small(preset, **recipe), digits)
    assert fitted.history[-1].loss < fitted.history[0].loss
    assert fitted.history[-1].accuracy > 0.3  # guessing gets 0.1


def test_a_network_learns_in_bfloat16_too_and_is_kept_in_float32(digits, monkeypatch):
    # Where the processor has no bfloat16 this is slow, but the same.
    monkeypatch.setattr(loop, "precision", lambda spec: "mixed_bfloat16")
    fitted = fit(small("cnn", epochs=5, lr=0.005), digits)
    assert fitted.history[-1].accuracy > 0.3
    assert {weight.dtype for weight in fitted.model.get_weights()} == {np.dtype(np.float32)}
    assert read(fitted.model, digits).dtype == np.float32


def test_few_filters_are_trained_in_float32_where_others_are_in_bfloat16(monkeypatch):
    monkeypatch.setattr(processor, "PRECISION", "mixed_bfloat16")
    policies = {name: processor.precision(models.preset(name).model) for name in ("tiny", "cnn", "mlp-512")}
    assert policies == {"tiny": "float32", "cnn": "mixed_bfloat16", "mlp-512": "mixed_bfloat16"}


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


def test_validation_figures_are_those_of_the_kept_model(digits, monkeypatch):
    monkeypatch.setattr(loop, "precision", lambda spec: "float32")  # which the kept model has everywhere
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


def test_averaged_weights_are_validated_and_kept(digits, monkeypatch):
    monkeypatch.setattr(loop, "precision", lambda spec: "float32")  # which the kept model has everywhere
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


def test_an_ensemble_reads_by_the_mean_of_its_members_logits(digits, tmp_path):
    config = replace(small("cnn", val_split=0.0), members=2)
    run = train(config, DataSet(digits, None, "digits"), tmp_path / "run")
    members = [fit(config, digits, member=member).model for member in (1, 2)]
    logits = [np.log(read(member, digits)) for member in members]
    assert not np.allclose(*logits, atol=0.01)
    mean = np.exp((logits[0] + logits[1]) / 2)
    whole = keras.models.load_model(run.directory / "model.keras")
    np.testing.assert_allclose(read(whole, digits), mean / mean.sum(1, keepdims=True), atol=1e-4)
    assert [(row.member, row.epoch) for row in run.history] == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert run.parameters == 2 * members[0].count_params()


def test_an_ensemble_is_calibrated_as_a_whole(digits, tmp_path):
    config = replace(small("cnn", epochs=4), members=2)
    run = train(config, DataSet(digits, None, "digits"), tmp_path / "run")
    whole = keras.models.load_model(run.directory / "model.keras")
    _, validation = split(digits, config.recipe.val_split, config.seed)
    assert calibrate(whole, validation) == pytest.approx(1, rel=0.02)
    assert run.validation.accuracy == pytest.approx(share_right(whole, validation))


def test_a_time_budget_ends_training_with_the_schedule_at_its_end(digits):
    # The first call alone, which builds the graph, takes longer than this.
    config = replace(small("cnn", schedule="cosine", epochs=1000, batch_size=10), time_budget=0.05)
    steps = []
    fitted = fit(config, digits, on_step=steps.append)
    assert len(fitted.history) == 1
    assert [(step.step, step.steps, step.progress) for step in steps] == [(25, 48, 1)]


def test_cosine_schedule_rises_to_its_rate_and_falls_to_zero():
    recipe = models.Recipe(lr=0.01, schedule="cosine")
    rates = [learning_rate(recipe, progress) for progress in np.linspace(0, 1, 101)]
    top = int(np.argmax(rates))
    assert rates[top] == pytest.approx(0.01)
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[-1] == pytest.approx(0, abs=1e-9)


def test_batches_hold_every_image_once_with_its_label():
    images = np.arange(103, dtype=np.uint8).repeat(784).reshape(-1, 28, 28)
    labels = np.arange(103, dtype=np.int32)
    parts = list(feed.batches(images, labels, 10, at_a_time=3, seed=(1, 2), bounds=None))
    assert [len(part[1]) for part in parts] == [3, 3, 3, 1]
    seen = np.concatenate([part[1].ravel() for part in parts])
    pixels = np.concatenate([part[0].reshape(-1, 784)[:, 0] for part in parts])
    np.testing.assert_array_equal(pixels, seen)
    assert len(set(seen.tolist())) == 100


@pytest.mark.parametrize("bounds", [None, Warp()])
def test_batches_are_decided_by_their_seed(digits, bounds):
    def pixels(seed):
        labels = digits.labels.astype(np.int32)
        parts = feed.batches(digits.images, labels, 50, at_a_time=5, seed=seed, bounds=bounds)
        return np.concatenate([part[0] for part in parts])

    np.testing.assert_array_equal(pixels((1, 1)), pixels((1, 1)))
    assert not np.array_equal(pixels((1, 1)), pixels((1, 2)))


@pytest.fixture
def warps(monkeypatch):
    """The bounds of the warps of each epoch that is trained."""
    seen = []
    batches = feed.batches

    def watched(*arguments, bounds, **named):
        seen.append(bounds)
        return batches(*arguments, bounds=bounds, **named)

    monkeypatch.setattr(loop.feed, "batches", watched)
    return seen


def test_only_convolutional_networks_learn_from_shifted_digits(digits, warps):
    for preset in ("cnn", "mlp-512"):
        fit(small(preset, epochs=1, augment=True), digits)
    assert [bounds.shift > 0 for bounds in warps] == [True, False]
    assert [bounds.rotation > 0 for bounds in warps] == [True, True]


def test_warps_get_weaker_as_training_goes_on(digits, warps):
    fit(small("cnn", epochs=4), digits)
    rotations = [bounds.rotation for bounds in warps]
    assert rotations == sorted(rotations, reverse=True)
    assert rotations[0] == Warp().rotation
    assert 0 < rotations[-1] < 0.6 * rotations[0]
    assert [bounds.elastic / bounds.rotation for bounds in warps] == pytest.approx([0.05] * 4)


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
