"""Trials of a tuning in this process, in place of those on Ray: real ones, and ones that are made up."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from digitcli.data import synthetic
from digitcli.data.digits import DataSet
from digitcli.training import ray_trials, tuning
from digitcli.training.config import configure
from digitcli.training.run import TrainedRun, train
from digitcli.training.trials import Trial


def replace_ray(monkeypatch: pytest.MonkeyPatch, run_trials: Callable[..., None]) -> None:
    """From now on, `run_trials` does the trials."""
    monkeypatch.setattr(tuning, "ray_started", nullcontext)
    monkeypatch.setattr(ray_trials, "run_trials", run_trials)


def train_here(config, wanted, data, name, on_epoch, on_done) -> None:
    """Trains each trial, one after another."""
    for number, settings in wanted.items():
        with tempfile.TemporaryDirectory() as folder:
            run = train(settings.applied_to(config), data, Path(folder) / name)
            on_done(_trial(number, settings, run.validation.accuracy, run.validation.loss), _files(run))


class MadeUp:
    """Trials of which each comes to what `outcomes` says, by number.

    An outcome is its validation accuracy, or that and the loss, or why it failed, or an exception that ends
    all. told: of each call, what it was asked for.
    """

    def __init__(self, outcomes: Mapping[int, Any]) -> None:
        self.outcomes = outcomes
        self.told: list[dict[str, Any]] = []

    def __call__(self, config, wanted, data, name, on_epoch, on_done) -> None:
        self.told.append({"config": config, "wanted": wanted, "data": data, "name": name})
        for number, settings in wanted.items():
            match self.outcomes[number]:
                case BaseException() as error:
                    raise error
                case str(reason):
                    on_done(Trial(number, settings, "failed", None, None, 0, 0.0, reason), {})
                case (accuracy, loss):
                    on_done(_trial(number, settings, accuracy, loss), some_run())
                case accuracy:
                    on_done(_trial(number, settings, accuracy, 0.5), some_run())


@cache
def some_run() -> dict[str, bytes]:
    """The files of a run."""
    digits = synthetic.generate(100, seed=1)
    config = configure("mlp-512", model={"hidden": (8,)}, recipe={"epochs": 1, "val_split": 0.2})
    with tempfile.TemporaryDirectory() as folder:
        return _files(train(config, DataSet(digits, None, "digits"), Path(folder) / "run"))


def _trial(number, settings, accuracy, loss) -> Trial:
    return Trial(number, settings, "finished", accuracy, loss, epochs=1, seconds=0.5)


def _files(run: TrainedRun) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in run.directory.iterdir()}
