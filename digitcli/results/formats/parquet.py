"""A Parquet file, for tables of millions of pictures."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from digitcli.sources.parquet import require_pyarrow
from digitcli.system.files import readable

if TYPE_CHECKING:
    from digitcli.results.layout import Layout

ROWS = 10_000
"""Rows that are compressed together, and kept until then."""

require = require_pyarrow


def write(objects: Iterable[str], layout: Layout, model: Mapping[str, str], path: Path) -> None:
    """Writes the file."""
    write_table(map(json.loads, objects), layout, path)


def write_table(
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

    schema = pa.schema(_types(layout))
    objects = iter(objects)
    with path.open("wb") as file, parquet.ParquetWriter(file, schema) as writer:
        while some := [_in_utf_8(each) for each in islice(objects, ROWS)]:
            writer.write_table(pa.Table.from_pylist(some, schema))
        writer.add_key_value_metadata(about())


def _types(layout: Layout) -> dict[str, Any]:
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
        "fields": pa.struct(dict.fromkeys(layout.fields, field)),
        "reason": pa.string(),
        "error": pa.string(),
    }
    return {key: everything[key] for key in layout.keys}


def _in_utf_8(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: readable(value) if isinstance(value, str) else value for key, value in row.items()}
