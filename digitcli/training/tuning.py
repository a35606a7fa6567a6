"""Tuning: trainings with other settings than the preset's, of which the best one is kept.

They are judged on the validation split. The test part judges what is kept, and chooses nothing.
"""

from __future__ import annotations

import csv
import math
import shutil
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from digitcli import classifiers, runs
from digitcli.classifiers.trial import remember
from digitcli.cluster.ray_setup import ray_started, require_ray
from digitcli.data.digits import DataSet
from digitcli.data.load import absolute
from digitcli.errors import DataError, Interrupted, ModelError, OutputError, UsageError
from digitcli.evaluation import evaluate
from digitcli.runs.history import EpochReport
from digitcli.training import unfinished
from digitcli.training.config import TrainConfig
from digitcli.training.trials import SETTINGS, KeptTrials, Settings, Trial, draw
from digitcli.training.unfinished import Plan, Unfinished

TABLE = "tune.csv"
"""In the run: a row for each trial."""


@dataclass(frozen=True)
class Tuned:
    """A finished tuning.

    directory: the run of the best trial. trials: all, by number. best: the one that was kept.
    images: in the validation split.
    """

    directory: Path
    trials: tuple[Trial, ...]
    best: Trial
    images: int

    @property
    def gain(self) -> float | None:
        """By how much the best trial's validation accuracy, 0-1, exceeds the first's; None if that failed."""
        first = self.trials[0]
        if first.val_accuracy is None or self.best.val_accuracy is None:
            return None
        return self.best.val_accuracy - first.val_accuracy

    @property
    def standard_error(self) -> float:
        """Of the best trial's validation accuracy, 0-1, as that of a share of so many images."""
        share = self.best.val_accuracy or 0.0
        return math.sqrt(share * (1 - share) / self.images)


def tune(
    config: TrainConfig,
    data: DataSet,
    trials: int,
    directory: Path | None = None,
    *,
    fixed: Collection[str] = (),
    address: str | None = None,
    source: str | None = None,
    force: bool = False,
    on_epoch: Callable[[int, EpochReport], None] = lambda number, report: None,
    on_trial: Callable[[Trial], None] = lambda trial: None,
) -> Tuned:
    """Trains with several settings on Ray Tune, and keeps the best on the validation split as the run.

    trials: how many; the first has the settings of `config`. fixed: which of SETTINGS the others have too.
    directory, source, force: as for `train`. address: of a Ray cluster; None for this machine.
    on_epoch: told of each finished epoch with its trial's number.
    on_trial: told of each trial that is done, first of those that were when the tuning was stopped.
    A tuning that was stopped goes on when it is called again with the same arguments; `trials` may differ.
    Raises what `train` raises, MissingExtraError without Ray, ClusterError if there is none at the address,
    ModelError if all trials fail, and Interrupted if Ctrl-C leaves something to go on from.
    """
    require_ray("Ray Tune")
    if trials < 1:
        raise UsageError(f"Tuning needs at least one trial, got {trials}.")
    if address and address.startswith("ray://"):
        raise UsageError("Tuning takes no ray:// address: start it on a machine of the cluster, with auto.")
    if data.train is None:
        raise DataError(f"{data.origin} has only a test part; there is nothing to train on.")
    images = round(config.recipe.val_split * len(data.train))
    if images == 0:
        raise UsageError("Tuning needs a validation split above 0 to judge by.")
    if set(SETTINGS) <= set(fixed):
        raise UsageError("Tuning has nothing to try where all settings are given.")
    named = absolute(source) if source else None
    plan = Plan(config, named, data.identity, {}, force, None, trials, tuple(sorted(fixed)))
    with unfinished.begin(directory, plan, go_on=True) as work:
        kept = KeptTrials(work.folder)
        for done in kept.in_order:
            on_trial(done)
        drawn = {number: draw(config, number, fixed) for number in range(1, trials + 1)}
        wanted = {number: settings for number, settings in drawn.items() if number not in kept.trials}
        try:
            if wanted:
                _try(wanted, work, config, data, kept, address, on_epoch, on_trial)
        except KeyboardInterrupt:
            if not kept.lasting:
                raise
            raise Interrupted(
                f"{len(kept.lasting)} of {trials} trials are done. Go on with the others by the same command."
            ) from None
        best = kept.best
        if best is None:
            first = kept.in_order[0]
            raise ModelError(f"No trial has finished. Trial {first.number}: {first.reason}.")
        _write_run(work, kept, best, data)
    for file in (runs.KERAS_MODEL, runs.LITERT_MODEL):
        remember(work.directory / file)
    return Tuned(work.directory, kept.in_order, best, images)


def _try(
    wanted: Mapping[int, Settings],
    work: Unfinished,
    config: TrainConfig,
    data: DataSet,
    kept: KeptTrials,
    address: str | None,
    on_epoch: Callable[[int, EpochReport], None],
    on_trial: Callable[[Trial], None],
) -> None:
    """Trains with each of the settings, by number."""

    def done(trial: Trial, files: Mapping[str, bytes]) -> None:
        try:
            kept.add(trial, files)
        except OSError as error:
            raise OutputError(f"Cannot write {work.folder}: {error.strerror or error}.") from error
        on_trial(trial)

    with ray_started(address):
        from digitcli.training.ray_trials import run_trials

        run_trials(config, wanted, replace(data, test=None), work.directory.name, on_epoch, done)


def _write_run(work: Unfinished, kept: KeptTrials, best: Trial, data: DataSet) -> None:
    with work.finishing() as made:
        shutil.copytree(kept.run_of(best), made, dirs_exist_ok=True)
        with (made / TABLE).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(best.row))
            writer.writeheader()
            writer.writerows(each.row for each in kept.in_order)
        if data.test:
            _score(made, data)


def _score(run: Path, data: DataSet) -> None:
    """Adds to a run's record what it reads of the test part, as a training with that part does."""
    assert data.test is not None, "asked for by _write_run"
    test = evaluate(classifiers.load_our_own(run / runs.LITERT_MODEL), data.test)
    record = runs.read_record(run)
    record["data"]["test"] = data.test.fingerprint
    record["metrics"] |= {
        "test_loss": test.loss,
        "test_accuracy": test.accuracy,
        "test_calibration_error": test.calibration_error,
    }
    runs.write_record(run, record)
