"""`digitcli evaluate`: how good a model is on labelled digits."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from digitcli.commands import options
from digitcli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from digitcli.classifiers import Classifier
    from digitcli.data.digits import DataSet
    from digitcli.evaluation import Scores
    from digitcli.evaluation.robustness import Robustness
    from digitcli.output import Output
    from digitcli.runs import FoundModel


def evaluate(
    sources: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[MODEL]...", help="Run or model files, as with --model; several are compared."
        ),
    ] = None,
    model: options.Model = None,
    data: options.Data = "mnist",
    pictures: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV", help="Score whole pictures: columns path (or archive, member), text, and groups."
        ),
    ] = None,
    engine: options.EngineOption = options.Engine.LOCAL,
    address: options.Address = None,
    views: options.Views = 1,
    trust: options.Trust = False,
    robustness: Annotated[
        bool, typer.Option("--robustness", help="Also score the images turned, shifted, blurred and so on.")
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Also write a page with plots and mistakes, report.html, to DIR."),
    ] = None,
    force: options.Force = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Score a model on labelled digits, or compare several.

    Tells how many it reads right, precision, recall and F1 of each digit, and
    which digits it takes for which. Every image of the data's test part
    counts. Piped, the tables are tab-separated lines, with an empty line
    between two tables.

    Several models are shown side by side, each against the first: on how many
    images only the one or only the other is right, and how likely that is by
    chance (McNemar's test).

    --pictures reads whole pictures as predict does, and tells how many are right
    as a whole, silently wrong (wrong without a mark) or without an answer, digits
    wrong, missed or invented by digit, all by group, and what refusing the unsure
    would give. Pictures labelled with several digits are read as by --many.

    --engine ray scores labelled Parquet on all machines of a Ray cluster, or
    without --address on this one, and needs digitcli\\[ray].

    [bold]Examples[/bold]

      digitcli evaluate

      digitcli evaluate my-run --data digits.csv

      digitcli evaluate my-run --views 9

      digitcli evaluate my-run --report page --robustness

      digitcli evaluate my-run other-run model.onnx

      digitcli evaluate --pictures labels.csv --report page

      digitcli evaluate my-run --data labelled.parquet --engine ray

      digitcli evaluate model.h5 --json | jq .accuracy
    """
    from digitcli import classifiers, evaluation, runs
    from digitcli.commands.evaluation_display import show_robustness, show_scores, show_side_by_side
    from digitcli.system.files import require_free

    named: list[Path | None] = list(sources or [])
    if named and model:
        raise UsageError(f"Two models are named, {named[0]} and {model}. Leave one of them out.")
    if len(named) > 1 and (report or robustness):
        raise UsageError("--report and --robustness are for one model at a time.")
    if engine is options.Engine.RAY and (len(named) > 1 or report or robustness):
        raise UsageError("--engine ray scores one model at a time, without --report and --robustness.")
    if pictures is not None and (engine is options.Engine.RAY or robustness):
        raise UsageError("--pictures goes with neither --engine ray nor --robustness.")
    if address and engine is options.Engine.LOCAL:
        raise UsageError("--address is for --engine ray.")
    out = options.output("evaluate", json, quiet, verbose, debug)
    if report is not None and not force:
        require_free(report)
    found = [runs.find_model(source) for source in (named or [model])]
    trusted = out.warn if trust else None
    loaded = [classifiers.load(each.path, views=views, trust=trusted) for each in found]
    for each, classifier in zip(found, loaded, strict=True):
        out.note(f"Model: {each.description}, through {classifier.runtime}.")
    if pictures is not None:
        from digitcli.commands.evaluate_pictures import score_pictures

        score_pictures(pictures, found, loaded, report, out, force=force)
        return
    if engine is options.Engine.RAY:
        from digitcli.evaluation.parts import evaluate_parts

        with out.progress("Scoring") as progress:
            scores = evaluate_parts(loaded[0], Path(data), address, progress)
        show_scores(scores, out)
        source = {"name": data, "sha256": None, "images": scores.count}
        out.document(_document(loaded[0], source, scores))
        return
    dataset = options.read_data(data, out)
    digits = dataset.scored
    _tell_part(dataset, out)
    for each in found:
        _tell_training_data(each, dataset, out)
    results = []
    for classifier in loaded:
        with out.progress("Scoring") as progress:
            results.append(evaluation.evaluate(classifier, digits, on_progress=progress))
    about = {"data": {"name": digits.name, "sha256": digits.sha256, "images": len(digits)}}
    if len(results) > 1:
        from digitcli.evaluation.comparison import side_by_side

        models = side_by_side(found, loaded, results)
        show_side_by_side(models, out)
        out.document({**about, "models": [asdict(each) for each in models]})
        return

    (result,) = results
    show_scores(result, out)
    borne = None
    if robustness:
        from digitcli.evaluation.robustness import measure

        with out.progress("Distorting") as progress:
            borne = measure(loaded[0], digits, progress)
        show_robustness(borne, out)
    page = None
    if report is not None:
        from digitcli.evaluation.report import write

        page = write(result, digits, found[0], report, robustness=borne, force=force)
        out.note(f"The report is in {page}.")
    out.document(_document(loaded[0], about["data"], result, borne, page))


def _document(
    classifier: Classifier,
    data: dict[str, Any],
    result: Scores,
    borne: Sequence[Robustness] | None = None,
    page: Path | None = None,
) -> dict[str, Any]:
    return {
        "model": {"path": str(classifier.path), "runtime": classifier.runtime},
        "data": data,
        "accuracy": result.accuracy,
        "loss": result.loss,
        "calibration_error": result.calibration_error,
        "wrong": result.wrong,
        "images_per_second": round(result.images_per_second, 1),
        "digits": [vars(scores) for scores in result.digits],
        "confusion": result.confusion.tolist(),
        "robustness": borne and [vars(each) for each in borne],
        "report": page and str(page),
    }


def _tell_part(dataset: DataSet, out: Output) -> None:
    count = f"{len(dataset.scored):,} images"
    if dataset.test is None:
        out.note(f"Data: {dataset.origin}; it has no test part, so all {count} are scored.")
    else:
        out.note(f"Data: {dataset.origin}; its test part, {count}.")


def _tell_training_data(found: FoundModel, dataset: DataSet, out: Output) -> None:
    from digitcli.evaluation.seen import trained_on

    if found.run is None:
        return
    seen, origin = trained_on(found.run, dataset)
    if seen == "these images":
        out.warn("The model was trained on these very images; on new ones it reads fewer right.")
    elif seen == "other data":
        out.note(f"The model was trained on other data: {origin}.")
