"""What is seen of a tuning: a line per trial, on a terminal a moving line below, and the table of all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from digitcli.commands.moving_line import MovingLine
from digitcli.output import Output
from digitcli.training.trials import Trial

if TYPE_CHECKING:
    from digitcli.runs.history import EpochReport
    from digitcli.training.config import TrainConfig
    from digitcli.training.tuning import Tuned

SURE = 2.0
"""Standard errors by which a trial must be ahead for that not to be called chance."""


class TuningDisplay(MovingLine):
    """A context manager whose `epoch` and `trial` are the callbacks of a tuning."""

    def __init__(self, out: Output, config: TrainConfig, trials: int) -> None:
        self._out = out
        self._trials = trials
        self._epochs = config.recipe.epochs * config.members if config.time_budget is None else None
        self._done: dict[int, float] = {}  # by trial, the share that is done
        super().__init__(out, "Starting Ray", "{task.fields[scores]}", total=float(trials), scores="")

    def epoch(self, number: int, report: EpochReport) -> None:
        """Moves the line."""
        of_epochs = ""
        if self._epochs:
            self._done[number] = self._done.get(number, 0) + 1 / self._epochs
            of_epochs = f"/{self._epochs}"
        self.move(
            description=f"trial {number}/{self._trials}  epoch {report.epoch}{of_epochs}",
            completed=sum(self._done.values()),
            scores=f"loss {report.loss:.4f}  val accuracy {report.val_accuracy:.2%}",
        )

    def trial(self, trial: Trial) -> None:
        """Leaves a line that stays."""
        self._done[trial.number] = 1
        self.move(completed=sum(self._done.values()))
        settings = trial.settings
        line = f"trial {trial.number:{len(str(self._trials))}}/{self._trials}  lr {settings.lr:g}  "
        line += f"width {settings.width:g}  dropout {settings.dropout:g}  augment {_word(settings.augment)}"
        if trial.val_accuracy is not None:
            line += f"  val loss {trial.val_loss:.4f}  val accuracy {trial.val_accuracy:.2%}"
        self._out.note(f"{line}  {trial.seconds:.1f} s  {_state(trial)}")


def show_trials(out: Output, tuned: Tuned) -> None:
    """The table of all trials, and what the best of them is worth."""
    numbers = ["trial", "lr", "width", "dropout", "val accuracy", "val loss", "epochs", "seconds"]
    out.table(
        [
            "trial",
            "lr",
            "width",
            "dropout",
            "augment",
            "val accuracy",
            "val loss",
            "epochs",
            "seconds",
            "state",
        ],
        (
            [
                trial.number,
                f"{trial.settings.lr:g}",
                f"{trial.settings.width:g}",
                f"{trial.settings.dropout:g}",
                _word(trial.settings.augment),
                None if trial.val_accuracy is None else f"{trial.val_accuracy:.2%}",
                trial.val_loss,
                trial.epochs,
                f"{trial.seconds:.1f}",
                "kept" if trial is tuned.best else _state(trial),
            ]
            for trial in tuned.trials
        ),
        right=numbers,
    )
    out.note(_verdict(tuned))


def document(tuned: Tuned) -> dict[str, Any]:
    """What the JSON document of a tuning has besides that of its run."""
    return {
        "trials": [trial.row for trial in tuned.trials],
        "kept": tuned.best.number,
        "gain": tuned.gain,
        "standard_error": tuned.standard_error,
    }


def _verdict(tuned: Tuned) -> str:
    kept = f"Trial {tuned.best.number} is kept"
    if tuned.gain is None:
        return (
            f"{kept}. There is nothing to compare it with, since trial 1, the preset's own settings, failed."
        )
    if tuned.best.number == 1:
        return f"{kept}: none was more accurate on the validation split than the preset's own settings."
    verdict = (
        f"{kept}: {100 * tuned.gain:.2f} points more accurate on the validation split than trial 1, the "
        f"preset's own settings; the standard error of {tuned.images:,} images is "
        f"{100 * tuned.standard_error:.2f} points"
    )
    return f"{verdict}." if tuned.gain > SURE * tuned.standard_error else f"{verdict}, so that may be chance."


def _state(trial: Trial) -> str:
    match trial.state:
        case "failed":
            return f"failed: {trial.reason}"
        case "stopped":
            return f"stopped after epoch {trial.epochs}"
        case finished:
            return finished


def _word(yes: bool) -> str:
    return "yes" if yes else "no"
