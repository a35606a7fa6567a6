"""The export formats.

Every module in `formats` is a format, called as the module with - for _. It has
    SUFFIX                  what its files end in
    SNIPPET                 how to run them, in Python (or in words); {file} and {picture} are filled in
    write(material, path)   writes a network, or raises ModelError for one that it does not take;
                            the files of `companions` are written beside it
and if need be
    companions(path)        what is written beside an export; default: nothing
    second(path)            a second entry of what was written, ready to run, to be proved too
    BOUND                   how far it may be from the original; default: parity.EXACT
    takes(network)          whether it can be made from a network; default: from every one
    load(path)              the written export, ready to run; default: classifiers.load_our_own
To add a format, add such a module.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from digitcli.errors import unknown_name

ALL = "all"


def format_names() -> list[str]:
    """All formats, in alphabetical order. Imports none of them."""
    return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(__path__))


def suffix(format: str) -> str:
    """What files of that format end in; nothing for a folder of all. Raises UsageError for an unknown one."""
    return "" if format == ALL else str(module(format).SUFFIX)


def module(format: str) -> Any:
    """The module of a format. Raises UsageError if there is none of that name."""
    if format not in format_names():
        raise unknown_name("export format", format, [*format_names(), ALL])
    return importlib.import_module(f"{__name__}.{format.replace('-', '_')}")
