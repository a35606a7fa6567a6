"""What the line reader learns from: drawn lines as it will see them, with their texts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from digitcli.data.simulated import known_kinds, opened
from digitcli.detector.drawing import Chunk, of_chunk
from digitcli.reading.strip import grey, strip
from digitcli.simulator import NOT_DIGITS, not_digits, picture
from digitcli.simulator.hands import LETTER, Bank
from digitcli.simulator.lines import ALL, NUMBERS, WORDS, line

OF_PAGES, WITHOUT = 0.15, 0.03
"""Shares of the lines that are cut out of pictures of the simulator's kinds, and of such without a digit."""

TALLEST, LONGEST = 60, 10
"""Height of a digit in pixels, and the number of digits, in these."""

SINGLE = 0.5
"""Share of them that hold one digit; of these, the share with the whole picture, if it fills enough."""

_SINGLE_OF_NUMBERS = 0.15
"""The former where numbers are to be learnt."""

_FILLS = 0.25
"""Of the picture's height."""


@dataclass(frozen=True)
class Example:
    """pixels: (48, width) uint8, as from `strip`. text: of `transcript.SIGNS`."""

    pixels: NDArray[np.uint8]
    text: str


def examples(chunk: Chunk) -> list[Example]:
    """The lines of a chunk."""
    return of_chunk(_example, chunk)


def number_examples(chunk: Chunk) -> list[Example]:
    """Numbers only."""
    return of_chunk(_number, chunk)


def examples_among_words(chunk: Chunk) -> list[Example]:
    """Numbers among words, and words alone, half of the time."""
    return of_chunk(partial(_example, shares=WORDS), chunk)


def _number(rng: np.random.Generator, bank: Bank) -> Example:
    if rng.uniform() < OF_PAGES:
        return _of_page(rng, single=_SINGLE_OF_NUMBERS)
    drawn = line(rng, bank, NUMBERS)
    return Example(strip(drawn.pixels), drawn.text)


def _example(rng: np.random.Generator, bank: Bank, shares: tuple[float, ...] = ALL) -> Example:
    choice = rng.uniform()
    if choice < OF_PAGES:
        return _of_page(rng)
    if choice < OF_PAGES + WITHOUT:
        what = NOT_DIGITS[rng.integers(len(NOT_DIGITS))]
        drawn = not_digits(what, rng, known_kinds(TALLEST), tallest=TALLEST)
        return Example(strip(grey(opened(drawn.image))), LETTER if what in ("letter", "scribble") else "")
    drawn_line = line(rng, bank, shares)
    return Example(strip(drawn_line.pixels), drawn_line.text)


def _of_page(rng: np.random.Generator, single: float = SINGLE) -> Example:
    """A line of a picture, with more or less of what is round it."""
    alone = rng.uniform() < single
    kinds = known_kinds(TALLEST)
    kind = kinds[rng.integers(len(kinds))]
    lines = [
        "".join(map(str, rng.integers(10, size=1 if alone else rng.integers(1, LONGEST + 1))))
        for _ in range(1 if alone or rng.uniform() < 0.7 else 2)
    ]
    touching = rng.uniform(0.1, 0.7) if rng.uniform() < 0.2 else None
    drawn = picture(kind, "\n".join(lines), rng, tallest=TALLEST, touching=touching)
    which = int(rng.integers(len(lines)))
    before = len("".join(lines[:which]))
    boxes = np.array(drawn.boxes[before : before + len(lines[which])], float)
    left, top = boxes[:, :2].min(axis=0)
    right, bottom = (boxes[:, :2] + boxes[:, 2:]).max(axis=0)
    tall = max(float(np.median(boxes[:, 3])), 4.0)
    room = tall * rng.uniform((0.05, 0.05, 0.05, 0.05), (0.7, 0.3, 0.7, 0.3))
    image = opened(drawn.image)
    if alone and rng.uniform() < SINGLE and tall >= _FILLS * image.height:
        return Example(strip(grey(image)), lines[0])
    window = (
        max(0, int(left - room[0])),
        max(0, int(top - room[1])),
        min(image.width, int(np.ceil(right + room[2]))),
        min(image.height, int(np.ceil(bottom + room[3]))),
    )
    return Example(strip(grey(image.crop(window))), lines[which])
