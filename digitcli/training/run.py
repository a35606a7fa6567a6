"""From data to a finished run directory."""

from __future__ import annotations

import itertools
import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import digitcli
from digitcli import classifiers, models, runs, trial
from digitcli.data.digits import DataSet, Digits
from digitcli.errors import DataError, MissingExtraError
from digitcli.evaluation import Evaluation, evaluate, figures
from digitcli.exporting import UNSPECIFIED
from digitcli.exporting.formats import tflite
from digitcli.exporting.material import Material, describe, typical
from digitcli.tensorflow_setup import import_tensorflow
from digitcli.training import history
from digitcli.training.calibration import calibrate, expect_digits
from digitcli.training.config import TrainConfig
from digitcli.training.history import EpochReport
from digitcli.training.loop import Fitted, StepReport, fit, split

tf = import_tensorflow()

INPUT = {
    "shape": [28, 28, 1],
    "dtype": "float32",
    "range": [0, 1],
    "ink": "light on black",
    "geometry": "longest side 20 pixels, centre of mass in the middle, as in MNIST",
}
"""How pictures become the network's input; stands in every run.json."""


@dataclass(frozen=True)
class TrainedRun:
    """A finished run.

    directory: where it is. history: of all members. best_epoch: the epoch whose weights it has, of an
    ensemble its last member's. validation: scores of model.tflite on the validation split; None without one.
    seconds: time for training alone.
    test: scores of model.tflite on the test part; None if the data has none.
    """

    directory: Path
    config: TrainConfig
    parameters: int
    history: tuple[EpochReport, ...]
    best_epoch: int
    validation: Evaluation | None
    test: Evaluation | None
    seconds: float


def train(
    config: TrainConfig,
    data: DataSet,
    directory: Path | None = None,
    *,
    force: bool = False,
    tensorboard: Path | None = None,
    on_step: Callable[[StepReport], None] = lambda report: None,
    on_epoch: Callable[[EpochReport], None] = lambda report: None,
) -> TrainedRun:
    """Trains on the training part of `data`, scores on its test part and writes the run directory.

    directory: where to; by default a free name in MNIST/runs. force: replace what is there.
    tensorboard: folder for TensorBoard's event files.
    Raises DataError if there is no training part, OutputError if the directory cannot be written.
    """
    if data.train is None:
        raise DataError(f"{data.origin} has only a test part; there is nothing to train on.")
    model = replace(config.model, no_digit=data.others is not None)
    config = replace(config, model=model)
    directory = directory or runs.free_directory(config.run_name)
    log_epoch = _tensorboard_logger(tensorboard) if tensorboard else None

    def report(epoch: EpochReport) -> None:
        if log_epoch:
            log_epoch(epoch)
        on_epoch(epoch)

    with runs.writing(directory, force=force) as temporary:
        start = time.perf_counter()
        fitted = _fit_members(config, data.train, data.others, on_step, report)
        if data.others is not None:
            expect_digits(fitted.model, len(data.others) / (len(data.others) + len(data.train)))
        _, validation = split(data.train, config.recipe.val_split, config.seed)
        temperature = calibrate(fitted.model, validation) if validation else 1.0
        seconds = time.perf_counter() - start
        fitted.model.save(temporary / runs.KERAS_MODEL)
        about = describe(directory.name, model.outputs, None, None, UNSPECIFIED)
        tflite.write(Material(fitted.model, about, typical(data)), temporary / runs.LITERT_MODEL)
        classifier = classifiers.load_our_own(temporary / runs.LITERT_MODEL)
        val, test = (evaluate(classifier, part) if part else None for part in (validation, data.test))
        history.write(fitted.history, temporary / runs.HISTORY)
        figures.save(figures.learning_curves(fitted.history, directory.name), temporary / "curves.png")
        runs.write_record(temporary, _record(config, data, fitted, temperature, val, test, seconds))
    for name in (runs.KERAS_MODEL, runs.LITERT_MODEL):
        trial.remember(directory / name)
    parameters = fitted.model.count_params()
    return TrainedRun(directory, config, parameters, fitted.history, fitted.best_epoch, val, test, seconds)


def _fit_members(
    config: TrainConfig,
    digits: Digits,
    others: NDArray[np.uint8] | None,
    on_step: Callable[[StepReport], None],
    on_epoch: Callable[[EpochReport], None],
) -> Fitted:
    members = [
        fit(config, digits, others, member=member, on_step=on_step, on_epoch=on_epoch)
        for member in range(1, config.members + 1)
    ]
    if len(members) == 1:
        return members[0]
    whole = models.ensemble([member.model for member in members])
    epochs = itertools.chain.from_iterable(member.history for member in members)
    return Fitted(whole, tuple(epochs), members[-1].best_epoch)


def _record(
    config: TrainConfig,
    data: DataSet,
    fitted: Fitted,
    temperature: float,
    validation: Evaluation | None,
    test: Evaluation | None,
    seconds: float,
) -> dict[str, Any]:
    best = next(report for report in reversed(fitted.history) if report.epoch == fitted.best_epoch)
    return {
        "schema": 1,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "config": asdict(config),
        "data": {
            "origin": data.origin,
            "train": _fingerprint(data.train),
            "others": 0 if data.others is None else len(data.others),
            "test": _fingerprint(data.test),
        },
        "input": INPUT,
        "metrics": {
            "best_epoch": best.epoch,
            "loss": best.loss,
            "accuracy": best.accuracy,
            "val_loss": validation.loss if validation else None,
            "val_accuracy": validation.accuracy if validation else None,
            "temperature": round(temperature, 4),
            "test_loss": test.loss if test else None,
            "test_accuracy": test.accuracy if test else None,
            "test_calibration_error": test.calibration_error if test else None,
            "seconds": round(seconds, 3),
        },
        "parameters": fitted.model.count_params(),
        "versions": {
            "digitcli": digitcli.__version__,
            "tensorflow": tf.__version__,
            "keras": tf.keras.__version__,
            "python": platform.python_version(),
        },
        "machine": {"processor": platform.machine(), "cores": os.cpu_count()},
    }


def _fingerprint(part: Digits | None) -> dict[str, Any] | None:
    return {"name": part.name, "images": len(part), "sha256": part.sha256} if part else None


def _tensorboard_logger(folder: Path) -> Callable[[EpochReport], None]:
    try:
        writer = tf.summary.create_file_writer(str(folder))
        with writer.as_default():
            tf.summary.scalar("epoch/started", 1, step=0)
    except (ImportError, AttributeError) as error:
        raise MissingExtraError("TensorBoard", "digitcli[tensorboard]") from error

    def log(report: EpochReport) -> None:
        with writer.as_default(step=report.epoch):
            for column in fields(EpochReport):
                value = getattr(report, column.name)
                if value is not None and column.name != "epoch":
                    tf.summary.scalar(f"epoch/{column.name}", value)
        writer.flush()

    return log
