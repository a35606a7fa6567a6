"""What is seen while a network trains: one line per epoch, and on a terminal a moving line below them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from digitcli.commands.moving_line import MovingLine
from digitcli.output import Output

if TYPE_CHECKING:
    from digitcli.runs.history import EpochReport
    from digitcli.training.config import TrainConfig
    from digitcli.training.loop import StepReport


class TrainingDisplay(MovingLine):
    """A context manager whose `step` and `epoch` are the callbacks of training."""

    def __init__(self, out: Output, config: TrainConfig) -> None:
        self._out = out
        self._members = config.members
        self._epochs = config.recipe.epochs if config.time_budget is None else None
        super().__init__(
            out,
            self._place(1, 1),
            "step {task.fields[step]}/{task.fields[steps]}",
            "loss {task.fields[loss]:.4f}",
            "accuracy {task.fields[accuracy]:.2%}",
            "{task.fields[speed]:,.0f} images/s",
            total=1.0,
            step=0,
            steps="?",
            loss=0.0,
            accuracy=0.0,
            speed=0.0,
        )

    def step(self, report: StepReport) -> None:
        """Moves the line."""
        self.move(
            description=self._place(report.member, report.epoch),
            completed=report.progress,
            step=report.step,
            steps=report.steps,
            loss=report.loss,
            accuracy=report.accuracy,
            speed=report.images_per_second,
        )

    def epoch(self, report: EpochReport) -> None:
        """Leaves a line that stays."""
        line = self._place(report.member, report.epoch)
        line += f"  loss {report.loss:.4f}  accuracy {report.accuracy:.2%}"
        if report.val_loss is not None:
            line += f"  val loss {report.val_loss:.4f}  val accuracy {report.val_accuracy:.2%}"
        self._out.note(f"{line}  {report.seconds:.1f} s")

    def _place(self, member: int, epoch: int) -> str:
        of_members = f"network {member}/{self._members}  " if self._members > 1 else ""
        of_epochs = f"{epoch:{len(str(self._epochs))}}/{self._epochs}" if self._epochs else f"{epoch}"
        return f"{of_members}epoch {of_epochs}"
