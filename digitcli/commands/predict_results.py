"""What `digitcli predict` prints or writes, in each of its formats."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from digitcli.errors import MissingExtraError
from digitcli.output import Output

if TYPE_CHECKING:
    from digitcli.prediction import Prediction, Transcription

Result = TypeVar("Result")

ROWS_TOGETHER = 10_000
"""Rows of a Parquet file that are compressed together, and kept until then."""


class Format(StrEnum):
    """How results are written. A file's suffix tells, too."""

    PLAIN = "plain"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"


@dataclass(frozen=True)
class Layout(Generic[Result]):
    """What is written of one kind of result.

    columns: the header of the rows.
    cells: gives a result's row, text without newlines.
    as_dict: gives its JSON object, or row of Parquet.
    parquet_types: gives the pyarrow type of each key of these.
    """

    columns: Sequence[str]
    cells: Callable[[Result], list[str]]
    as_dict: Callable[[Result], dict[str, object]]
    parquet_types: Callable[[], dict[str, Any]]


def one_digit(top_k: int) -> Layout[Prediction]:
    """For `predict`, with so many of the likeliest digits."""
    return Layout(
        ["path", "digit", "confidence", *(["top"] if top_k > 1 else []), "note"],
        partial(_prediction_cells, top_k=top_k),
        partial(_prediction_dict, top_k=top_k),
        _prediction_types,
    )


def all_digits() -> Layout[Transcription]:
    """For `predict --many`."""
    return Layout(
        ["path", "text", "confidence", "note"],
        _transcription_cells,
        _transcription_dict,
        _transcription_types,
    )


def print_results(
    results: Iterable[Result],
    format: Format | None,
    layout: Layout[Result],
    model: Mapping[str, str],
    out: Output,
) -> None:
    """Prints them; without a format, as a table on a terminal and as lines with a header elsewhere.

    model: what a JSON document says of it.
    """
    if format is Format.JSON:
        out.document({"model": model, "results": [layout.as_dict(result) for result in results]})
    elif format is None and out.is_terminal:
        out.table(layout.columns, [layout.cells(result) for result in results], right=("confidence",))
    else:
        for line in _lines(results, format, layout):
            out.lines(line)
            sys.stdout.flush()


def write_results(
    results: Iterable[Result],
    path: Path,
    format: Format,
    layout: Layout[Result],
    model: Mapping[str, str],
    out: Output,
) -> None:
    """Writes a file that holds what would be printed, or Parquet."""
    if format is Format.PARQUET:
        _write_parquet(results, layout, path)
        return
    with path.open("w", encoding="utf-8", newline="") as file, redirect_stdout(file):
        print_results(results, format, layout, model, out)


def require_parquet() -> None:
    """Raises MissingExtraError without pyarrow."""
    if not find_spec("pyarrow"):
        raise MissingExtraError("pyarrow, which writes Parquet,", "digitcli[parquet]")


def draw(results: Iterable[Prediction], out: Output) -> None:
    """Draws on the terminal what the network saw of each picture, and how sure it is."""
    from rich.table import Table
    from rich.text import Text

    from digitcli.charts import Bars, Picture

    for result in results:
        if result.error:
            out.chart(Text(result.error, style="red"))  # which names the picture
        else:
            digit = "" if result.digit is None else f"  {result.digit}"
            reason = f"  {result.reason}" if result.reason else ""
            out.chart(Text.assemble((result.path, "bold"), (digit, "bold cyan"), (reason, "yellow")))
        if result.image is not None:
            beside = Table.grid(padding=(0, 1))
            beside.add_column(vertical="middle", no_wrap=True)  # so that a narrow terminal shortens the bars
            beside.add_column(vertical="middle")
            shares = {str(digit): share for digit, share in sorted(result.top)}
            beside.add_row(Picture(result.image), Bars(shares))
            out.chart(beside)
        out.chart("")


def _lines(results: Iterable[Result], format: Format | None, layout: Layout[Result]) -> Iterator[str]:
    if format is Format.JSONL:
        for result in results:
            yield json.dumps(layout.as_dict(result), ensure_ascii=False)
        return
    join: Callable[[Sequence[str]], str] = _csv_line if format is Format.CSV else "\t".join
    for number, result in enumerate(results):
        # Not before the first result is there: without any, an error is all there is to say.
        if number == 0 and format is not Format.PLAIN:
            yield join(layout.columns)
        yield join(layout.cells(result))


def _write_parquet(results: Iterable[Result], layout: Layout[Result], path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    schema = pa.schema(layout.parquet_types())
    rows = (layout.as_dict(result) for result in results)
    with parquet.ParquetWriter(path, schema) as writer:
        while block := list(islice(rows, ROWS_TOGETHER)):
            writer.write_table(pa.Table.from_pylist(block, schema))


def _prediction_cells(result: Prediction, top_k: int) -> list[str]:
    digit = "" if result.digit is None else str(result.digit)
    top = " ".join(f"{each}:{probability:.4f}" for each, probability in result.top[:top_k])
    note = result.error or result.reason or ""
    return [result.path, digit, _share(result.confidence), *([top] if top_k > 1 else []), note]


def _prediction_dict(result: Prediction, top_k: int) -> dict[str, object]:
    return {
        "path": result.path,
        "digit": result.digit,
        "confidence": result.confidence,
        "top": [{"digit": digit, "probability": probability} for digit, probability in result.top[:top_k]],
        "reason": result.reason,
        "error": result.error,
    }


def _prediction_types() -> dict[str, Any]:
    import pyarrow as pa

    probability = pa.struct({"digit": pa.int8(), "probability": pa.float64()})
    return {
        "path": pa.string(),
        "digit": pa.int8(),
        "confidence": pa.float64(),
        "top": pa.list_(probability),
        "reason": pa.string(),
        "error": pa.string(),
    }


def _transcription_cells(result: Transcription) -> list[str]:
    text = (result.text or "").replace("\n", " ")  # so that a row stays one line
    return [result.path, text, _share(result.confidence), result.error or result.reason or ""]


def _transcription_dict(result: Transcription) -> dict[str, object]:
    return {
        "path": result.path,
        "text": result.text,
        "confidence": result.confidence,
        "digits": [
            {"digit": digit.digit, "confidence": digit.confidence, "box": list(digit.box)}
            for line in result.lines
            for digit in line
        ],
        "reason": result.reason,
        "error": result.error,
    }


def _transcription_types() -> dict[str, Any]:
    import pyarrow as pa

    digit = pa.struct({"digit": pa.int8(), "confidence": pa.float64(), "box": pa.list_(pa.int32())})
    return {
        "path": pa.string(),
        "text": pa.string(),
        "confidence": pa.float64(),
        "digits": pa.list_(digit),
        "reason": pa.string(),
        "error": pa.string(),
    }


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _csv_line(cells: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()
