"""What is seen of an evaluation: the figures of a model, or of several side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple
from typing import TYPE_CHECKING

from digitcli.output import Output

if TYPE_CHECKING:
    from digitcli.evaluation import Scores
    from digitcli.evaluation.comparison import Comparison, Contender
    from digitcli.evaluation.robustness import Robustness


def show_scores(result: Scores, out: Output) -> None:
    """The figures of one model, of each digit, and which are taken for which."""
    from digitcli.charts import ConfusionMatrix

    if out.is_terminal:
        out.chart(
            f"[bold]Accuracy {result.accuracy:.2%}[/bold], {result.wrong:,} of {result.count:,} wrong; "
            f"loss {result.loss:.4f}; calibration error {result.calibration_error:.2%}; "
            f"{result.images_per_second:,.0f} images/s"
        )
    else:
        out.table(
            ["measure", "value"],
            [
                ["accuracy", result.accuracy],
                ["loss", result.loss],
                ["calibration_error", result.calibration_error],
                ["images", result.count],
                ["wrong", result.wrong],
                ["images_per_second", round(result.images_per_second)],
            ],
        )
        out.lines("")
    numbers = ["precision", "recall", "f1", "support"]
    out.table(
        ["digit", *numbers],
        [[s.digit, s.precision, s.recall, s.f1, s.support] for s in result.digits],
        right=numbers,
    )
    matrix = result.confusion.tolist()
    out.lines("")
    if out.is_terminal:
        out.chart(ConfusionMatrix(matrix))
    else:
        out.table(["true", *(f"read_{n}" for n in range(10))], [[n, *row] for n, row in enumerate(matrix)])


def show_robustness(results: Sequence[Robustness], out: Output) -> None:
    """The accuracy by distortion and its strength."""
    out.lines("")
    out.table(
        ["distortion", "strength", "unit", "accuracy"],
        (
            [result.distortion, f"{strength:g}", result.unit, accuracy]
            for result in results
            for strength, accuracy in zip(result.strengths, result.accuracies, strict=True)
        ),
        right=["strength", "accuracy"],
    )


def show_side_by_side(models: Sequence[Contender], out: Output) -> None:
    """The figures of several models, and what tells each from the first."""
    numbers = ["accuracy", "95 % interval", "wrong", "loss", "kB", "images/s"]
    out.table(
        ["model", *numbers],
        (
            [
                each.model,
                f"{each.accuracy:.2%}",
                f"{100 * each.interval[0]:.2f}-{100 * each.interval[1]:.2f}",
                each.wrong,
                each.loss,
                f"{each.bytes / 1000:.0f}",
                f"{each.images_per_second:.0f}",
            ]
            for each in models
        ),
        right=numbers,
    )
    show_against_first([(each.model, each.against_first) for each in models], out)


def show_against_first(models: Sequence[tuple[str, Comparison | None]], out: Output) -> None:
    """A table of what tells each model from the first, which has no comparison."""
    numbers = ["only first right", "only this right", "p"]
    out.lines("")
    out.table(
        ["against the first", *numbers],
        ([model, *astuple(against)] for model, against in models if against),
        right=numbers,
    )
