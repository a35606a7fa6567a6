"""Pictures to digits: sources in, results out, streamed and in order.

Whatever the number of pictures, a few batches of them are in memory at a time. They are read in other
processes once that is worth starting some; the classifier stays in this one.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digitcli.errors import ImageError
from digitcli.images.decode import open_picture
from digitcli.images.preprocess import to_mnist
from digitcli.sources.source import Source

if TYPE_CHECKING:
    from digitcli.images.segment import Digit

BATCH_SIZE = 64
"""Pictures that are read and classified together, at most."""

BATCH_BYTES = 2**20
"""Bytes of files that are read together, one picture at least: so that photos come one by one."""

LONGEST_WAIT = 0.2
"""Seconds after which a batch is not filled further, for pictures that are found or piped in slowly."""

START_UP = 0.25
"""Seconds that other processes take to start, about. What is read within them is read in this one."""

MOST_PROCESSES = 8

LEAST_SIDE = 480
"""Pixels on a photo's longer side that are enough to find and read one digit."""


class Classifier(Protocol):
    """What is needed of digitcli.classifiers.Classifier."""

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, 28, 28) uint8 to the probabilities of the digits, (n, 10) float32."""


@dataclass(frozen=True)
class Prediction:
    """What was read in one picture.

    path: the picture, as it was named.
    digit: 0-9, or None where there is none to tell.
    confidence: the probability of the likeliest digit, 0-1; None if nothing was classified.
    top: the digits with their probabilities, likeliest first; empty if nothing was classified.
    reason: why `digit` is None although the picture could be read.
    error: why the picture could not be read.
    image: what the network saw, (28, 28) uint8, 0 paper to 255 ink; None if nothing was classified.
    """

    path: str
    digit: int | None = None
    confidence: float | None = None
    top: tuple[tuple[int, float], ...] = ()
    reason: str | None = None
    error: str | None = None
    image: NDArray[np.uint8] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Transcription:
    """All the digits of one picture.

    path: the picture, as it was named.
    text: the digits in reading order, a newline between lines; None where there are none to tell.
    confidence: that all of `text` is right, 0-1: the product of the digits' own; None without digits.
    lines: the digits, from top to bottom and from left to right, also where `text` is not sure enough.
    reason: why `text` is None although the picture could be read.
    error: why the picture could not be read.
    """

    path: str
    text: str | None = None
    confidence: float | None = None
    lines: tuple[tuple[Digit, ...], ...] = ()
    reason: str | None = None
    error: str | None = None


def predict(
    sources: Iterable[Source],
    classifier: Classifier,
    *,
    min_confidence: float = 0.0,
    start_up: float = START_UP,
) -> Generator[Prediction, None, None]:
    """Reads one digit from each picture, and yields the results in the order of the pictures.

    min_confidence: below it, 0-1, the digit is None.
    start_up: seconds of reading after which other processes take over.
    A picture that cannot be read gives a Prediction with its error; one without ink, a reason.
    Raises ImageError if one of the other processes dies.
    """
    for batch, prepared in _prepared(_batches(sources), start_up):
        images = [each for each in prepared if not isinstance(each, Prediction)]
        rows = iter(classifier.probabilities(np.stack(images)) if images else ())
        for source, each in zip(batch, prepared, strict=True):
            if isinstance(each, Prediction):
                yield each
            else:
                yield _decide(source.name, each, next(rows), min_confidence)


def transcribe(
    sources: Iterable[Source], classifier: Classifier, *, min_confidence: float = 0.0
) -> Generator[Transcription, None, None]:
    """Reads every digit of each picture, and yields the results in the order of the pictures.

    min_confidence: below it, 0-1, the text is None.
    A picture that cannot be read gives a Transcription with its error; one without digits, a reason.
    """
    # One by one in this process, since which strokes make a digit is for the classifier to say.
    for source in sources:
        yield _transcribe(source, classifier, min_confidence)


def _transcribe(source: Source, classifier: Classifier, min_confidence: float) -> Transcription:
    from digitcli.images.segment import read_many  # one digit should not pay for its import

    try:
        image = _open(source)  # at its full size, in whose pixels the boxes are
    except ImageError as error:
        return Transcription(source.name, error=str(error))
    lines = tuple(tuple(line) for line in read_many(image, classifier.probabilities))
    if not lines:
        return Transcription(source.name, reason="no digits")
    text = "\n".join("".join(str(digit.digit) for digit in line) for line in lines)
    confidence = math.prod(digit.confidence for line in lines for digit in line)
    if confidence < min_confidence:
        reason = f"not sure enough ({' '.join(text.split())} at {confidence:.2f})"
        return Transcription(source.name, None, confidence, lines, reason)
    return Transcription(source.name, text, confidence, lines)


def prepare(batch: list[Source]) -> list[NDArray[np.uint8] | Prediction]:
    """Each picture as the network wants it, (28, 28) uint8, or why there is nothing to classify."""
    return [_prepare(source) for source in batch]


def _prepare(source: Source) -> NDArray[np.uint8] | Prediction:
    try:
        image = to_mnist(_open(source, LEAST_SIDE))
    except ImageError as error:
        return Prediction(source.name, error=str(error))
    return image if image.any() else Prediction(source.name, reason="no ink")


def _open(source: Source, least_side: int | None = None) -> Image.Image:
    match source.content:
        case ImageError() as error:
            raise error
        case np.ndarray() as pixels:
            return Image.fromarray(pixels)
        case content:
            return open_picture(content, source.name, least_side=least_side)


def _batches(sources: Iterable[Source]) -> Iterator[list[Source]]:
    batch: list[Source] = []
    size = 0
    started = time.monotonic()
    for source in sources:
        if not batch:
            started = time.monotonic()
        batch.append(source)
        size += _size(source)
        waited = time.monotonic() - started
        if len(batch) == BATCH_SIZE or size >= BATCH_BYTES or waited >= LONGEST_WAIT:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _size(source: Source) -> int:
    match source.content:
        case Path() as path:
            try:
                return path.stat().st_size
            except (OSError, ValueError):
                return 0
        case bytes() as content:
            return len(content)
        case _:
            return 0


def _prepared(
    batches: Iterator[list[Source]], start_up: float
) -> Iterator[tuple[list[Source], list[NDArray[np.uint8] | Prediction]]]:
    spent = 0.0
    while spent < start_up:
        batch = next(batches, None)
        if batch is None:
            return
        started = time.perf_counter()
        prepared = prepare(batch)
        spent += time.perf_counter() - started
        yield batch, prepared

    from digitcli.parallel import WorkerDiedError, map_in_order

    try:
        yield from map_in_order(prepare, batches, min(_cores(), MOST_PROCESSES))
    except WorkerDiedError as error:
        names = " to ".join(dict.fromkeys((error.item[0].name, error.item[-1].name)))
        raise ImageError(
            f"The process that was reading {names} was killed, perhaps for want of memory.\n"
            "What comes before is done."
        ) from error


def _cores() -> int:
    # Those that this process may use, which in a container may be fewer than there are.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _decide(
    name: str, image: NDArray[np.uint8], probabilities: NDArray[np.float32], min_confidence: float
) -> Prediction:
    by_digit: list[float] = probabilities.tolist()
    top = tuple(sorted(enumerate(by_digit), key=lambda pair: -pair[1]))
    digit, confidence = top[0]
    if confidence < min_confidence:
        reason = f"not sure enough ({digit} at {confidence:.2f})"
        return Prediction(name, None, confidence, top, reason, image=image)
    return Prediction(name, digit, confidence, top, image=image)
