"""The line readers: networks that read all that is written in a line, from its grey pixels.

They learnt from different hands, one also from typefaces of handwriting, and so err in different places. A
third one learnt from numbers only, and is heard where there is a number.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digitcli.images.ink import Box
from digitcli.reading.edges import cropped
from digitcli.reading.network import network
from digitcli.reading.strip import grey, leaning, softened, strip
from digitcli.reading.transcript import softmax

MODELS = tuple(
    Path(__file__).parents[1] / "assets" / name for name in ("line-typefaces.tflite", "line.tflite")
)
OF_NUMBERS = (*MODELS, MODELS[0].with_name("line-numbers.tflite"))

_SOFTENED = {OF_NUMBERS[0]: 0.9, OF_NUMBERS[2]: 0.6}
"""Pixels by which a network sees a strip out of focus: so it minds grain and broken strokes less, and errs in
other places than the one that sees it as it is."""

UPRIGHT, LEANING = (0.0,), (0.15, -0.15)
LEANS = UPRIGHT + LEANING
"""Ways to see a line, as for `leaning`; what they say together is right more often, and surer of it."""

STAGES = ((UPRIGHT, MODELS), (UPRIGHT, OF_NUMBERS[len(MODELS) :]), (LEANING, OF_NUMBERS))
"""Ways and networks to read a number with, one after another until it is sure."""


class View(NamedTuple):
    """A part of a picture as the line reader read it.

    window: left, top, right, bottom in pixels. columns: (n, signs + 1), as from `read`.
    """

    window: Box
    columns: NDArray[np.float32]


Strips = Sequence[tuple[Box, NDArray[np.uint8]]]
"""Windows of a picture, and each as from `strip`."""


def strips(image: Image.Image, windows: Iterable[Box]) -> Strips:
    """Windows of a picture, mode L or RGB; one may reach beyond it, where there is paper."""
    return [(window, strip(grey(cropped(image, window)))) for window in windows]


def views(seen: Strips, leans: Sequence[float], models: Sequence[Path]) -> list[View]:
    """Each strip by each network in all ways to see it, `leans` one after another."""
    return [
        View(window, columns)
        for lean in leans
        for window, pixels in seen
        for columns in read_by_each(leaning(pixels, lean), models)
    ]


def glance(image: Image.Image, window: Box) -> View:
    """A window of a picture, upright and by the first network only."""
    return View(window, read(strip(grey(image.crop(window))), MODELS[0]))


def read_by_each(pixels: NDArray[np.uint8], models: Sequence[Path] = MODELS) -> list[NDArray[np.float32]]:
    """What each network reads; pixels: as for `read`."""
    return [read(pixels, model) for model in models]


def read(pixels: NDArray[np.uint8], model: Path) -> NDArray[np.float32]:
    """The probability of each of `transcript.SIGNS` and, last, of none in each column.

    pixels: (HEIGHT, width) uint8, as from `strip`. Returns (width / STEP, signs + 1).
    """
    answer = network(model)(softened(pixels, _SOFTENED.get(model, 0))[..., None])
    return softmax(answer.reshape(-1, answer.shape[-1]))
