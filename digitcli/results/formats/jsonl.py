"""A JSON object for each picture, on a line of its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from digitcli.output import to_json

if TYPE_CHECKING:
    from digitcli.reading.prediction import Prediction
    from digitcli.results.layout import Layout


def header(layout: Layout) -> str:
    """None."""
    return ""


def row(result: Prediction, layout: Layout) -> str:
    """One line."""
    return to_json(layout.as_dict(result)) + "\n"


def told(row: str, layout: Layout) -> tuple[str, bool]:
    """The picture, and whether it could not be read."""
    result = json.loads(row)
    if tuple(result) != layout.keys or len(result.get("top", [])) not in (0, layout.top_k):
        raise ValueError
    return result["path"], bool(result["error"])
