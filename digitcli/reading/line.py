"""The line readers: networks that read all that is written in a line, from its grey pixels.

They learnt from different hands, one also from typefaces of handwriting, one from words in print, and so err
in different places. A third one learnt from numbers only, and is heard where there is a number.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digitcli.images.ink import Box
from digitcli.reading.edges import cropped
from digitcli.reading.network import network
from digitcli.reading.strip import grey, leaning, softened, strip
from digitcli.reading.transcript import SIGNS, greedy, likeliest, of_digits, softmax

MODELS = tuple(
    Path(__file__).parents[1] / "assets" / name for name in ("line-typefaces.tflite", "line-words.tflite")
)
KNOWS_WORDS = MODELS[1]
OF_NUMBERS = (*MODELS, MODELS[0].with_name("line-numbers.tflite"))

_SOFTENED = {MODELS[0]: 0.9, KNOWS_WORDS: 0.9, OF_NUMBERS[2]: 0.6}
"""Pixels by which a network sees a strip out of focus: so it minds grain and broken strokes less."""

UPRIGHT, LEANING = (0.0,), (0.15, -0.15)
LEANS = UPRIGHT + LEANING
"""Ways to see a line, as for `leaning`; what they say together is right more often, and surer of it."""

STAGES = ((UPRIGHT, MODELS), (UPRIGHT, OF_NUMBERS[len(MODELS) :]), (LEANING, OF_NUMBERS))
"""Ways and networks to read a number with, one after another until it is sure."""


_RARE, _NONE = 0.2, 0.4
"""Weight of signs other than those of amounts, and of there being none: the line readers learnt from more of
both than stands in the world's numbers, and so leave out digits that look like a letter or a sign."""

_WEIGHTS = np.array([1.0 if sign in "0123456789.,'-:=" else _RARE for sign in SIGNS] + [_NONE], np.float32)

_OF_SUMS = [SIGNS.index(sign) for sign in "+×÷/()*"]
_IN_SUMS = _WEIGHTS.copy()
_IN_SUMS[_OF_SUMS] = 1.0
"""The same where several sorts of these are seen with more than _SEEN: in a sum they are not rare."""

_SEEN = 0.5

_FOLLOWED = 8
"""Texts of each view that are considered."""


@dataclass(frozen=True, eq=False)
class View:
    """A part of a picture as a line reader read it.

    window: left, top, right, bottom in pixels. columns: (n, signs + 1), as from `read`.
    """

    window: Box
    columns: NDArray[np.float32]

    def across(self, column: float) -> float:
        """Where a column of the answer is on the picture, in its pixels."""
        left, _, right, _ = self.window
        return left + column / len(self.columns) * (right - left)

    @cached_property
    def written(self) -> str:
        """What stands there most likely, with its signs."""
        return greedy(self.columns)

    @cached_property
    def digits(self) -> NDArray[np.float32]:
        """(n, 11): of a number's digits, and of none."""
        is_sum = np.count_nonzero(self.columns[:, _OF_SUMS].max(axis=0) > _SEEN) > 1
        weighed = self.columns * (_IN_SUMS if is_sum else _WEIGHTS)
        return of_digits(weighed / weighed.sum(axis=1, keepdims=True))

    @cached_property
    def texts(self) -> list[str]:
        """Of digits, the likeliest first."""
        return list(likeliest(self.digits))[:_FOLLOWED]


class Looks:
    """What the line readers see of a picture, mode L or RGB; no look is taken twice."""

    def __init__(self, image: Image.Image) -> None:
        self.image = image
        self._strips: dict[tuple[Box, float], NDArray[np.uint8]] = {}
        self._views: dict[tuple[Box, float, Path], View] = {}

    def views(self, windows: Iterable[Box], leans: Sequence[float], models: Sequence[Path]) -> list[View]:
        """Windows of the picture by each network, in all ways to see them.

        A window may reach beyond the picture, where there is paper.
        """
        return [self._view(window, lean, model) for window in windows for lean in leans for model in models]

    def _view(self, window: Box, lean: float, model: Path) -> View:
        look = window, lean, model
        if look not in self._views:
            self._views[look] = View(window, read(self.strip(window, lean), model))
        return self._views[look]

    def strip(self, window: Box, lean: float = 0.0) -> NDArray[np.uint8]:
        """A window as the readers see it: (HEIGHT, width) uint8, 0 paper to 255 ink."""
        way = window, lean
        if way not in self._strips:
            self._strips[way] = (
                leaning(self.strip(window), lean) if lean else strip(grey(cropped(self.image, window)))
            )
        return self._strips[way]


def read_by_each(pixels: NDArray[np.uint8], models: Sequence[Path] = MODELS) -> list[NDArray[np.float32]]:
    """What each network reads; pixels: as for `read`."""
    return [read(pixels, model) for model in models]


def read(pixels: NDArray[np.uint8], model: Path) -> NDArray[np.float32]:
    """The probability of each of `transcript.SIGNS` and, last, of none in each column.

    pixels: (HEIGHT, width) uint8, as from `strip`. Returns (width / STEP, signs + 1).
    """
    answer = network(model)(softened(pixels, _SOFTENED.get(model, 0))[..., None])
    return softmax(answer.reshape(-1, answer.shape[-1]))
