"""What `digitcli predict` prints or writes, in each of its formats."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from enum import StrEnum
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from digitcli.errors import MissingExtraError
from digitcli.output import Output

if TYPE_CHECKING:
    from digitcli.prediction import Prediction

ROWS_TOGETHER = 10_000
"""Rows of a Parquet file that are compressed together, and kept until then."""


class Format(StrEnum):
    """How results are written. A file's suffix tells, too."""

    PLAIN = "plain"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"


def print_results(
    results: Iterable[Prediction],
    format: Format | None,
    top_k: int,
    model: Mapping[str, str],
    out: Output,
    *,
    show: bool = False,
) -> None:
    """Prints them; without a format, as a table on a terminal and as lines with a header elsewhere.

    model: what a JSON document says of it.
    show: draw each picture instead, on a terminal.
    """
    if format is Format.JSON:
        out.document({"model": model, "results": [_as_dict(result, top_k) for result in results]})
    elif show and out.is_terminal:
        _draw(results, out)
    elif format is None and out.is_terminal:
        out.table(_columns(top_k), [_cells(result, top_k) for result in results], right=("confidence",))
    else:
        for line in _lines(results, format, top_k):
            out.lines(line)
            sys.stdout.flush()


def write_results(
    results: Iterable[Prediction],
    path: Path,
    format: Format,
    top_k: int,
    model: Mapping[str, str],
    out: Output,
) -> None:
    """Writes a file that holds what would be printed, or Parquet."""
    if format is Format.PARQUET:
        _write_parquet(results, top_k, path)
        return
    with path.open("w", encoding="utf-8", newline="") as file, redirect_stdout(file):
        print_results(results, format, top_k, model, out)


def require_parquet() -> None:
    """Raises MissingExtraError without pyarrow."""
    if not find_spec("pyarrow"):
        raise MissingExtraError("pyarrow, which writes Parquet,", "digitcli[parquet]")


def _draw(results: Iterable[Prediction], out: Output) -> None:
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


def _lines(results: Iterable[Prediction], format: Format | None, top_k: int) -> Iterator[str]:
    if format is Format.JSONL:
        for result in results:
            yield json.dumps(_as_dict(result, top_k), ensure_ascii=False)
        return
    join: Callable[[Sequence[str]], str] = _csv_line if format is Format.CSV else "\t".join
    for number, result in enumerate(results):
        # Not before the first result is there: without any, an error is all there is to say.
        if number == 0 and format is not Format.PLAIN:
            yield join(_columns(top_k))
        yield join(_cells(result, top_k))


def _write_parquet(results: Iterable[Prediction], top_k: int, path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    probability = pa.struct([("digit", pa.int8()), ("probability", pa.float64())])
    schema = pa.schema(
        [
            ("path", pa.string()),
            ("digit", pa.int8()),
            ("confidence", pa.float64()),
            ("top", pa.list_(probability)),
            ("reason", pa.string()),
            ("error", pa.string()),
        ]
    )
    rows = (_as_dict(result, top_k) for result in results)
    with parquet.ParquetWriter(path, schema) as writer:
        while block := list(islice(rows, ROWS_TOGETHER)):
            writer.write_table(pa.Table.from_pylist(block, schema))


def _as_dict(result: Prediction, top_k: int) -> dict[str, object]:
    return {
        "path": result.path,
        "digit": result.digit,
        "confidence": result.confidence,
        "top": [{"digit": digit, "probability": probability} for digit, probability in result.top[:top_k]],
        "reason": result.reason,
        "error": result.error,
    }


def _columns(top_k: int) -> list[str]:
    return ["path", "digit", "confidence", *(["top"] if top_k > 1 else []), "note"]


def _cells(result: Prediction, top_k: int) -> list[str]:
    digit = "" if result.digit is None else str(result.digit)
    confidence = "" if result.confidence is None else f"{result.confidence:.4f}"
    top = " ".join(f"{each}:{probability:.4f}" for each, probability in result.top[:top_k])
    note = result.error or result.reason or ""
    return [result.path, digit, confidence, *([top] if top_k > 1 else []), note]


def _csv_line(cells: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()
