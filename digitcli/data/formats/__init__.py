"""The data formats. Every module of this package is one, and its file name is the format's name.

A format module holds what `Format` lists. Adding one means adding its file (and its test); nothing
else names formats.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from digitcli.errors import DataError, unknown_name

if TYPE_CHECKING:
    from digitcli.data.digits import DataSet
    from digitcli.system.progress import Progress


class Format(Protocol):
    """What a format module offers."""

    LOOKS_LIKE: str
    """What the format is recognised by, for the message when nothing was."""

    def recognises(self, path: Path) -> bool:
        """Whether the file or folder is in this format, told by content and quickly."""

    def read(self, path: Path, on_progress: Progress) -> DataSet:
        """The data set in a file or folder that was recognised. Raises DataError if it is damaged.

        on_progress: called with bytes read, by formats that take long.
        """

    def write(self, dataset: DataSet, path: Path) -> None:
        """Writes the data set to a file or folder that does not exist yet."""


def names() -> list[str]:
    """The names of all formats."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def get(name: str) -> Format:
    """The format of that name. Raises UsageError if there is none."""
    if name not in names():
        raise unknown_name("data format", name, names())
    return cast(Format, importlib.import_module(f"{__name__}.{name}"))


def detect(path: Path) -> str | None:
    """The name of the format that an existing file or folder is in, if any."""
    return next((name for name in names() if get(name).recognises(path)), None)


def read(path: Path, on_progress: Progress) -> DataSet:
    """The data set in a file or folder of any format. Raises DataError if there is none or it is damaged."""
    if not path.exists():
        raise DataError(f"{path} does not exist.")
    if path.is_dir() and not any(path.iterdir()):
        raise DataError(f"{path} is an empty folder.")
    name = detect(path)
    if name is None:
        known = "; ".join(get(name).LOOKS_LIKE for name in names())
        raise DataError(f"{path} is not a data set. Looked for {known}.")
    return get(name).read(path, on_progress)
