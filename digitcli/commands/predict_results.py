"""What `digitcli predict` prints or writes, in each of its formats."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from digitcli.output import SCHEMA, Output, printable, tab_separated, to_json
from digitcli.system.files import readable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from digitcli.reading.digit import Digit
    from digitcli.reading.forms import Filled
    from digitcli.reading.prediction import Mode, Prediction

PARQUET_ROWS = 10_000
"""Rows of a Parquet file that are compressed together, and kept until then."""

TABLE_ROWS = 500
"""Rows of a table on the terminal, which are kept until it is drawn. More begin another one."""

BESIDE = 40
"""Columns of a terminal that has room for bars beside a picture."""

_KEYS: dict[Mode, tuple[str, ...]] = {
    "single": ("path", "digit", "confidence", "uncertain", "top", "reason", "error"),
    "many": ("path", "text", "full", "confidence", "uncertain", "digits", "reason", "error"),
    "auto": ("path", "digit", "text", "full", "confidence", "uncertain", "top", "digits", "reason", "error"),
}


_FORM_KEYS = ("path", "confidence", "uncertain", "fields", "reason", "error")


class Format(StrEnum):
    """How results are written. A file's suffix tells, too."""

    PLAIN = "plain"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"


@dataclass(frozen=True)
class Layout:
    """What is written of each result: a row for eyes and CSV, an object for JSON and Parquet.

    top_k: how many of the likeliest digits, where one digit is read.
    signs: whether the text has the signs between its digits.
    fields: the names of a form's, of which each has a column for its text and one for its confidence.
    """

    mode: Mode
    top_k: int = 1
    signs: bool = False
    fields: tuple[str, ...] = ()

    @property
    def columns(self) -> list[str]:
        """The header of the rows."""
        if self.fields:
            pairs = ([name, f"{name}_confidence"] for name in self.fields)
            return ["path", *(column for pair in pairs for column in pair), "note"]
        what = "text" if self.mode == "many" else "digit"
        return ["path", what, "confidence", *(["top"] if self.top_k > 1 else []), "note"]

    def row(self, result: Prediction) -> list[str]:
        """Text; only a path may have newlines."""
        if self.fields:
            return [result.path, *self._cells(result), _note(result)]
        confidence = "" if result.confidence is None else f"{result.confidence:.4f}"
        if self.top_k == 1:
            return [result.path, self.text(result).replace("\n", " "), confidence, self._note(result)]
        top = " ".join(f"{digit}:{probability:.4f}" for digit, probability in result.likeliest(self.top_k))
        return [result.path, self.text(result).replace("\n", " "), confidence, top, self._note(result)]

    def _cells(self, result: Prediction) -> list[str]:
        if not result.fields:  # since it could not be read
            return [""] * (2 * len(self.fields))
        pairs = (
            [((each.full if self.signs else each.text) or "").replace("\n", " "), f"{each.confidence:.4f}"]
            for each in result.fields
        )
        return [cell for pair in pairs for cell in pair]

    def text(self, result: Prediction) -> str:
        """What was read, lines on lines of their own."""
        return (result.full if self.signs else result.text) or ""

    def _note(self, result: Prediction) -> str:
        notes = [_note(result)]
        if result.has_signs and not self.signs:
            notes.append(f"signs: {(result.full or '').replace(chr(10), ' ')}")
        return "; ".join(filter(None, notes))

    def as_dict(self, result: Prediction) -> dict[str, Any]:
        """As docs/schemas/predict.json has it."""
        everything = {
            "path": result.path,
            "digit": result.digit,
            "text": self.text(result) or None,
            "full": result.full,
            "confidence": result.confidence,
            "uncertain": result.uncertain,
            "top": [{"digit": digit, "probability": share} for digit, share in result.likeliest(self.top_k)],
            "digits": [
                {"digit": digit.digit, "confidence": digit.confidence, "box": list(digit.box)}
                for line in result.lines
                for digit in line
            ],
            "fields": {each.name: self._field(each) for each in result.fields},
            "reason": result.reason,
            "error": result.error,
        }
        return {key: everything[key] for key in self.keys}

    def _field(self, filled: Filled) -> dict[str, Any]:
        return {
            "text": filled.full if self.signs else filled.text,
            "full": filled.full,
            "confidence": filled.confidence,
            "uncertain": filled.uncertain,
            "reason": filled.reason,
        }

    @property
    def keys(self) -> tuple[str, ...]:
        """Those of the objects."""
        return _FORM_KEYS if self.fields else _KEYS[self.mode]

    def parquet_types(self) -> dict[str, Any]:
        """The pyarrow type of each key of the objects."""
        import pyarrow as pa

        digit = {"digit": pa.int8()}
        field = pa.struct(
            {
                "text": pa.string(),
                "full": pa.string(),
                "confidence": pa.float64(),
                "uncertain": pa.bool_(),
                "reason": pa.string(),
            }
        )
        everything = {
            "path": pa.string(),
            "digit": pa.int8(),
            "text": pa.string(),
            "full": pa.string(),
            "confidence": pa.float64(),
            "uncertain": pa.bool_(),
            "top": pa.list_(pa.struct({**digit, "probability": pa.float64()})),
            "digits": pa.list_(pa.struct({**digit, "confidence": pa.float64(), "box": pa.list_(pa.int32())})),
            "fields": pa.struct(dict.fromkeys(self.fields, field)),
            "reason": pa.string(),
            "error": pa.string(),
        }
        return {key: everything[key] for key in self.keys}


