"""The trials of a tuning: what each tries, what it came to, and where that is kept meanwhile."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from digitcli.errors import OutputError
from digitcli.system.files import write_durably
from digitcli.training.config import TrainConfig
from digitcli.training.unfinished import TRIALS

FARTHEST_RATE = 4.0
"""By what the learning rate is multiplied or divided at most."""
WIDTHS = (0.5, 1.0, 1.5, 2.0)
MOST_DROPOUT = 0.5


@dataclass(frozen=True)
class Settings:
    """What differs between trials.

    lr, dropout, augment: as in Recipe and ModelSpec.
    width: by what the filters and hidden units of the preset are multiplied.
    """

    lr: float
    width: float
    dropout: float
    augment: bool

    def applied_to(self, config: TrainConfig) -> TrainConfig:
        """The same training with these settings."""
        channels, hidden = (
            tuple(max(1, round(self.width * each)) for each in layers)
            for layers in (config.model.channels, config.model.hidden)
        )
        return replace(
            config,
            model=replace(config.model, channels=channels, hidden=hidden, dropout=self.dropout),
            recipe=replace(config.recipe, lr=self.lr, augment=self.augment),
        )


SETTINGS = tuple(Settings.__dataclass_fields__)


@dataclass(frozen=True)
class Trial:
    """One training of a tuning.

    number: from 1, which is the preset as given.
    state: "stopped" if it was early clear that it is not the best, "failed" for the `reason`.
    val_accuracy, val_loss: on the validation split, of a stopped one after its last epoch; None if it failed.
    epochs: finished, of all members. seconds: time for training alone.
    """

    number: int
    settings: Settings
    state: Literal["finished", "stopped", "failed"]
    val_accuracy: float | None
    val_loss: float | None
    epochs: int
    seconds: float
    reason: str = ""

    @property
    def row(self) -> dict[str, Any]:
        """Its columns in tune.csv, by name."""
        values = asdict(self)
        return {"trial": values.pop("number"), **values.pop("settings"), **values}


def draw(config: TrainConfig, number: int, fixed: Collection[str] = ()) -> Settings:
    """The settings of a trial: the config's own for the first, for the others drawn at random around them.

    fixed: which of SETTINGS stay as they are. The config's seed and the number decide all, so that a trial
    is the same whatever became of the others. A search that learns from them would need more than it gets:
    they differ by little more than the chance in which images the validation split has.
    """
    own = Settings(config.recipe.lr, 1.0, config.model.dropout, config.recipe.augment)
    if number == 1:
        return own
    random = np.random.default_rng([config.seed, number])
    # Rounded, so that what is shown is what was used.
    drawn: dict[str, Any] = {
        "lr": float(f"{own.lr * FARTHEST_RATE ** random.uniform(-1, 1):.3g}"),
        "width": float(random.choice(WIDTHS)),
        "dropout": round(random.uniform(0, MOST_DROPOUT), 2),
        "augment": bool(random.integers(2)),
    }
    return replace(own, **{name: value for name, value in drawn.items() if name not in fixed})


class KeptTrials:
    """The trials that are done, and in a folder what the tuning needs to go on: them, and the best one's run.

    Of those that failed the folder knows nothing, so that they are tried again.
    Raises OutputError if what is in the folder is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.trials: dict[int, Trial] = {}
        file = folder / TRIALS
        if file.exists():
            try:
                for values in json.loads(file.read_bytes()):
                    trial = Trial(**{**values, "settings": Settings(**values["settings"])})
                    self.trials[trial.number] = trial
            except (OSError, KeyError, TypeError, ValueError) as error:
                raise OutputError(f"{file} is damaged. Remove {folder} to begin again.") from error

    @property
    def in_order(self) -> tuple[Trial, ...]:
        """All of them, by number."""
        return tuple(self.trials[number] for number in sorted(self.trials))

    @property
    def lasting(self) -> list[Trial]:
        """Those that need not be tried again."""
        return [trial for trial in self.in_order if trial.state != "failed"]

    @property
    def best(self) -> Trial | None:
        """The one that reads most of the validation split; of equals the first, then the one of less loss."""
        finished = [trial for trial in self.in_order if trial.state == "finished"]
        return max(finished, key=_merit, default=None)

    def run_of(self, trial: Trial) -> Path:
        """Where the run of the best trial is."""
        return self._folder / f"trial-{trial.number}"

    def add(self, trial: Trial, files: Mapping[str, bytes]) -> None:
        """Keeps a trial, and if it is now the best one the files of its run. Raises OSError if it cannot."""
        beaten = self.best
        self.trials[trial.number] = trial
        if trial is self.best:
            self.run_of(trial).mkdir(exist_ok=True)
            for name, content in files.items():
                write_durably(self.run_of(trial) / name, content)
        if self.lasting:
            write_durably(self._folder / TRIALS, json.dumps([asdict(each) for each in self.lasting]).encode())
        if beaten and beaten is not self.best:
            shutil.rmtree(self.run_of(beaten))


def _merit(trial: Trial) -> tuple[float, bool, float]:
    assert trial.val_accuracy is not None, "it has finished"
    assert trial.val_loss is not None
    return trial.val_accuracy, trial.number == 1, -trial.val_loss
