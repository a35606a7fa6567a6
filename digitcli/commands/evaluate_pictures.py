"""`digitcli evaluate --pictures`: how well labelled pictures are read, from the file to the answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from digitcli.classifiers import Classifier
from digitcli.commands.evaluation_display import show_against_first
from digitcli.evaluation.pictures import (
    PictureScores,
    Summary,
    compare_pictures,
    evaluate_pictures,
    read_labels,
)
from digitcli.output import Output
from digitcli.runs import FoundModel

_NUMBERS = ["pictures", "right", "95 % interval", "silently wrong", "no answer", "errors per digit"]


def score_pictures(
    labels: Path,
    found: Sequence[FoundModel],
    classifiers: Sequence[Classifier],
    report: Path | None,
    out: Output,
    *,
    force: bool,
) -> None:
    """Scores the models and shows it. Raises typer.Exit if a picture could not be read."""
    labelled = read_labels(labels)
    results = []
    for classifier in classifiers:
        with out.progress("Reading") as progress:
            results.append(evaluate_pictures(classifier, labelled, on_progress=progress))
    names = [each.where for each in found]
    comparisons = [None, *(compare_pictures(results[0], each) for each in results[1:])]
    if len(results) == 1:
        _show(results[0], out)
    else:
        out.table(
            ["model", *_NUMBERS],
            _rows(zip(names, [each.all for each in results], strict=True)),
            right=_NUMBERS,
        )
        show_against_first(list(zip(names, comparisons, strict=True)), out)
    page = None
    if report is not None:
        from digitcli.evaluation.pictures_report import write

        page = write(results[0], labels, names[0], report, force=force)
        out.note(f"The report is in {page}.")
    models = [
        {
            "path": str(classifier.path),
            "runtime": classifier.runtime,
            **_as_dict(result),
            "against_first": comparison and asdict(comparison),
        }
        for classifier, result, comparison in zip(classifiers, results, comparisons, strict=True)
    ]
    out.document({"labels": str(labels), "models": models, "report": page and str(page)})
    if results[0].unreadable:
        out.warn(f"{results[0].unreadable} of {len(labelled)} pictures could not be read.")
        raise typer.Exit(1)


def _as_dict(scores: PictureScores) -> dict[str, Any]:
    return {
        "all": asdict(scores.all),
        "groups": {
            column: {name: asdict(each) for name, each in its.items()}
            for column, its in scores.groups.items()
        },
        "risks": [{"coverage": share, "wrong": wrong} for share, wrong in scores.risks.items()],
        "unreadable": scores.unreadable,
    }


def _show(scores: PictureScores, out: Output) -> None:
    out.table(["", *_NUMBERS], _rows([("all", scores.all)]), right=_NUMBERS)
    for column, its in scores.groups.items():
        out.lines("")
        out.table([column, *_NUMBERS], _rows(its.items()), right=_NUMBERS)
    if scores.risks:
        out.lines("")
        rows = [[f"{share:.0%}", f"{wrong:.1%}"] for share, wrong in scores.risks.items()]
        out.table(["surest answers", "wrong"], rows, right=["surest answers", "wrong"])


def _rows(summaries: Iterable[tuple[str, Summary]]) -> list[list[str]]:
    return [
        [
            name,
            f"{each.pictures:,}",
            f"{each.right:.1%}",
            f"{100 * each.interval[0]:.1f}-{100 * each.interval[1]:.1f}",
            f"{each.silently_wrong:.1%}",
            f"{each.no_answer:.1%}",
            "" if each.digit_errors is None else f"{each.digit_errors:.1%}",
        ]
        for name, each in summaries
    ]
