"""A training that is not finished: what it was to do, and what it has come to.

While a run is in the making, a folder NAME.unfinished beside it holds

    plan.json            the settings, the data and their fingerprint
    NUMBER.checkpoint    the last states of the training
    trials.json          of a tuning, the trials that are done
    lock                 held by the process that is at work on it

It becomes the run by a renaming, or goes away when the run is there.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from digitcli import runs
from digitcli.errors import DigitcliError, Interrupted, OutputError
from digitcli.system.files import require_free, require_replaceable, sync_folder, write_durably
from digitcli.training import checkpoints
from digitcli.training import config as configuration
from digitcli.training.config import TrainConfig

PLAN = "plan.json"
TRIALS = "trials.json"
LOCK = "lock"
_RUN = "run"


@dataclass(frozen=True)
class Plan:
    """What a training was to do, or a tuning.

    source: what the user called the data, absolute where it is a path; None if it came as arrays.
    data: the fingerprint of its parts. machine: what else decides the last bits of the result.
    force: whether the run replaces what is there. tensorboard: the folder of its event files.
    trials: how many trainings of a tuning; 0 for a training. fixed: the settings that it does not draw.
    """

    config: TrainConfig
    source: str | None
    data: dict[str, Any]
    machine: dict[str, Any]
    force: bool
    tensorboard: str | None
    trials: int = 0
    fixed: tuple[str, ...] = ()

    @property
    def run_name(self) -> str:
        """Name of the run's directory where none was given."""
        return f"{self.config.run_name}{'-tuned' if self.trials else ''}"


@dataclass(frozen=True)
class Unfinished:
    """A training or tuning that this process has for itself.

    directory: where the run will be. folder: what is kept meanwhile.
    """

    directory: Path
    folder: Path
    plan: Plan

    @contextmanager
    def finishing(self) -> Iterator[Path]:
        """Yields an empty folder that becomes the run when the body is done."""
        made = self.folder / _RUN
        try:
            if made.exists():
                shutil.rmtree(made)
            made.mkdir()
            yield made
            if self.directory.exists():
                shutil.rmtree(self.directory)
            made.replace(self.directory)
            sync_folder(self.directory.parent)
        except OSError as error:
            kept = checkpoints.found(self.folder)
            advice = f" Go on with: digitcli train --resume {self.directory}" if kept else ""
            raise OutputError(f"Cannot write {self.directory}: {error.strerror or error}.{advice}") from error


@contextmanager
def begin(directory: Path | None, plan: Plan, *, go_on: bool = False) -> Iterator[Unfinished]:
    """A new training or tuning; when the body raises, it is kept if there is something to go on from.

    directory: where the run is to be; None for a free name in MNIST/runs.
    go_on: if it was begun with the same settings and data, go on with it; a tuning with more or less trials.
    Raises OutputError if something is there and `plan.force` is false, if it is no run, if an unfinished
    training is there (which `plan.force` gives up), if another process is at work there, or if the folder
    cannot be written.
    """
    with ExitStack() as stack:
        if directory:
            _require_replaceable(directory, plan)
            stack.enter_context(_locked(directory))
        else:
            directory = _first_free(plan.run_name, stack)
        _require_replaceable(directory, plan)  # another process may have finished meanwhile
        folder = runs.unfinished(directory)
        begun = _to_go_on(folder, plan, go_on)
        plan = replace(plan, machine=begun.machine) if begun else plan
        with _written(directory):
            if not begun:
                _empty(folder)
            write_durably(folder / PLAN, json.dumps(asdict(plan), indent=2).encode())
        try:
            with _resumable(directory):
                yield Unfinished(directory, folder, plan)
        except BaseException:
            if not checkpoints.found(folder) and not (folder / TRIALS).exists():
                _empty(folder)
            raise
        _empty(folder)


