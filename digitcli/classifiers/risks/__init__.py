"""What a stranger's model file could do besides calculating, found without loading it.

Every module of this package is a check. It has
    KINDS               the kinds of files that it looks into
    find(path, kind)    what it found, each for a sentence ("operation WriteFile"); raises ModelError for what
                        is never loaded, and if the file cannot be read
Adding a check means adding its file (and its test). What passed before is then tried anew.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import Protocol, cast

from digitcli.classifiers.recognise import Format


class Check(Protocol):
    """What a check offers."""

    KINDS: tuple[Format, ...]

    def find(self, path: Path, kind: Format) -> list[str]:
        """What could run code, or read or write files."""


def names() -> list[str]:
    """The names of all checks. Imports none of them."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def find(path: Path, kind: Format) -> list[str]:
    """What all checks found. Raises ModelError for what is never loaded."""
    checks = (cast(Check, importlib.import_module(f"{__name__}.{name}")) for name in names())
    return [risk for check in checks if kind in check.KINDS for risk in check.find(path, kind)]
