"""What `digitcli evaluate` shows where it scores several models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple

from digitcli.evaluation.comparison import Comparison
from digitcli.output import Output


def show_against_first(models: Sequence[tuple[str, Comparison | None]], out: Output) -> None:
    """A table of what tells each model from the first, which has no comparison."""
    numbers = ["only first right", "only this right", "p"]
    out.lines("")
    out.table(
        ["against the first", *numbers],
        ([model, *astuple(against)] for model, against in models if against),
        right=numbers,
    )
