"""Everything that can go wrong in a way we foresaw.

    DigitcliError           exit code 1
    ├── DataError           a data set is absent, damaged or not one
    ├── ImageError          a picture cannot be read
    ├── ModelError          a model or run cannot be read or does not fit
    ├── OutputError         a result cannot be written
    ├── MissingExtraError   an optional package is not installed
    └── UsageError          exit code 2: the command was called wrongly

A message is one or two lines: what went wrong, in which file, what to do.
`cli` is the one place that turns these into lines and exit codes.
"""

from __future__ import annotations

from collections.abc import Iterable


class DigitcliError(Exception):
    """Base of all errors that users meet; prints as its message, without a traceback."""

    exit_code = 1


class DataError(DigitcliError):
    """A data set is absent, damaged, or not a data set."""


class ImageError(DigitcliError):
    """A picture cannot be read."""


class ModelError(DigitcliError):
    """A model file or run directory cannot be read or has the wrong shape."""


class OutputError(DigitcliError):
    """A result cannot be written, or would overwrite something."""


class ClusterError(DigitcliError):
    """Processes that should train together cannot, or one of them has stopped."""


class MissingExtraError(DigitcliError):
    """A package that this command needs is not installed."""

    def __init__(self, what: str, install: str) -> None:
        super().__init__(f"{what} is not installed. Install it with: pip install '{install}'")


class UsageError(DigitcliError):
    """The command or function was called with arguments that make no sense."""

    exit_code = 2


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, with a message that says how to go on."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """The error for a name that is not in a list, with the nearest name or else the whole list."""
    import difflib  # only errors should cost its import

    names = list(known)
    near = difflib.get_close_matches(name.lower(), names, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"Choose one of: {', '.join(names)}."
    return UsageError(f"There is no {kind} called '{name}'. {hint}")


def kind_of(error: DigitcliError) -> str:
    """The name of an error's kind, as the JSON documents have it: of its nearest class in this module."""
    return next(each.__name__ for each in type(error).__mro__ if each.__module__ == __name__)


def reason(error: Exception) -> str:
    """What a library says went wrong, on one line and without its full stop."""
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
