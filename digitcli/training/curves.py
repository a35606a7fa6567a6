"""The learning curves of a run as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from digitcli.training.loop import EpochReport


def draw(history: Sequence[EpochReport], title: str, path: Path) -> None:
    """Writes a PNG with loss and accuracy over the epochs, of the training and the validation part."""
    # The object interface draws without a display and leaves a notebook's own pyplot state alone.
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    epochs = [report.epoch for report in history]
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    figure.suptitle(title)
    loss, accuracy = figure.subplots(1, 2)
    loss.plot(epochs, [report.loss for report in history], ".-", label="training")
    accuracy.plot(epochs, [report.accuracy for report in history], ".-", label="training")
    if history[0].val_loss is not None:
        loss.plot(epochs, [report.val_loss for report in history], ".-", label="validation")
        accuracy.plot(epochs, [report.val_accuracy for report in history], ".-", label="validation")
    loss.set(xlabel="epoch", ylabel="loss (nats)", yscale="log")
    for which in (loss.yaxis.set_major_formatter, loss.yaxis.set_minor_formatter):
        which("{x:g}")
    accuracy.set(xlabel="epoch", ylabel="accuracy")
    accuracy.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=1))
    for axes in (loss, accuracy):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, format="png", dpi=120)
