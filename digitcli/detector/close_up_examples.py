"""What the close-up reader learns from: drawn pictures of one digit, of none and of several."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digitcli.convention import CLASSES
from digitcli.data.simulated import known_kinds, opened
from digitcli.detector.drawing import Chunk, of_chunk
from digitcli.reading.close_up import NONE, SEVERAL
from digitcli.reading.edges import continued
from digitcli.reading.strip import grey, strip
from digitcli.simulator import NOT_DIGITS, not_digits, picture
from digitcli.simulator.hands import Bank
from digitcli.simulator.lines import close_up, few

OF_PAGES, WITHOUT, FEW = 0.16, 0.05, 0.1
"""Shares of the examples: digits cut out of pictures of the simulator's kinds, such pictures without a digit,
and numbers. The rest is cut out close."""

TALLEST = 60
"""Height of a digit in pixels."""

BESIDE = 0.4
"""Share of the digits of pages that have others beside them."""

WHOLE = 0.4
"""Share of the digits cut out of a number whose neighbours may be in view as a whole."""

BEYOND, FURTHER = 0.5, 0.2
"""Share of what is cut out close that is given more paper, and how much at most, in its longer sides."""


@dataclass(frozen=True)
class Example:
    """pixels: (48, width) uint8, as from `strip`. label: a digit, NONE or SEVERAL."""

    pixels: NDArray[np.uint8]
    label: int


def examples(chunk: Chunk) -> list[Example]:
    """The examples of a chunk."""
    return of_chunk(_example, chunk)


def _example(rng: np.random.Generator, bank: Bank) -> Example:
    choice = rng.uniform()
    if choice < OF_PAGES:
        return _of_page(rng)
    if choice < OF_PAGES + WITHOUT:
        what = NOT_DIGITS[rng.integers(len(NOT_DIGITS))]
        drawn = not_digits(what, rng, known_kinds(TALLEST), tallest=TALLEST)
        return Example(strip(grey(opened(drawn.image))), NONE)
    line = few(rng, bank) if choice < OF_PAGES + WITHOUT + FEW else close_up(rng, bank, whole=WHOLE)
    image = Image.fromarray(line.pixels)
    if rng.uniform() < BEYOND:
        image = continued(image, round(rng.uniform(0, FURTHER) * max(image.size)))
    return Example(strip(grey(image)), _label([int(sign) for sign in line.text if sign.isdigit()]))


def _label(digits: list[int]) -> int:
    if len(digits) > 1:
        return SEVERAL
    return digits[0] if digits else NONE


def _of_page(rng: np.random.Generator) -> Example:
    """A digit of a picture, with more or less of what is round it."""
    kinds = known_kinds(TALLEST)
    digits = rng.integers(CLASSES, size=rng.integers(2, 5) if rng.uniform() < BESIDE else 1).tolist()
    kind = kinds[rng.integers(len(kinds))]
    drawn = picture(kind, "".join(map(str, digits)), rng, tallest=TALLEST)
    which = int(rng.integers(len(digits)))
    left, top, width, height = drawn.boxes[which]
    room = max(height, width / 2, 4) * rng.uniform(0, 0.15 if len(digits) > 1 else 0.6, 4)
    image = opened(drawn.image)
    window = (
        min(max(0, int(left - room[0])), image.width - 1),
        min(max(0, int(top - room[1])), image.height - 1),
        max(1, min(image.width, int(np.ceil(left + width + room[2])))),
        max(1, min(image.height, int(np.ceil(top + height + room[3])))),
    )
    return Example(strip(grey(image.crop(window))), digits[which])
