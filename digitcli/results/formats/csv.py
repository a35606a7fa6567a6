"""CSV with a header, quoted as need be."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from digitcli.reading.prediction import Prediction
    from digitcli.results.layout import Layout


class _Echo:
    """A file for csv.writer, which then gives the line instead of keeping it."""

    @staticmethod
    def write(line: str) -> str:
        return line


_csv = csv.writer(_Echo, lineterminator="\r\n")  # of which either is quoted in a name


def header(layout: Layout) -> str:
    """The names of the columns."""
    return _line(layout.columns)


def row(result: Prediction, layout: Layout) -> str:
    """One line, but for newlines in a name."""
    return _line(layout.row(result))


def told(row: str, layout: Layout) -> tuple[str, bool]:
    """The picture, and whether it could not be read."""
    (cells,) = csv.reader([row])
    return layout.told(cells)


def is_whole(row: bytes) -> bool:
    """Whether its last newline is not within quotes."""
    return row.count(b'"') % 2 == 0


def _line(cells: Sequence[str]) -> str:
    line: str = _csv.writerow(cells)
    return line.removesuffix("\r\n") + "\n"
