"""Where a training stands, exactly: what a checkpoint holds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitcli.runs.history import EpochReport

Arrays = tuple[NDArray[Any], ...]
_ABOUT = "about"


@dataclass(frozen=True)
class MemberState:
    """Where one network stands between two steps of its training.

    variables: weights, states of random generators, optimizer and averaged weights, in the trainer's order.
    steps: of the optimizer that are done.
    loss, correct: sums over the images that the epoch under way has seen.
    progress: the share of the training, 0-1, that was done when that epoch began.
    seconds, epoch_seconds: that the training and that epoch have taken.
    history: the finished epochs.
    best_epoch, best_weights: what patience would go back to; without patience the last epoch, and none.
    """

    variables: Arrays
    steps: int
    loss: float
    correct: float
    progress: float
    seconds: float
    epoch_seconds: float
    history: tuple[EpochReport, ...]
    best_epoch: int
    best_weights: Arrays


@dataclass(frozen=True)
class TrainingState:
    """Where a training of one or several networks stands.

    members: the weights of each network that is finished; history: all of their epochs.
    current: the network after them.
    """

    members: tuple[Arrays, ...]
    history: tuple[EpochReport, ...]
    current: MemberState


def to_arrays(state: TrainingState) -> dict[str, NDArray[Any]]:
    """The state as named arrays; what is no array stands as JSON in one of bytes."""
    current = asdict(state.current)
    named = {"variables": current.pop("variables"), "best": current.pop("best_weights")}
    named |= {f"member-{number}": weights for number, weights in enumerate(state.members, 1)}
    about = {
        "current": current,
        "history": [asdict(epoch) for epoch in state.history],
        "counts": {name: len(arrays) for name, arrays in named.items()},
    }
    text = json.dumps(about).encode()
    arrays = {f"{name}/{n}": array for name, some in named.items() for n, array in enumerate(some)}
    return {_ABOUT: np.frombuffer(text, np.uint8), **arrays}


def from_arrays(arrays: Mapping[str, NDArray[Any]]) -> TrainingState:
    """What `to_arrays` was given. Raises KeyError, TypeError or ValueError for anything else."""
    about = json.loads(arrays[_ABOUT].tobytes())
    named = {
        name: tuple(arrays[f"{name}/{n}"] for n in range(count)) for name, count in about["counts"].items()
    }
    current = {**about["current"], "history": _history(about["current"]["history"])}
    return TrainingState(
        tuple(named[f"member-{number}"] for number in range(1, len(named) - 1)),
        _history(about["history"]),
        MemberState(**current, variables=named["variables"], best_weights=named["best"]),
    )


def _history(epochs: Sequence[Mapping[str, Any]]) -> tuple[EpochReport, ...]:
    return tuple(EpochReport(**epoch) for epoch in epochs)
