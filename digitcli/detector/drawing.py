"""Examples, drawn in chunks on all cores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from digitcli.data.digits import Digits
from digitcli.simulator.hands import Bank
from digitcli.system.parallel import every
from digitcli.system.progress import Progress

Example = TypeVar("Example")

Chunk = tuple[int, int, int, NDArray[np.uint8], NDArray[np.uint8]]
"""A seed, the numbers of the first example and of the one after the last, and some real digits for them."""


def drawn(
    draw: Callable[[Chunk], list[Example]],
    real: Digits,
    seed: int,
    count: int,
    chunk: tuple[int, int],
    on_progress: Progress,
) -> list[Example]:
    """`count` examples. chunk: how many one process draws at a time, and of how many real digits.

    Raises DataError if a process that draws is killed.
    """
    examples: list[Example] = []
    for _, some in every(draw, _chunks(real, seed, count, *chunk)):
        examples += some
        on_progress(len(examples), count)
    return examples


def of_chunk(draw: Callable[[np.random.Generator, Bank], Example], chunk: Chunk) -> list[Example]:
    """The examples of a chunk, each the same however they are divided."""
    seed, start, end, images, labels = chunk
    bank = Bank(images, labels)
    return [draw(np.random.default_rng([seed, index]), bank) for index in range(start, end)]


def _chunks(real: Digits, seed: int, count: int, size: int, digits: int) -> Iterator[Chunk]:
    rng = np.random.default_rng(seed)
    for start in range(0, count, size):
        some = rng.integers(len(real), size=digits)
        yield seed, start, min(start + size, count), real.images[some], real.labels[some]
