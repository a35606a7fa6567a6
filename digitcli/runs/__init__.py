"""A run directory: what a training leaves behind, and how to find it again.

    run.json       every setting, seed, data fingerprint, versions, metrics, and how pictures become input
    history.csv    one row per epoch
    curves.png     loss and accuracy over the epochs
    model.keras    the trained network
    model.tflite   the same for LiteRT, which `predict` and `evaluate` use
    tune.csv       of a tuning, one row per trial

A directory appears complete or not at all; while it is in the making there is NAME.unfinished beside it.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from digitcli.errors import ModelError

RUNS = Path("MNIST/runs")
KERAS_MODEL = "model.keras"
LITERT_MODEL = "model.tflite"
RECORD = "run.json"
HISTORY = "history.csv"
UNFINISHED = ".unfinished"
"""What is added to the name of a run while its training is not finished, see training/unfinished.py."""
BUNDLED = Path(__file__).parents[1] / "assets" / LITERT_MODEL
"""Comes with digitcli, for those who never trained, as a run; its card lies beside it."""
BUNDLED_NAME = "bundled"
"""What it is called where a model is named."""


@dataclass(frozen=True)
class FoundModel:
    """A model to work with.

    path: the file or SavedModel folder to load.
    run: its run directory, if it is part of one.
    description: what to tell the user.
    """

    path: Path
    run: Path | None
    description: str

    @property
    def name(self) -> str:
        """What to call it, or an export of it."""
        if self.path.parent == BUNDLED.parent:
            return BUNDLED_NAME
        # Resolved, since the name of "." is empty.
        return self.run.resolve().name if self.run else self.path.resolve().stem

    @property
    def where(self) -> str:
        """The run, or the file where that is no run of the user's."""
        return str(self.path if self.run in (None, BUNDLED.parent) else self.run)


def free_directories(name: str) -> Iterator[Path]:
    """Where a run of that name may go: MNIST/runs/NAME, NAME-2, NAME-3 …, as far as they are free."""
    for n in itertools.count(1):
        directory = RUNS / (name if n == 1 else f"{name}-{n}")
        if not directory.exists():
            yield directory


def unfinished(directory: Path) -> Path:
    """The folder that is there while the training of the run at `directory` is not finished."""
    return directory.with_name(directory.name + UNFINISHED)


def write_record(directory: Path, record: dict[str, Any]) -> None:
    """Writes run.json."""
    text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    # In names that are no UTF-8 there are lone surrogates, which so become what JSON has for them.
    (directory / RECORD).write_text(text, encoding="utf-8", errors="backslashreplace")


def read_record(directory: Path) -> dict[str, Any]:
    """What run.json says. Raises ModelError if it is absent or damaged."""
    file = directory / RECORD
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{file} cannot be read: {error}.") from error
    if not isinstance(record, dict):
        raise ModelError(f"{file} is not the record of a run.")
    return record


def went_on(model: Path) -> bool:
    """Whether a model file is that of a run which went on from another model, as with digits of one's own."""
    try:
        config = read_record(model.parent).get("config")
    except ModelError:
        return False
    return isinstance(config, dict) and config.get("start") is not None


def newest() -> Path | None:
    """The run directory under MNIST/runs that was finished last, or None."""
    records = sorted(RUNS.glob(f"[!.]*/{RECORD}"), key=lambda file: file.stat().st_mtime_ns)
    return records[-1].parent if records else None


def find_model(path: Path | None = None, *, prefer: str = LITERT_MODEL) -> FoundModel:
    """The model that `path` means: a run directory, a model file or folder.

    Without a path it is the newest run, else the bundled model, which "bundled" means too.
    prefer: which of a run's two model files to take, if both are there.
    Raises ModelError if there is nothing at `path`.
    """
    if path is None:
        run = newest()
        if run is None:
            return _bundled(prefer)
        return FoundModel(_model_of(run, prefer), run, f"the newest run, {run}")
    if not path.exists():
        if str(path) == BUNDLED_NAME:
            return _bundled(prefer)
        if unfinished(path).exists():
            raise ModelError(
                f"The training of {path} is not finished. Go on with it: digitcli train --resume {path}"
            )
        raise ModelError(f"There is no model at {path}.")
    if (path / RECORD).exists():
        return FoundModel(_model_of(path, prefer), path, f"the run {path}")
    run = path.parent if (path.parent / RECORD).exists() else None
    return FoundModel(path, run, str(path))


def _bundled(prefer: str) -> FoundModel:
    return FoundModel(_model_of(BUNDLED.parent, prefer), BUNDLED.parent, "the one that comes with digitcli")


def _model_of(run: Path, prefer: str) -> Path:
    for name in (prefer, LITERT_MODEL, KERAS_MODEL):
        if (run / name).exists():
            return run / name
    raise ModelError(f"The run {run} has lost its model files, {KERAS_MODEL} and {LITERT_MODEL}.")
