"""Where inputs are put for readers that want files, and which errors are theirs to raise."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from digitcli.errors import DigitcliError, UsageError

MEMORY_DISK = Path("/dev/shm")


@cache
def folder() -> Path:
    """A folder in memory, where there is such a disk."""
    where = MEMORY_DISK if MEMORY_DISK.is_dir() else None
    _kept.append(tempfile.TemporaryDirectory(prefix="digitcli-fuzz-", dir=where))
    return Path(_kept[-1].name)


_kept: list[tempfile.TemporaryDirectory[str]] = []  # until the process ends


@contextmanager
def expecting_errors() -> Iterator[None]:
    """Lets no error through that users are meant to meet for a file that is not good."""
    try:
        yield
    except UsageError:
        raise
    except DigitcliError as error:
        assert str(error)
        assert str(error).count("\n") < 2
        assert "fault in digitcli" not in str(error)
