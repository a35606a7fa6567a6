"""One JSON document, as docs/schemas/predict.json has it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from digitcli.output import SCHEMA, to_json

if TYPE_CHECKING:
    from digitcli.results.layout import Layout


def write(objects: Iterable[str], layout: Layout, model: Mapping[str, str], path: Path) -> None:
    """Writes the document."""
    with path.open("w", encoding="utf-8", newline="") as file:
        file.writelines(pieces(objects, model))


def pieces(objects: Iterable[str], model: Mapping[str, str]) -> Iterator[str]:
    """The document; what comes first comes with the first of the objects."""
    head = {"schema": SCHEMA, "command": "predict", "model": model}
    before = to_json(head, indent=2).removesuffix("\n}") + ',\n  "results": ['
    for each in objects:
        yield f"{before}\n    {each}"
        before = ","
    yield "\n  ]\n}\n"
