"""The trials of a tuning on Ray Tune: each a process of its own, with all cores of one machine.

To be imported when Ray is started. What a trial comes to goes to the driver as values, so that the machines
of a cluster need share no folder.
"""

from __future__ import annotations

import math
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune.schedulers import ASHAScheduler, TrialScheduler

from digitcli.data.digits import DataSet
from digitcli.errors import ModelError, reason
from digitcli.runs.history import EpochReport
from digitcli.training.config import TrainConfig
from digitcli.training.trials import Settings, Trial

Done = Callable[[Trial, Mapping[str, bytes]], None]


def run_trials(
    config: TrainConfig,
    wanted: Mapping[int, Settings],
    data: DataSet,
    name: str,
    on_epoch: Callable[[int, EpochReport], None],
    on_done: Done,
) -> None:
    """Trains with each of the settings, by number; as many at a time as Ray has machines.

    data: what trials see; without a test part. name: of the run.
    on_done: told of each trial, in the order in which they end, with the files of its run if it finished.
    What the callbacks raise is raised here.
    """
    configs = {number: settings.applied_to(config) for number, settings in wanted.items()}
    watcher = _Watcher(wanted, on_epoch, on_done)
    train = tune.with_parameters(_train, configs=configs, data=data, name=name)
    with tempfile.TemporaryDirectory() as folder:
        tuner = tune.Tuner(
            tune.with_resources(train, _one_machine()),
            param_space={"number": tune.grid_search(sorted(configs))},
            tune_config=tune.TuneConfig(scheduler=_scheduler(config), reuse_actors=True),
            run_config=tune.RunConfig(storage_path=folder, verbose=0, callbacks=[watcher]),
        )
        try:
            tuner.fit()
        except tune.TuneError:
            if watcher.error:  # which Tune has made text of
                raise watcher.error from None
            raise


def _train(point: Mapping[str, Any], configs: Mapping[int, TrainConfig], data: DataSet, name: str) -> None:
    """One trial, in a process of its own."""
    from digitcli.training.run import train

    epochs = 0

    def report(epoch: EpochReport) -> None:
        nonlocal epochs
        epochs += 1
        if not math.isfinite(epoch.loss):
            raise ModelError(f"It diverged: the loss of epoch {epoch.epoch} is {epoch.loss}")
        tune.report({"epochs": epochs, "epoch": asdict(epoch)})

    try:
        with tempfile.TemporaryDirectory() as folder:
            run = train(configs[point["number"]], data, Path(folder) / name, on_epoch=report)
            files = {file.name: file.read_bytes() for file in run.directory.iterdir()}
    except Exception as error:
        tune.report({"failed": reason(error)})
    else:
        assert run.validation, "the tuning asked for one"
        scores = {"val_accuracy": run.validation.accuracy, "val_loss": run.validation.loss}
        tune.report({"finished": {**scores, "seconds": run.seconds}, "files": files})


class _Watcher(tune.Callback):
    """Makes Trials of what Tune tells in this process."""

    def __init__(
        self, settings: Mapping[int, Settings], on_epoch: Callable[[int, EpochReport], None], on_done: Done
    ) -> None:
        self._settings = settings
        self._on_epoch = on_epoch
        self._on_done = on_done
        self._epochs: dict[int, list[EpochReport]] = defaultdict(list)
        self._done: set[int] = set()
        self.error: Exception | None = None

    def __getstate__(self) -> dict[str, Any]:
        # Tune keeps a copy of its callbacks, to restore a tuning by itself, but a display cannot be copied.
        return {}

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """Called with what a trial has reported."""
        number = trial.config["number"]
        files = result.pop("files", {})  # which Tune would keep otherwise
        if "epoch" in result:
            report = EpochReport(**result["epoch"])
            self._epochs[number].append(report)
            self._guarded(self._on_epoch, number, report)
        elif "failed" in result:
            self._end(number, "failed", reason=result["failed"])
        elif "finished" in result:
            self._end(number, "finished", files, **result["finished"])

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Called when a trial has ended, or was ended by the scheduler."""
        number = trial.config["number"]
        if number not in self._done:
            last = self._epochs[number][-1]
            self._end(number, "stopped", val_accuracy=last.val_accuracy, val_loss=last.val_loss)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Called when a trial's process has died."""
        died_of_memory = "memory" in str(trial.get_error()).lower()
        reason = "Its process was killed" + (" for want of memory" if died_of_memory else "")
        self._end(trial.config["number"], "failed", reason=reason)

    def _end(self, number: int, state: Any, files: Mapping[str, bytes] | None = None, **values: Any) -> None:
        self._done.add(number)
        epochs = self._epochs[number]
        told = {"val_accuracy": None, "val_loss": None, "seconds": sum(epoch.seconds for epoch in epochs)}
        done = Trial(
            number=number,
            settings=self._settings[number],
            state=state,
            epochs=len(epochs),
            **{**told, **values},
        )
        self._guarded(self._on_done, done, files or {})

    def _guarded(self, callback: Callable[..., None], *told: Any) -> None:
        try:
            callback(*told)
        except Exception as error:
            self.error = error
            raise


class _Halving(ASHAScheduler):
    """Stops a trial that half-way is worse than the median of those that came there before it.

    But never the first, with which all are compared in the end. Half-way is late, since learning rates have
    come down by then: high ones look worse before than they are.
    """

    def __init__(self, half: int) -> None:
        super().__init__("epochs", "epoch/val_accuracy", "max", half, half, 2, stop_last_trials=False)

    def on_trial_result(self, controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """What Tune is to do with a trial."""
        decision: str = super().on_trial_result(controller, trial, result)
        return TrialScheduler.CONTINUE if trial.config["number"] == 1 else decision


def _scheduler(config: TrainConfig) -> _Halving | None:
    """None where there is no half-way: with a time budget, whose epochs are not counted, or one epoch."""
    half = config.recipe.epochs * config.members // 2
    return _Halving(half) if half and config.time_budget is None else None


def _one_machine() -> dict[str, float]:
    """The cores and GPUs of one of Ray's machines, of the smallest that has cores."""
    nodes = ray.nodes()  # type: ignore[no-untyped-call]
    machines = [node["Resources"] for node in nodes if node["Alive"] and node["Resources"].get("CPU")]
    return {kind.lower(): min(each.get(kind, 0) for each in machines) for kind in ("CPU", "GPU")}
