"""The formats of `digitcli predict`. Every module of this package is one, and its file name is its name.

Results are written as rows, each as soon as it is there (`Rows`), or as a whole that cannot be read before it
ends (`Whole`). Adding a format means adding its file (and its test); nothing else names formats.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

if TYPE_CHECKING:
    from digitcli.reading.prediction import Prediction
    from digitcli.results.layout import Layout


@runtime_checkable
class Rows(Protocol):
    """A format of a row for each result, which a stopped command can go on with.

    If need be, a module also has
        is_whole(row)   whether a row, as bytes, that ends with a newline ends there; default: it does
        named(name)     how a picture's name stands in a row; default: as it is
    """

    def header(self, layout: Layout) -> str:
        """What comes before the first row; empty if nothing does."""

    def row(self, result: Prediction, layout: Layout) -> str:
        """A result, with a newline at its end."""

    def told(self, row: str, layout: Layout) -> tuple[str, bool]:
        """Of a row of `row`: the picture, and whether it could not be read.

        Raises ValueError, KeyError, IndexError or TypeError if it is no such row.
        """


@runtime_checkable
class Whole(Protocol):
    """A format that is made of all results at the end.

    If need be, a module also has
        require()   raises MissingExtraError if something is not installed
    """

    def write(self, objects: Iterable[str], layout: Layout, model: Mapping[str, str], path: Path) -> None:
        """Writes the file. objects: what `Layout.as_dict` gives, as JSON. model: which one it was."""


@runtime_checkable
class Printed(Whole, Protocol):
    """A whole that need not be written to a file."""

    def pieces(self, objects: Iterable[str], model: Mapping[str, str]) -> Iterator[str]:
        """Its text, bit by bit."""


def names() -> list[str]:
    """The names of all formats. Imports none of them."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


Format = StrEnum("Format", {name.upper(): name for name in names()})  # type: ignore[misc]
"""How results are written. A file's suffix tells, too."""


def get(format: str) -> Rows | Whole:
    """The format of that name."""
    return cast(Rows | Whole, importlib.import_module(f"{__name__}.{format}"))


def rows(results: Iterable[Prediction], format: Rows, layout: Layout, header: str) -> Iterator[str]:
    """Each result in a row; the header comes with the first: without any, an error is all there is to say."""
    for result in results:
        yield header + format.row(result, layout)
        header = ""


def require(format: str) -> None:
    """Raises MissingExtraError if something that it needs is not installed."""
    getattr(get(format), "require", lambda: None)()
