"""`digitcli predict`: which digit is in a picture."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from digitcli.commands import options

if TYPE_CHECKING:
    from digitcli.output import Output
    from digitcli.prediction import Prediction


class Format(StrEnum):
    """How results are written."""

    PLAIN = "plain"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


def predict(
    pictures: Annotated[
        list[str],
        typer.Argument(
            metavar="IMG|DIR|GLOB|-",
            help="Pictures, folders, patterns, or - for stdin: paths, one per line, or one picture.",
        ),
    ],
    model: options.Model = None,
    format: Annotated[
        Format | None,
        typer.Option(
            "--format", "-f", help="Default: a table; when piped, tab-separated lines with a header."
        ),
    ] = None,
    top_k: Annotated[
        int, typer.Option("--top-k", "-k", min=1, max=10, help="Show so many of the likeliest digits.")
    ] = 1,
    min_confidence: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Give no digit where the model is less sure than this.")
    ] = 0.0,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Tell which digit is in a picture, or in each of many.

    Pictures may be of any size and format, dark on light or light on dark.
    There is a row for each: path, digit, confidence (0-1) and note. Where there
    is no digit to tell, because the picture is blank or the model not sure
    enough, the digit is empty and the note says why. A picture that cannot be
    read has its error as the note; the others are still read, and the exit
    code is 1.

    plain is for the shell: tab-separated, without a header. json, the same as
    --json, is one document. All but json and the table are written while
    pictures are still being read.

    [bold]Examples[/bold]

      digitcli predict img.png

      digitcli predict scans/ --format csv > digits.csv

      digitcli predict '**/*.png' --top-k 3 --min-confidence 0.9

      find . -name '*.jpg' | digitcli predict - --json | jq .results
    """
    from digitcli import classifiers, prediction, runs
    from digitcli.errors import UsageError

    if as_json and format not in (None, Format.JSON):
        raise UsageError(f"--json contradicts --format {format}. Leave one of them out.")
    out = options.output("predict", as_json or format is Format.JSON, quiet, verbose, debug)
    found = runs.find_model(model)
    classifier = classifiers.load(found.path)
    out.note(f"Model: {found.description}, through {classifier.runtime}.")

    sources = prediction.expand(pictures, sys.stdin.buffer)
    failures: Counter[bool] = Counter()
    results = _count(
        failures, prediction.predict(sources, classifier, top_k=top_k, min_confidence=min_confidence)
    )
    if out.as_json:
        described = {"path": str(found.path), "runtime": classifier.runtime}
        out.document({"model": described, "results": [_as_dict(result) for result in results]})
    elif format is None and out.is_terminal:
        out.table(_columns(top_k), [_cells(result, top_k) for result in results], right=("confidence",))
    else:
        _stream(results, format, top_k, out)
    if failures[True]:
        out.warn(f"{failures[True]} of {failures.total()} pictures could not be read.")
        raise typer.Exit(1)


def _count(failures: Counter[bool], results: Iterable[Prediction]) -> Iterator[Prediction]:
    # In passing, so that no result has to be kept.
    for result in results:
        failures[result.error is not None] += 1
        yield result


def _stream(results: Iterable[Prediction], format: Format | None, top_k: int, out: Output) -> None:
    if format is Format.JSONL:
        for result in results:
            out.lines(json.dumps(_as_dict(result), ensure_ascii=False))
            sys.stdout.flush()
        return
    join: Callable[[Sequence[str]], str] = _csv_line if format is Format.CSV else "\t".join
    header = format is not Format.PLAIN
    for result in results:
        if header:
            out.lines(join(_columns(top_k)))
            header = False
        out.lines(join(_cells(result, top_k)))
        sys.stdout.flush()


def _columns(top_k: int) -> list[str]:
    return ["path", "digit", "confidence", *(["top"] if top_k > 1 else []), "note"]


def _cells(result: Prediction, top_k: int) -> list[str]:
    digit = "" if result.digit is None else str(result.digit)
    confidence = "" if result.confidence is None else f"{result.confidence:.4f}"
    top = " ".join(f"{each}:{probability:.4f}" for each, probability in result.top)
    note = result.error or result.reason or ""
    return [result.path, digit, confidence, *([top] if top_k > 1 else []), note]


def _csv_line(cells: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()


def _as_dict(result: Prediction) -> dict[str, object]:
    return {
        "path": result.path,
        "digit": result.digit,
        "confidence": result.confidence,
        "top": [{"digit": digit, "probability": probability} for digit, probability in result.top],
        "reason": result.reason,
        "error": result.error,
    }
