"""`digitcli evaluate`: how good a model is on labelled digits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from digitcli.commands import options

if TYPE_CHECKING:
    from digitcli.data.digits import DataSet, Digits
    from digitcli.evaluation import Evaluation
    from digitcli.output import Output
    from digitcli.runs import FoundModel


def evaluate(
    source: Annotated[
        Path | None, typer.Argument(metavar="[MODEL]", help="A run or model file, as with --model.")
    ] = None,
    model: options.Model = None,
    data: options.Data = "mnist",
    views: options.Views = 1,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Score a model on labelled digits.

    Tells how many it reads right, precision, recall and F1 of each digit, and
    which digits it takes for which. Every image of the data's test part
    counts. Piped, the three tables are tab-separated lines, with an empty
    line between two tables.

    [bold]Examples[/bold]

      digitcli evaluate

      digitcli evaluate my-run --data digits.csv

      digitcli evaluate my-run --views 9

      digitcli evaluate model.h5 --json | jq .accuracy
    """
    from digitcli import classifiers, evaluation, runs
    from digitcli.errors import UsageError

    if source and model:
        raise UsageError(f"Two models are named, {source} and {model}. Leave one of them out.")
    out = options.output("evaluate", json, quiet, verbose, debug)
    found = runs.find_model(source or model)
    classifier = classifiers.load(found.path, views=views)
    out.note(f"Model: {found.description}, through {classifier.runtime}.")
    dataset = options.read_data(data, out)
    digits = _part_to_score(dataset, out)
    _compare_with_training_data(found, dataset, digits, out)
    with out.progress("Scoring") as progress:
        result = evaluation.evaluate(classifier, digits, on_progress=progress)
    _show(result, out)
    out.document(
        {
            "model": {"path": str(found.path), "runtime": classifier.runtime},
            "data": {"name": digits.name, "sha256": digits.sha256, "images": len(digits)},
            "accuracy": result.accuracy,
            "loss": result.loss,
            "calibration_error": result.calibration_error,
            "wrong": result.wrong,
            "images_per_second": round(result.images_per_second, 1),
            "digits": [vars(scores) for scores in result.digits],
            "confusion": result.confusion.tolist(),
        }
    )


def _part_to_score(dataset: DataSet, out: Output) -> Digits:
    if dataset.test is not None:
        out.note(f"Data: {dataset.origin}; its test part, {len(dataset.test):,} images.")
        return dataset.test
    assert dataset.train is not None, "a data set has at least one part"
    out.note(f"Data: {dataset.origin}; it has no test part, so all {len(dataset.train):,} images are scored.")
    return dataset.train


def _compare_with_training_data(found: FoundModel, dataset: DataSet, digits: Digits, out: Output) -> None:
    from digitcli import runs

    if found.run is None:
        return
    record = runs.read_record(found.run)["data"]
    seen = {part["sha256"] for part in (record["train"], record["test"]) if part}
    if digits.sha256 == record["train"]["sha256"]:
        out.warn("The model was trained on these very images; on new ones it reads fewer right.")
    elif not any(part and part.sha256 in seen for part in (dataset.train, dataset.test)):
        out.note(f"The model was trained on other data: {record['origin']}.")


def _show(result: Evaluation, out: Output) -> None:
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