def print_results(
    results: Iterable[Prediction],
    format: Format | None,
    layout: Layout,
    model: Mapping[str, str],
    out: Output,
) -> None:
    """Prints them as they come; without a format, as tables on a terminal, as lines with a header elsewhere.

    model: what a JSON document says of it.
    """
    if format is None and out.is_terminal:
        cells = map(layout.row, results)
        while some := list(islice(cells, TABLE_ROWS)):
            out.table(layout.columns, some, right=("confidence",))
        return
    if format is Format.JSON:
        texts = document((to_json(layout.as_dict(result)) for result in results), model)
    else:
        texts = rows(results, format, layout)
    for text in texts:
        sys.stdout.write(text)
        sys.stdout.flush()


def draw(results: Iterable[Prediction], out: Output) -> None:
    """Draws on the terminal what the network saw of each picture, and how sure it is."""
    from rich.text import Text

    for result in results:
        if result.error:
            out.chart(Text(printable(result.error), style="red"))  # which names the picture
        else:
            parts = [
                (printable(result.path), "bold"),
                ((result.full or "").replace("\n", " "), "bold cyan"),
                (_note(result), "yellow"),
            ]
            out.chart(Text("  ").join(Text(*part) for part in parts if part[0]))
        if result.image is not None:
            _draw_one(result.image, result.probabilities, out)
        for line in result.lines:
            _draw_line(line, out)
        out.chart("")


def _note(result: Prediction) -> str:
    if result.fields:
        doubtful = (each for each in result.fields if each.reason or each.uncertain)
        return "; ".join(f"{each.name}: {each.reason or 'uncertain'}" for each in doubtful)
    return result.error or result.reason or ("uncertain" if result.uncertain else "")


def _draw_one(pixels: NDArray[np.uint8], probabilities: Sequence[float], out: Output) -> None:
    """What was classified, beside the bars of the ten probabilities, or above them if there is no room."""
    from rich.table import Table

    from digitcli.charts import Bars, Picture

    shares = {str(digit): share for digit, share in enumerate(probabilities)}
    if out.width < BESIDE:
        out.chart(Picture(pixels))
        out.chart(Bars(shares))
        return
    beside = Table.grid(padding=(0, 1))
    beside.add_column(vertical="middle", no_wrap=True)  # so that a narrow terminal shortens the bars
    beside.add_column(vertical="middle")
    beside.add_row(Picture(pixels), Bars(shares))
    out.chart(beside)


def _draw_line(line: Sequence[Digit], out: Output) -> None:
    """The digits side by side, as many as fit, each above what was read."""
    from rich.columns import Columns
    from rich.console import Group
    from rich.text import Text

    from digitcli.charts import Picture

    captions = [Text(f"{digit.digit}  {digit.confidence:.0%}", justify="center") for digit in line]
    drawn = (Group(Picture(digit.pixels), caption) for digit, caption in zip(line, captions, strict=True))
    out.chart(Columns(drawn, padding=(0, 1)))


def rows(
    results: Iterable[Prediction], format: Format | None, layout: Layout, *, header: bool = True
) -> Iterator[str]:
    """A line for each result: JSON, CSV or tab-separated, which only without a format has a header."""
    # The header comes with the first result: without any, an error is all there is to say.
    if format is Format.JSONL:
        for result in results:
            yield to_json(layout.as_dict(result)) + "\n"
        return
    line = _csv_line if format is Format.CSV else _tab_separated_line
    before = line(layout.columns) if header and format is not Format.PLAIN else ""
    for result in results:
        yield before + line(layout.row(result))
        before = ""


def document(objects: Iterable[str], model: Mapping[str, str]) -> Iterator[str]:
    """One JSON document of the objects, in pieces; what comes first comes with the first of them."""
    head = {"schema": SCHEMA, "command": "predict", "model": model}
    before = to_json(head, indent=2).removesuffix("\n}") + ',\n  "results": ['
    for each in objects:
        yield f"{before}\n    {each}"
        before = ","
    yield "\n  ]\n}\n"


def write_parquet(
    objects: Iterable[Mapping[str, Any]],
    layout: Layout,
    path: Path,
    about: Callable[[], Mapping[str, str]] = dict,
) -> None:
    """Writes a Parquet file of what `Layout.as_dict` gives.

    about: called at the end, gives what its footer is to say besides.
    """
    import pyarrow as pa
    from pyarrow import parquet

    schema = pa.schema(layout.parquet_types())
    objects = iter(objects)
    with path.open("wb") as file, parquet.ParquetWriter(file, schema) as writer:
        while some := [_in_utf_8(each) for each in islice(objects, PARQUET_ROWS)]:
            writer.write_table(pa.Table.from_pylist(some, schema))
        writer.add_key_value_metadata(about())


class _Echo:
    """A file for csv.writer, which then gives the line instead of keeping it."""

    @staticmethod
    def write(line: str) -> str:
        return line


_csv = csv.writer(_Echo, lineterminator="\r\n")  # of which either is quoted in a name


def _csv_line(cells: Sequence[str]) -> str:
    line: str = _csv.writerow(cells)
    return line.removesuffix("\r\n") + "\n"


def _tab_separated_line(cells: Sequence[str]) -> str:
    return tab_separated(cells) + "\n"


def _in_utf_8(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: readable(value) if isinstance(value, str) else value for key, value in row.items()}
