"""From data to a finished run directory."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from digitcli import classifiers, models, runs
from digitcli.classifiers import trial
from digitcli.classifiers.networks import load_keras
from digitcli.data.digits import DataSet
from digitcli.data.load import absolute
from digitcli.errors import DataError, MissingExtraError, UsageError
from digitcli.evaluation import Evaluation, evaluate, figures
from digitcli.exporting import UNSPECIFIED
from digitcli.exporting.formats import tflite
from digitcli.exporting.material import Material, describe, typical
from digitcli.runs import history
from digitcli.runs.history import EpochReport
from digitcli.system.files import readable
from digitcli.system.parallel import cores
from digitcli.system.tensorflow_setup import import_tensorflow
from digitcli.training import checkpoints, unfinished
from digitcli.training.calibration import calibrate, expect_digits
from digitcli.training.checkpoints import Checkpoints
from digitcli.training.cluster import Cluster
from digitcli.training.config import TrainConfig
from digitcli.training.loop import Fitted, StepReport, fit, split
from digitcli.training.state import MemberState, TrainingState
from digitcli.training.teacher import Teacher
from digitcli.training.unfinished import Plan, Unfinished
from digitcli.training.workers import Workers, connected
from digitcli.version import __version__

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
    source: str | None = None,
    force: bool = False,
    tensorboard: Path | None = None,
    cluster: Cluster | None = None,
    on_step: Callable[[StepReport], None] = lambda report: None,
    on_epoch: Callable[[EpochReport], None] = lambda report: None,
    on_warning: Callable[[str], None] = lambda text: None,
) -> TrainedRun:
    """Trains on the training part of `data`, scores on its test part and writes the run directory.

    directory: where to; by default a free name in MNIST/runs. force: replace what is there.
    source: what `data` was loaded from, to be loaded again when an interrupted training is resumed.
    tensorboard: folder for TensorBoard's event files.
    cluster: the processes that train together, of which this is the first; the others call `assist`. Where
        it finds this very training unfinished, they go on with it.
    on_warning: told in a sentence what the user should know.
    Raises DataError if there is no training part, OutputError if the directory cannot be written,
    ClusterError if another process of the cluster is absent or stops, and Interrupted if Ctrl-C leaves
    something to resume.
    """
    config = _fitting(config, data)
    plan = Plan(
        config,
        absolute(source) if source else None,
        data.identity,
        _machine(len(cluster.workers) if cluster else 1),
        force,
        str(tensorboard.absolute()) if tensorboard else None,
    )
    with connected(cluster) as workers:
        _require_alike(workers, config, data)
        with unfinished.begin(directory, plan, go_on=workers.count > 1) as work:
            run = _train(work, data, workers, on_step, on_epoch, on_warning)
        workers.wait()
    return run


def assist(config: TrainConfig, data: DataSet, cluster: Cluster) -> None:
    """Trains with the first process of a cluster, which calls `train` with the same settings and data.

    Returns when the run is written. Raises UsageError if they differ, ClusterError as `train` does.
    """
    config = _fitting(config, data)
    with connected(cluster) as workers:
        _require_alike(workers, config, data)
        content = workers.from_first(None)
        _fit_members(config, data, checkpoints.unpack(content) if content else None, workers)
        workers.wait()


def resume(
    directory: Path,
    data: DataSet,
    *,
    on_step: Callable[[StepReport], None] = lambda report: None,
    on_epoch: Callable[[EpochReport], None] = lambda report: None,
    on_warning: Callable[[str], None] = lambda text: None,
) -> TrainedRun:
    """Goes on with a training that was stopped, and ends with the weights it would have ended with.

    directory: where its run is to be. data: what it was begun with; `unfinished.read_plan` tells its source.
    Raises OutputError if there is no unfinished training or another process is at work on it, DataError if
    the data are others, and what `train` raises.
    """
    with unfinished.reopen(directory) as work:
        if work.plan.data != data.identity:
            raise DataError(
                f"{data.origin} is not what the training of {work.directory} was begun with: its images or "
                "labels differ. Name the right data with --data."
            )
        with connected(None) as workers:
            return _train(work, data, workers, on_step, on_epoch, on_warning)


def _fitting(config: TrainConfig, data: DataSet) -> TrainConfig:
    if data.train is None:
        raise DataError(f"{data.origin} has only a test part; there is nothing to train on.")
    if config.start:
        return config
    return replace(config, model=replace(config.model, no_digit=data.others is not None))


def _require_alike(workers: Workers, config: TrainConfig, data: DataSet) -> None:
    """Raises UsageError on all workers if one has other settings, data or versions than the first."""
    own = json.dumps([asdict(config), data.identity, _machine(workers.count)["versions"]]).encode()
    first = workers.from_first(None if workers.index else own)
    (others,) = workers.total([float(first != own)])
    if others:
        which = f"worker {workers.index}" if first != own else "another worker"
        raise UsageError(
            f"Worker 0 and {which} were started with other settings, data or versions. All need the same."
        )


def _train(
    work: Unfinished,
    data: DataSet,
    workers: Workers,
    on_step: Callable[[StepReport], None],
    on_epoch: Callable[[EpochReport], None],
    on_warning: Callable[[str], None],
) -> TrainedRun:
    config = work.plan.config
    assert data.train is not None, "a training was begun with it"
    log_epoch = _tensorboard_logger(Path(work.plan.tensorboard)) if work.plan.tensorboard else None

    def report(epoch: EpochReport) -> None:
        if log_epoch:
            log_epoch(epoch)
        on_epoch(epoch)

    if work.plan.machine != _machine(workers.count):
        on_warning(
            "This training was begun with other software or on other machines, so its result may differ a "
            "little from that of an uninterrupted one."
        )
    resumed = checkpoints.newest(work.folder)
    if workers.count > 1:
        workers.from_first(checkpoints.pack(resumed) if resumed else b"")
    start = time.perf_counter()
    if resumed:
        start -= sum(epoch.seconds for epoch in resumed.history) + resumed.current.seconds
    with Checkpoints(work.folder, on_warning) as writing:
        fitted = _fit_members(config, data, resumed, workers, on_step, report, writing.offer)
    if data.others is not None and config.model.no_digit:
        expect_digits(fitted.model, len(data.others) / (len(data.others) + len(data.train)))
    _, validation = split(data.train, config.recipe.val_split, config.seed)
    temperature = calibrate(fitted.model, validation) if validation else 1.0
    seconds = time.perf_counter() - start
    with work.finishing() as temporary:
        name = readable(work.directory.name)
        fitted.model.save(temporary / runs.KERAS_MODEL)
        about = describe(name, config.model.outputs, None, None, UNSPECIFIED)
        tflite.write(Material(fitted.model, about, typical(data)), temporary / runs.LITERT_MODEL)
        classifier = classifiers.load_our_own(temporary / runs.LITERT_MODEL)
        val, test = (evaluate(classifier, part) if part else None for part in (validation, data.test))
        history.write(fitted.history, temporary / runs.HISTORY)
        figures.save(figures.learning_curves(fitted.history, name), temporary / "curves.png")
        record = _record(config, data, fitted, temperature, val, test, seconds, workers.count)
        runs.write_record(temporary, record)
    for file in (runs.KERAS_MODEL, runs.LITERT_MODEL):
        trial.remember(work.directory / file)
    parameters = fitted.model.count_params()
    return TrainedRun(
        work.directory, config, parameters, fitted.history, fitted.best_epoch, val, test, seconds
    )


def _fit_members(
    config: TrainConfig,
    data: DataSet,
    resumed: TrainingState | None,
    workers: Workers,
    on_step: Callable[[StepReport], None] = lambda report: None,
    on_epoch: Callable[[EpochReport], None] = lambda report: None,
    on_state: Callable[[Callable[[], TrainingState]], None] = lambda take: None,
) -> Fitted:
    assert data.train is not None, "asked for by train"
    finished = list(resumed.members) if resumed else []
    epochs = resumed.history if resumed else ()
    current = resumed.current if resumed else None
    others = data.others if config.model.no_digit else None
    starts = _starts(config)
    teacher = Teacher(Path(config.teacher)) if config.teacher else None
    while len(finished) < config.members:

        def take_whole(take: Callable[[], MemberState], before: tuple[EpochReport, ...] = epochs) -> None:
            on_state(lambda: TrainingState(tuple(finished), before, take()))

        fitted = fit(
            config,
            data.train,
            others,
            few=data.few,
            teacher=teacher,
            start=starts[len(finished)],
            member=len(finished) + 1,
            workers=workers,
            resumed=current,
            on_step=on_step,
            on_epoch=on_epoch,
            on_state=take_whole,
        )
        finished.append(tuple(fitted.model.get_weights()))
        epochs, current = epochs + fitted.history, None
    if len(finished) == 1:
        return fitted
    members = []
    for weights in finished:
        members.append(models.build(config.model))
        members[-1].set_weights(weights)
    return Fitted(models.ensemble(members), epochs, fitted.best_epoch)


def _starts(config: TrainConfig) -> list[list[NDArray[Any]]]:
    """The weights that each member begins with; none for random ones."""
    if config.start is None:
        return [[] for _ in range(config.members)]
    found = runs.find_model(Path(config.start), prefer=runs.KERAS_MODEL)
    model, _ = load_keras(found.path, "keras")
    return [each.get_weights() for each in models.members(model)]


def _record(
    config: TrainConfig,
    data: DataSet,
    fitted: Fitted,
    temperature: float,
    validation: Evaluation | None,
    test: Evaluation | None,
    seconds: float,
    workers: int,
) -> dict[str, Any]:
    best = next(report for report in reversed(fitted.history) if report.epoch == fitted.best_epoch)
    return {
        "schema": 1,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "config": asdict(config),
        "data": {
            "origin": data.origin,
            "train": data.train.fingerprint if data.train else None,
            "others": 0 if data.others is None else len(data.others),
            "test": data.test.fingerprint if data.test else None,
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
        **_machine(workers),
    }


def _machine(workers: int) -> dict[str, Any]:
    """What decides the last bits of a result, besides the settings and the data."""
    return {
        "versions": {
            "digitcli": __version__,
            "tensorflow": tf.__version__,
            "keras": tf.keras.__version__,
            "python": platform.python_version(),
        },
        "machine": {"processor": platform.machine(), "cores": cores(), "workers": workers},
    }


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
