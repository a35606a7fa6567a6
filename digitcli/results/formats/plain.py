"""Tab-separated rows without a header, for the shell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from digitcli.output import tab_separated

if TYPE_CHECKING:
    from digitcli.reading.prediction import Prediction
    from digitcli.results.layout import Layout


def header(layout: Layout) -> str:
    """None, so that what reads it need not skip it."""
    return ""


def row(result: Prediction, layout: Layout) -> str:
    """One line."""
    return tab_separated(layout.row(result)) + "\n"


def told(row: str, layout: Layout) -> tuple[str, bool]:
    """The picture, and whether it could not be read."""
    return layout.told(row.rstrip("\n").split("\t"))


def named(name: str) -> str:
    """A name has no tab here."""
    return tab_separated([name])
