"""Checkpoints: the state of a training on disk, written beside it, and the last good one found again.

A checkpoint is the SHA-256 of what follows, 32 bytes, and then an .npz archive of arrays.
"""

from __future__ import annotations

import hashlib
import io
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from digitcli.system.files import write_durably
from digitcli.training.state import TrainingState, from_arrays, to_arrays

EVERY = 5.0
"""Seconds between two checkpoints, at least: what is lost when a training is killed."""
SHARE = 0.02
"""Of the training's time that checkpoints may cost; where writing takes long, they are fewer."""
KEPT = 2
"""Checkpoints that are kept, so that there is one if the newest is damaged."""
_SUFFIX = ".checkpoint"
_DIGEST = hashlib.sha256().digest_size


class Checkpoints:
    """A context manager that writes checkpoints to a folder, in a thread of its own.

    on_warning: told once, in a sentence, if they cannot be written: the training goes on without.
    """

    def __init__(self, folder: Path, on_warning: Callable[[str], None]) -> None:
        self._folder = folder
        self._on_warning = on_warning
        self._number = max(map(_number, found(folder)), default=0)
        self._thread = ThreadPoolExecutor(1)
        self._due = time.perf_counter() + EVERY

    def __enter__(self) -> Self:
        """Nothing is written before something is offered."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Waits for what is being written."""
        self._thread.shutdown()

    def offer(self, take: Callable[[], TrainingState]) -> None:
        """Writes the state that `take` gives, if a checkpoint is due and none is being written."""
        started = time.perf_counter()
        if started < self._due:
            return
        self._due = math.inf
        state = take()
        self._thread.submit(self._write, state, started, time.perf_counter() - started)

    def _write(self, state: TrainingState, started: float, stalled: float) -> None:
        self._number += 1
        computing = time.thread_time()
        try:
            _write(state, self._folder / f"{self._number:06}{_SUFFIX}")
            for old in sorted(found(self._folder), key=_number)[:-KEPT]:
                old.unlink()
        except OSError as error:  # no further one is due then
            self._on_warning(
                f"{self._folder} cannot be written: {error.strerror or error}. The training goes on; if "
                "it is stopped before its end, it can be resumed from the last checkpoint only."
            )
        else:
            # Waiting for the disk, or for other programs, costs the training nothing.
            cost = stalled + time.thread_time() - computing
            self._due = started + max(EVERY, cost / SHARE)


def newest(folder: Path) -> TrainingState | None:
    """The state in the newest checkpoint that is whole; None if there is none."""
    for path in sorted(found(folder), key=_number, reverse=True):
        try:
            return _read(path)
        except (OSError, KeyError, TypeError, ValueError):
            continue  # damaged: the one before it is as good, only older
    return None


def pack(state: TrainingState) -> bytes:
    """The state as an .npz archive."""
    buffer = io.BytesIO()
    arrays: dict[str, Any] = to_arrays(state)
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def unpack(content: bytes) -> TrainingState:
    """What `pack` was given. Raises KeyError, TypeError or ValueError for anything else."""
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        arrays: dict[str, NDArray[Any]] = dict(archive)
    return from_arrays(arrays)


def _write(state: TrainingState, path: Path) -> None:
    content = pack(state)
    write_durably(path, hashlib.sha256(content).digest(), content)


def _read(path: Path) -> TrainingState:
    content = path.read_bytes()
    if hashlib.sha256(memoryview(content)[_DIGEST:]).digest() != content[:_DIGEST]:
        raise ValueError("its content is not what was written")
    return unpack(content[_DIGEST:])


def found(folder: Path) -> list[Path]:
    """The checkpoints in a folder, whole or not, in no order."""
    return [path for path in folder.glob(f"*{_SUFFIX}") if path.stem.isdigit()]


def _number(path: Path) -> int:
    return int(path.stem)
