"""The learning curves of a run as a picture."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from digitcli.training.loop import EpochReport


def draw(history: Sequence[EpochReport], title: str, path: Path) -> None:
    """Writes a PNG with loss and accuracy over the epochs, of the training and the validation part.

    history: of one network or of all members of an ensemble, each of which gets its own lines.
    """
    # The object interface draws without a display and leaves a notebook's own pyplot state alone.
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    figure.suptitle(title)
    loss, accuracy = figure.subplots(1, 2)
    for member, reports in itertools.groupby(history, lambda report: report.member):
        rows = list(reports)
        epochs = [row.epoch for row in rows]
        for part, colour, prefix in (("training", "C0", ""), ("validation", "C1", "val_")):
            if getattr(rows[0], f"{prefix}loss") is not None:
                style = {"color": colour, "label": part if member == 1 else None}
                loss.plot(epochs, [getattr(row, f"{prefix}loss") for row in rows], ".-", **style)
                accuracy.plot(epochs, [getattr(row, f"{prefix}accuracy") for row in rows], ".-", **style)
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
