"""Keeps native libraries from writing to the terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def native_stderr_hidden() -> Iterator[None]:
    """Sends what C++ code writes to file descriptor 2 nowhere; Python errors are raised as ever.

    TensorFlow and LiteRT greet on stderr before any setting of theirs is read.
    """
    try:
        kept = os.dup(2)
    except OSError:  # stderr is closed, so nothing can be written to it
        yield
        return
    sys.stderr.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
