"""What the figures of a model look like as pictures, drawn by Matplotlib."""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from digitcli.evaluation.metrics import ReliabilityBin

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from digitcli.evaluation.robustness import Robustness
    from digitcli.runs.history import EpochReport

INK = "#111112"
"""Of all text and lines: a black that nothing else has, for a page to put its own colour in its place."""
RIGHT, WRONG = "#2563eb", "#dc2626"


def learning_curves(history: Sequence[EpochReport], title: str | None = None) -> Figure:
    """Loss and accuracy over the epochs, of the training and the validation part.

    history: of one network or of all members of an ensemble, each of which gets its own lines.
    """
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, PercentFormatter

    figure = _figure(9, 3.6)
    if title:
        figure.suptitle(title)
    loss, accuracy = figure.subplots(1, 2)
    for member, reports in itertools.groupby(history, lambda report: report.member):
        rows = list(reports)
        epochs = [row.epoch for row in rows]
        for part, colour, prefix in (("training", RIGHT, ""), ("validation", "#ea580c", "val_")):
            if getattr(rows[0], f"{prefix}loss") is not None:
                style = {"color": colour, "label": part if member == 1 else None}
                loss.plot(epochs, [getattr(row, f"{prefix}loss") for row in rows], ".-", **style)
                accuracy.plot(epochs, [getattr(row, f"{prefix}accuracy") for row in rows], ".-", **style)
    loss.set(xlabel="epoch", ylabel="loss (nats)", yscale="log")
    loss.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    loss.yaxis.set_major_formatter("{x:g}")
    loss.yaxis.set_minor_formatter(NullFormatter())
    accuracy.set(xlabel="epoch", ylabel="accuracy")
    accuracy.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=1))
    for axes in (loss, accuracy):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend()
    return _inked(figure)


def confusion(matrix: NDArray[np.int64]) -> Figure:
    """Counts by true digit (rows) and digit read (columns), errors the redder the more there are.

    matrix: (10, 10).
    """
    figure = _figure(5, 5)
    axes = figure.subplots()
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    for (true, read), count in np.ndenumerate(matrix):
        if not count:
            continue
        right = true == read
        share = shares[true, read]
        # Transparent, so that the page's own ground shows through; one error in a hundred is full red.
        alpha = 0.35 * share if right else 0.15 + 0.6 * min(1, share / 0.01)
        axes.fill_between([read - 0.5, read + 0.5], true - 0.5, true + 0.5, color=RIGHT if right else WRONG,
                          alpha=alpha, linewidth=0)  # fmt: skip
        axes.text(read, true, f"{count}", ha="center", va="center", fontsize=9 if count < 1000 else 7.5)
    axes.set(
        xlabel="digit read",
        ylabel="true digit",
        xticks=range(len(matrix)),
        yticks=range(len(matrix)),
        xlim=(-0.5, len(matrix) - 0.5),
        ylim=(len(matrix) - 0.5, -0.5),
        aspect="equal",
    )
    axes.spines[:].set_alpha(0.3)
    axes.tick_params(length=0)
    return _inked(figure)


def reliability(bins: Sequence[ReliabilityBin]) -> Figure:
    """Accuracy by confidence, beside that of a perfectly calibrated model; dots grow with counts."""
    from matplotlib.ticker import PercentFormatter

    figure = _figure(5, 5)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], "--", color=INK, alpha=0.5, linewidth=1, label="well calibrated")
    counts = np.array([each.count for each in bins])
    axes.scatter(
        [each.confidence for each in bins],
        [each.accuracy for each in bins],
        20 + 180 * counts / counts.max(),
        color=RIGHT,
        alpha=0.8,
        linewidths=0,
        label="this model",
    )
    for each in bins:
        axes.annotate(
            f"{each.count:,}", (each.confidence, each.accuracy), (0, -14), textcoords="offset points",
            ha="center", fontsize=7, alpha=0.7,
        )  # fmt: skip
    axes.set(
        xlabel="confidence", ylabel="share read right", xlim=(0, 1.05), ylim=(-0.05, 1.05), aspect="equal"
    )
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left")
    return _inked(figure)


def robustness(results: Sequence[Robustness]) -> Figure:
    """Accuracy over the strength of each distortion."""
    from matplotlib.ticker import PercentFormatter

    columns = 5
    rows = math.ceil(len(results) / columns)
    figure = _figure(2.2 * columns, 2.2 * rows)
    for axes, result in zip(figure.subplots(rows, columns, sharey=True).flat, results, strict=False):
        axes.plot(result.strengths, result.accuracies, ".-", color=RIGHT)
        axes.set_title(result.distortion, fontsize=10)
        axes.set_xlabel(result.unit, fontsize=8)
        axes.set_ylim(0, 1.02)
        if result.strengths[-1] < result.strengths[0]:
            axes.invert_xaxis()  # what changes nothing is always on the left
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.tick_params(labelsize=8)
        axes.grid(alpha=0.3)
    return _inked(figure)


def save(figure: Figure, path: Path) -> None:
    """Writes it as PNG or SVG, by the ending of `path`, on white."""
    _write(figure, path, path.suffix[1:], path.stem, facecolor="white")


def inline(figure: Figure, name: str) -> str:
    """The figure as an <svg> element whose text and lines have the colour of the text around it.

    name: told apart by it are the names within several such elements on one page.
    """
    file = io.StringIO()
    _write(figure, file, "svg", name, transparent=True)
    text = file.getvalue()
    return text[text.index("<svg") :].replace(INK, "currentColor")


def _write(figure: Figure, file: Path | io.StringIO, format: str, name: str, **style: Any) -> None:
    from matplotlib import rc_context

    # Text stays text, and the same figure is always the same file.
    metadata: dict[str, Any] = {"Date": None} if format == "svg" else {}
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(file, format=format, dpi=120, metadata=metadata, **style)


def _figure(width: float, height: float) -> Figure:
    # The object interface draws without a display and leaves a notebook's own pyplot state alone.
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _inked(figure: Figure) -> Figure:
    """The same with all that is black in INK."""
    from matplotlib.lines import Line2D
    from matplotlib.spines import Spine
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        text.set_color(INK)
    for spine in figure.findobj(Spine):
        spine.set_edgecolor(INK)
    for axes in figure.axes:
        axes.patch.set_alpha(0)
        for axis in (axes.xaxis, axes.yaxis):
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                for line in tick.findobj(Line2D):
                    line.set_color(INK)
        if legend := axes.get_legend():
            legend.get_frame().set(alpha=0.0, linewidth=0)
    return figure