@contextmanager
def reopen(directory: Path) -> Iterator[Unfinished]:
    """An unfinished training, kept when the body raises again.

    directory: as `read_plan` takes it.
    Raises OutputError as `read_plan` does, or if another process is at work on it.
    """
    chosen = _run_of(directory)
    read_plan(chosen)  # or the lock would make the folder
    with _locked(chosen):
        folder = runs.unfinished(chosen)
        with _resumable(chosen):
            yield Unfinished(chosen, folder, read_plan(chosen))
        _empty(folder)


def read_plan(directory: Path) -> Plan:
    """What an unfinished training was to do.

    directory: where the run is to be, or the folder NAME.unfinished itself.
    Raises OutputError if there is none, if its plan is damaged, or if it is a tuning.
    """
    chosen = _run_of(directory)
    file = runs.unfinished(chosen) / PLAN
    if not file.exists():
        if (chosen / runs.RECORD).exists():
            raise OutputError(f"The run {chosen} is finished; there is nothing to resume.")
        raise OutputError(f"There is no unfinished training of {chosen}.")
    plan = _read(file)
    if plan.trials:
        raise OutputError(f"{chosen} is being tuned. Go on with it by the command that began it.")
    return plan


def _read(file: Path) -> Plan:
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        config, fixed = configuration.from_dict(values["config"]), tuple(values.get("fixed", ()))
        return Plan(**{**values, "config": config, "fixed": fixed})
    except (OSError, KeyError, TypeError, ValueError, DigitcliError) as error:
        raise OutputError(f"{file} is damaged: {error}. Train anew with --force.") from error


def _to_go_on(folder: Path, plan: Plan, go_on: bool) -> Plan | None:
    """What was begun there, if it is to go on. Raises OutputError if it is not, unless it is given up."""
    if not (folder / PLAN).exists():
        return None
    try:
        begun = _read(folder / PLAN)
        same = replace(begun, machine=plan.machine, force=plan.force, trials=plan.trials) == plan
        if go_on and same and bool(begun.trials) == bool(plan.trials):
            return begun
        raise OutputError(_begun_before(_run_of(folder), begun))
    except OutputError:
        if plan.force:
            return None
        raise


def _begun_before(directory: Path, begun: Plan) -> str:
    if begun.trials:
        return (
            f"A tuning of {directory} was begun with other settings or data, and not finished.\n"
            "Go on with it by the command that began it, or give it up with --force."
        )
    return (
        f"A training of {directory} was begun and not finished.\n"
        f"Go on with it: digitcli train --resume {directory}; or give it up with --force."
    )


def _run_of(directory: Path) -> Path:
    path = Path(os.path.normpath(directory))
    return path.with_name(path.name.removesuffix(runs.UNFINISHED))


@contextmanager
def _resumable(directory: Path) -> Iterator[None]:
    """Says at Ctrl-C how to go on, if there is something to go on from."""
    try:
        yield
    except KeyboardInterrupt:
        if not checkpoints.found(runs.unfinished(directory)):
            raise
        raise Interrupted(f"Go on with: digitcli train --resume {directory}") from None


class _InUseError(OutputError):
    """Another process is at work on a training."""


def _first_free(name: str, stack: ExitStack) -> Path:
    """The first free name in MNIST/runs that no other process is training, locked on the stack."""
    for directory in runs.free_directories(name):
        with suppress(_InUseError):
            stack.enter_context(_locked(directory))
            return directory
    raise AssertionError("there is always one more name")


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Has the unfinished training to itself; the folder goes with the lock if nothing else is in it."""
    folder = runs.unfinished(directory)
    with _written(directory):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            raise _InUseError(f"Another process is training {directory}. Choose another name.") from None
    try:
        yield
    finally:
        if not (folder / PLAN).exists():
            shutil.rmtree(folder, ignore_errors=True)
        lock.release()


@contextmanager
def _written(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"Cannot write {directory}: {error.strerror or error}.") from error


def _require_replaceable(directory: Path, plan: Plan) -> None:
    if not plan.force:
        require_free(directory)
    require_replaceable(directory, runs.RECORD)


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        elif entry.name != LOCK:
            entry.unlink()
