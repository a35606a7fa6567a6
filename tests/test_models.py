"""Presets and the networks they build."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from digitcli import models
from digitcli.errors import UsageError
from digitcli.training.config import configure, from_dict


@pytest.mark.usefixtures("tensorflow")
@pytest.mark.parametrize("name", models.PRESETS)
def test_preset_builds_a_network_from_pictures_to_ten_probabilities(name):
    model = models.build(models.preset(name).model)
    assert model.input_shape == (None, 28, 28, 1)
    probabilities = model(np.random.default_rng(0).random((3, 28, 28, 1), np.float32)).numpy()
    assert probabilities.shape == (3, 10)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)


@pytest.mark.usefixtures("tensorflow")
@pytest.mark.parametrize("name", models.PRESETS)
def test_parameter_count_is_that_of_the_network(name):
    spec = models.preset(name).model
    assert models.parameter_count(spec) == models.build(spec).count_params()


@pytest.mark.usefixtures("tensorflow")
def test_the_mean_is_taken_over_a_picture_that_was_not_pooled_a_last_time():
    network = models.build(models.ModelSpec(channels=(4, 6, 8), depth=(2, 1), mean=True))
    (mean,) = [layer for layer in network.layers if layer.name.startswith("global_average")]
    assert mean.input.shape == (None, 7, 7, 8)


def test_tiny_has_fewer_than_9000_weights():
    assert models.parameter_count(models.preset("tiny").model) < 9000


@pytest.mark.parametrize(
    ("channels", "old", "depth"),
    [
        ((16, 32, 64), {"depth": 2}, (1, 2)),
        ((8, 16), {}, (1,)),
        ((8,), {"depth": 1}, ()),
        ((), {"depth": 1}, ()),
    ],
)
def test_runs_of_before_a_depth_for_each_stage_are_understood(channels, old, depth):
    record = asdict(configure("cnn"))
    del record["model"]["depth"], record["model"]["mean"]
    record["model"] |= {"channels": list(channels), **old}
    assert from_dict(record).model == models.ModelSpec(channels, depth)


@pytest.mark.usefixtures("tensorflow")
def test_a_network_may_have_an_eleventh_output_for_no_digit():
    spec = models.ModelSpec(hidden=(8,), no_digit=True)
    network = models.build(spec)
    assert network.output_shape == (None, 11)
    assert models.parameter_count(spec) == network.count_params()


@pytest.mark.usefixtures("tensorflow")
def test_logits_share_the_weights_of_the_network():
    model = models.build(models.ModelSpec(hidden=(8,)))
    logits = models.logits(model)
    assert {id(weight) for weight in logits.weights} == {id(weight) for weight in model.weights}
    image = np.ones((1, 28, 28, 1), np.float32)
    scores = np.exp(logits(image).numpy())
    np.testing.assert_allclose(scores / scores.sum(), model(image).numpy(), rtol=1e-5)


def test_unknown_preset_names_the_nearest():
    with pytest.raises(UsageError, match=r"preset called 'mlp-512-46'\. Did you mean mlp-512-64\?"):
        models.preset("mlp-512-46")


def test_unknown_preset_without_a_near_one_names_all():
    with pytest.raises(UsageError, match="cnn, best, mlp-512-64, mlp-512, mlp-dropout, tiny"):
        models.preset("transformer")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"batch_size": 0}, "batch size must be at least 1, got 0"),
        ({"epochs": 0}, "At least one epoch"),
        ({"lr": 0.0}, "learning rate must be above 0"),
        ({"lr": float("nan")}, "learning rate must be above 0"),
        ({"val_split": 1.0}, "validation split must be at least 0 and below 1"),
        ({"optimizer": "adm"}, "Did you mean adam"),
        ({"schedule": "cosin"}, "Did you mean cosine"),
    ],
)
def test_recipe_that_makes_no_sense_is_refused(values, message):
    with pytest.raises(UsageError, match=message):
        models.Recipe(**values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"hidden": (512, 0)}, "at least one unit"),
        ({"dropout": 1.0}, "below 1"),
        ({"channels": (8,) * 5}, "at most 4 convolutional stages"),
        ({"channels": (8, 16), "depth": (1, 2)}, "2 stages need 1 depths"),
    ],
)
def test_network_that_cannot_be_is_refused(values, message):
    with pytest.raises(UsageError, match=message):
        models.ModelSpec(**values)
