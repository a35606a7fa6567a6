"""Pictures to digits: sources in, results out, streamed and in order.

Whatever the number of pictures, a few batches of them are in memory at a time. They are read here at first;
once that is worth starting other processes, each of them loads the classifier and reads batches from the
opened file to the result.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digitcli import classifiers
from digitcli.errors import ImageError
from digitcli.images.decode import open_picture
from digitcli.reading.expect import ANY, Expect
from digitcli.reading.likelihood import UNCERTAIN, Probabilities, not_sure_enough
from digitcli.reading.one import One, read_one
from digitcli.reading.prepared import prepared
from digitcli.sources.source import Source
from digitcli.system.limits import DEADLY, SECONDS, OvertimeError, PictureLimits, overtime

if TYPE_CHECKING:
    from digitcli.reading.annotate import Mark
    from digitcli.reading.digit import Digit
    from digitcli.reading.forms import Filled, Form
    from digitcli.reading.numbers import Number
    from digitcli.system.parallel import Death, Workers

Mode = Literal["auto", "single", "many"]
"""How many digits to look for: as many as there seem to be, one, or all."""

BATCH_SIZE = 64
"""Pictures that are read together, at most."""

BATCH_BYTES = 2**18
"""Bytes of files that are read together, one picture at least: so that photos come one by one."""

FIRST_BATCH = 4
"""Pictures that are read together at first, so that results come at once; it doubles up to BATCH_SIZE."""

LONGEST_WAIT = 0.2
"""Seconds after which a batch is not filled further, for pictures that are found or piped in slowly."""

START_UP = 0.25
"""Seconds that other processes take to start, about. What is read within them is read in this one."""

MOST_PROCESSES = 8

MOST_PIXELS = 4_000_000
"""In opened pictures that wait to be classified together, one picture at least."""

LEAST_SIDE = 480
"""Pixels on a photo's longer side that are enough to find and read one digit."""

NO_DIGIT = 0.2
"""If the probabilities of the ten digits sum to less, there is none."""

NO_INK, NONE_FOUND = "no ink", "no digits"
"""Reasons why nothing was read, not even with a low confidence."""


class Classifier(Protocol):
    """What is needed of digitcli.classifiers.Classifier."""

    path: Path
    runtime: str
    views: int

    @property
    def has_learnt(self) -> bool:
        """Whether it knows somebody's own digits."""

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, 28, 28) uint8 to the probabilities of the digits, (n, 10) float32."""


@dataclass(frozen=True)
class Prediction:
    """What was read in one picture.

    path: the picture, as it was named.
    text: the digit, or the digits in reading order, a newline between lines; None if there is none to tell.
    confidence: that all of `text` is right, 0-1: nothing missed, nothing too many, every digit what it says.
        Also told where it is too low for a text. None if nothing was classified.
    probabilities: of the digits 0 to 9, if the picture was read as one.
    lines: the digits, from top to bottom and from left to right, if it was read as several.
    reason: why `text` is None although the picture could be read.
    error: why the picture could not be read.
    full: the text with the signs between its digits, as 3.14; None where there is no text.
    image: what the network saw of one digit, (28, 28) uint8, 0 paper to 255 ink.
    fields: of a form, in its order; there is no text of the whole then.
    """

    path: str
    text: str | None = None
    confidence: float | None = None
    probabilities: tuple[float, ...] = ()
    lines: tuple[tuple[Digit, ...], ...] = ()
    reason: str | None = None
    error: str | None = None
    full: str | None = None
    image: NDArray[np.uint8] | None = field(default=None, compare=False, repr=False)
    fields: tuple[Filled, ...] = ()

    @property
    def digit(self) -> int | None:
        """0-9 if `text` is one digit, else None."""
        return int(self.text) if self.text is not None and len(self.text) == 1 else None

    def likeliest(self, count: int) -> list[tuple[int, float]]:
        """So many digits with their probabilities, likeliest first."""
        return sorted(enumerate(self.probabilities), key=lambda pair: -pair[1])[:count]

    @property
    def has_signs(self) -> bool:
        """Whether more than the digits stands there."""
        return self.full is not None and self.full != self.text

    @property
    def uncertain(self) -> bool:
        """Whether there is a text, or a form's field, but it should be looked at."""
        if self.fields:
            return any(each.uncertain for each in self.fields)
        return self.text is not None and self.confidence is not None and self.confidence < UNCERTAIN


def predict(
    sources: Iterable[Source],
    classifier: Classifier,
    *,
    mode: Mode = "auto",
    min_confidence: float = 0.0,
    annotate: Path | None = None,
    time_limit: float = SECONDS,
    expect: Expect = ANY,
    form: Form | None = None,
    start_up: float = START_UP,
) -> Generator[Prediction, None, None]:
    """Reads the digits of each picture, and yields the results in the order of the pictures.

    min_confidence: below it, 0-1, there is no text; of a form's fields, each for itself.
    annotate: where to put a copy of each picture with what was read drawn on it: a folder; for one picture
        also the file itself. What is there is overwritten.
    time_limit: seconds of computing that one picture may take; how strictly, says digitcli.system.limits.
    expect: what is known of each number; every digit of a picture is then looked for, as in mode "many".
    form: read its fields, each for itself.
    start_up: seconds of reading after which other processes take over.
    A picture that cannot be read gives a Prediction with its error; one without digits, a reason.
    Raises OutputError if a copy cannot be written.
    """
    read = _Reader(mode, min_confidence, annotate, time_limit, expect, form, classifier.has_learnt)
    batches = _batches(sources)
    spent = 0.0
    # TensorFlow takes seconds and half a gigabyte to start, too much for each of several processes.
    while spent < start_up or classifier.runtime != "LiteRT":
        batch = next(batches, None)
        if batch is None:
            return
        if any(source.is_pdf for source in batch) and classifier.runtime == "LiteRT":
            batches = chain([batch], batches)
            break
        started = time.perf_counter()
        results = read(batch, classifier.probabilities)
        spent += time.perf_counter() - started
        yield from results

    from digitcli.system.parallel import Workers, cores

    with Workers(min(cores(), MOST_PROCESSES)) as workers:
        yield from _predict_in(workers, batches, read, classifier.path, classifier.views)


def predict_in(
    workers: Workers,
    sources: Iterable[Source],
    model: Path,
    *,
    views: int = 1,
    mode: Mode = "auto",
    min_confidence: float = 0.0,
    time_limit: float = SECONDS,
    expect: Expect = ANY,
    has_learnt: bool = False,
) -> Generator[Prediction, None, None]:
    """As `predict`, but all is read in processes that are there, and stay.

    model: a file for LiteRT, which each of them loads when it is first needed. has_learnt: whether it is of a
    run that went on from another.
    """
    read = _Reader(mode, min_confidence, None, time_limit, expect, None, has_learnt)
    return _predict_in(workers, _batches(sources), read, model, views)


def _predict_in(
    workers: Workers, batches: Iterable[list[Source]], read: _Reader, model: Path, views: int
) -> Generator[Prediction, None, None]:
    from digitcli.system.parallel import Death

    elsewhere = partial(_read_elsewhere, read, model, views)
    for batch, done in workers.map_in_order(elsewhere, batches):
        if not isinstance(done, Death):
            yield from done
            continue
        # One of them did it. Alone, it does it to itself only.
        for (source,), its in workers.map_in_order(elsewhere, ([source] for source in batch)):
            yield _killed(source, its, read.time_limit) if isinstance(its, Death) else its[0]


@dataclass(frozen=True)
class _Reader:
    """How to read pictures. It goes to the other processes with every batch."""

    mode: Mode
    min_confidence: float
    annotate: Path | None
    time_limit: float
    expect: Expect
    form: Form | None
    has_learnt: bool

    def __call__(
        self, batch: Sequence[Source], probabilities: Probabilities, *, deadly: bool = False
    ) -> list[Prediction]:
        """deadly: end this process if a picture takes too long and nothing else helps."""
        with PictureLimits(self.time_limit, deadly=deadly) as limits:
            if self.form:
                results = [self._fields(source, self.form, probabilities, limits) for source in batch]
            elif self.mode == "many" or self.expect:
                results = [self._several(source, probabilities, limits) for source in batch]
            else:
                results = self._each(batch, probabilities, limits)
            if self.annotate:
                pairs = zip(batch, results, strict=True)
                results = [_annotated(*pair, self.annotate, probabilities, limits) for pair in pairs]
        return results

    def _each(
        self, batch: Sequence[Source], probabilities: Probabilities, limits: PictureLimits
    ) -> list[Prediction]:
        """One digit in each picture, or several where there seem to be."""
        ready = prepared(batch)
        rows = dict(zip(ready, probabilities(np.stack([*ready.values()])), strict=True)) if ready else {}
        groups = self._opened((each for place, each in enumerate(batch) if place not in ready), limits)
        others = (each for group in groups for each in self._singles(group, probabilities, limits))
        return [
            self._single(each.name, ready[place], rows[place]) if place in ready else next(others)
            for place, each in enumerate(batch)
        ]

    def _opened(self, batch: Iterable[Source], limits: PictureLimits) -> Iterator[_Opened]:
        """The pictures, in groups of MOST_PIXELS, or why each cannot be had."""
        group: _Opened = []
        pixels = 0
        for source in batch:
            try:
                with limits.reading(source, source.name):
                    image = opened(source, self.time_limit, LEAST_SIDE)
            except ImageError as error:
                group.append((source, error))
                continue
            group.append((source, image))
            pixels += image.width * image.height
            del image  # or it would be kept until the next one is opened
            if pixels >= MOST_PIXELS:
                yield group
                group, pixels = [], 0
        if group:
            yield group

    def _singles(
        self, group: _Opened, probabilities: Probabilities, limits: PictureLimits
    ) -> Iterator[Prediction]:
        """One digit in each of some pictures, or several where there seem to be."""
        outcomes = [
            (source, self._looked_at_again(source, image, outcome, probabilities, limits))
            for (_, image), (source, outcome) in zip(group, _ones(group, probabilities, limits), strict=True)
        ]
        group.clear()  # frees the pictures, for those with several digits to be opened at their full size
        for source, outcome in outcomes:
            if isinstance(outcome, ImageError):
                yield Prediction(source.name, error=str(outcome))
            elif outcome.clear or self.mode == "single" or (outcome.sure and not outcome.several):
                yield self._single(source.name, outcome.pixels, outcome.probabilities)
            else:
                yield self._several_or(outcome, source, probabilities, limits)

    def _looked_at_again(
        self,
        source: Source,
        image: Image.Image | ImageError,
        one: One | ImageError,
        probabilities: Probabilities,
        limits: PictureLimits,
    ) -> One | ImageError:
        """A picture read as `one`, by all readers where that is not clear."""
        if isinstance(image, ImageError) or isinstance(one, ImageError) or one.certain:
            return one
        from digitcli.reading.again import look_again  # one certain digit should not pay for these imports
        from digitcli.reading.close_up import may_be

        try:
            with limits.reading(source, source.name):
                if one.clear and may_be(one, image):
                    return one
                return look_again(image, one, probabilities, has_learnt=self.has_learnt)
        except ImageError as error:
            return error

    def _several_or(
        self, one: One, source: Source, probabilities: Probabilities, limits: PictureLimits
    ) -> Prediction:
        """The numbers of a picture if these are surer than that it is `one`."""
        from digitcli.reading.again import surer

        try:
            with limits.reading(source, source.name):
                numbers = surer(one, opened(source, self.time_limit), probabilities)
        except ImageError as error:
            return Prediction(source.name, error=str(error))
        if numbers:
            return self._numbers(source.name, numbers)
        return self._single(source.name, one.pixels, one.probabilities)

    def _single(
        self, name: str, pixels: NDArray[np.uint8] | None, row: NDArray[np.float32] | None
    ) -> Prediction:
        """pixels, row: of a `One`."""
        if pixels is None or row is None:
            return Prediction(name, reason=NO_INK)
        probabilities: tuple[float, ...] = tuple(row.tolist())
        confidence = max(probabilities)
        digit = probabilities.index(confidence)
        reason = None
        if sum(probabilities) < NO_DIGIT:
            reason = "no digit"
        elif confidence < self.min_confidence:
            reason = not_sure_enough(str(digit), confidence)
        text = None if reason else str(digit)
        return Prediction(name, text, confidence, probabilities, reason=reason, full=text, image=pixels)

    def _several(self, source: Source, probabilities: Probabilities, limits: PictureLimits) -> Prediction:
        from digitcli.reading.numbers import read_numbers  # one digit should not pay for its import

        try:
            with limits.reading(source, source.name):
                image = opened(source, self.time_limit)  # at its full size, in whose pixels the boxes are
                numbers = read_numbers(image, probabilities, self.expect)
        except ImageError as error:
            return Prediction(source.name, error=str(error))
        return self._numbers(source.name, numbers)

    def _fields(
        self, source: Source, form: Form, probabilities: Probabilities, limits: PictureLimits
    ) -> Prediction:
        from digitcli.reading.forms import read_fields

        try:
            with limits.reading(source, source.name):
                image = opened(source, self.time_limit)
                fields = read_fields(image, form, probabilities, self.min_confidence)
        except ImageError as error:
            return Prediction(source.name, error=str(error))
        if fields is None:
            return Prediction(
                source.name, error=f"{source.name} does not fit the form: it cannot be laid on its blank."
            )
        confidence = math.prod(each.confidence for each in fields)
        return Prediction(source.name, confidence=confidence, fields=fields)

    def _numbers(self, name: str, numbers: Sequence[Number]) -> Prediction:
        if not numbers:
            return Prediction(name, reason=NONE_FOUND)
        text, full = (
            "\n".join(each) for each in zip(*((number.text, number.full) for number in numbers), strict=True)
        )
        confidence = math.prod(number.confidence for number in numbers)
        lines = tuple(number.digits for number in numbers)
        if self.expect and not confidence:
            return Prediction(name, confidence=confidence, lines=lines, reason=f"nothing fits {self.expect}")
        if confidence < self.min_confidence:
            reason = not_sure_enough(text, confidence)
            return Prediction(name, confidence=confidence, lines=lines, reason=reason)
        return Prediction(name, text, confidence, lines=lines, full=full)


_Opened = list[tuple[Source, Image.Image | ImageError]]


def _ones(
    group: _Opened, probabilities: Probabilities, limits: PictureLimits
) -> Iterator[tuple[Source, One | ImageError]]:
    """Each picture of a group read as one digit, or why it cannot be."""
    images = [each for _, each in group if isinstance(each, Image.Image)]
    try:
        with limits.at_most(limits.seconds * max(1, len(images))):
            together = read_one(images, probabilities)
    except (OvertimeError, Exception):  # alone, the one that did it does it to itself only
        yield from (_one(source, each, probabilities, limits) for source, each in group)
        return
    ones = iter(together)
    yield from ((source, each if isinstance(each, ImageError) else next(ones)) for source, each in group)


def _one(
    source: Source, image: Image.Image | ImageError, probabilities: Probabilities, limits: PictureLimits
) -> tuple[Source, One | ImageError]:
    if isinstance(image, ImageError):
        return source, image
    try:
        with limits.reading(source, source.name):
            return source, read_one([image], probabilities)[0]
    except ImageError as error:
        return source, error


def _read_elsewhere(read: _Reader, model: Path, views: int, batch: Sequence[Source]) -> list[Prediction]:
    """What the other processes are asked to do."""
    return read(batch, _loaded(model, views).probabilities, deadly=True)


@cache
def _loaded(model: Path, views: int) -> classifiers.Classifier:
    return classifiers.load_our_own(
        model, threads=1, views=views
    )  # since there are as many processes as cores


def _killed(source: Source, death: Death, time_limit: float) -> Prediction:
    if death.signal == DEADLY:
        return Prediction(source.name, error=overtime(source.name, time_limit))
    error = f"{source.name}: the process that was reading it was killed, perhaps for want of memory."
    return Prediction(source.name, error=error)


def opened(source: Source, seconds: float = SECONDS, least_side: int | None = None) -> Image.Image:
    """The picture of a source, mode L or RGB; seconds, least_side: as for `open_picture`, which see."""
    match source.content:
        case ImageError() as error:
            raise error
        case np.ndarray() as pixels:
            return Image.fromarray(pixels)
        case content if source.is_pdf and source.page is not None:
            from digitcli.images.pdf import drawn

            return drawn(content, source.name, source.page, least_side=least_side, seconds=seconds)
        case content:
            return open_picture(
                content, source.name, page=source.page, least_side=least_side, seconds=seconds
            )


def _annotated(
    source: Source,
    prediction: Prediction,
    where: Path,
    probabilities: Probabilities,
    limits: PictureLimits,
) -> Prediction:
    """The same, once a copy of the picture is written with what was read drawn on it."""
    from digitcli.reading.annotate import place, save_annotated

    if prediction.error:
        return prediction
    try:
        with limits.reading(prediction, source.name):  # which is more work than asked for of others
            image = opened(source, limits.seconds)
            marks = _marks(source, image, prediction, probabilities, limits.seconds)
            save_annotated(image, marks, place(where, source.name))
    except ImageError as error:
        return Prediction(source.name, error=str(error))
    return prediction


def _marks(
    source: Source, image: Image.Image, prediction: Prediction, probabilities: Probabilities, seconds: float
) -> list[Mark]:
    """What to draw on a picture, with boxes in the pixels of `image`."""
    from digitcli.reading.annotate import Mark

    if prediction.lines:
        digits = [digit for line in prediction.lines for digit in line]
        return [Mark(str(digit.digit), digit.box, digit.confidence >= UNCERTAIN) for digit in digits]
    small = opened(source, seconds, LEAST_SIDE)
    box = read_one([small], probabilities)[0].box
    if box is None and prediction.text is None:
        return []
    scale = image.width / small.width
    left, top, width, height = (round(each * scale) for each in box or (0, 0, *small.size))
    sure = prediction.text is not None and not prediction.uncertain
    return [Mark(prediction.text or "?", (left, top, width, height), sure)]


def _batches(sources: Iterable[Source]) -> Iterator[list[Source]]:
    batch: list[Source] = []
    most = FIRST_BATCH
    size = 0
    started = time.monotonic()
    for source in sources:
        if not batch:
            started = time.monotonic()
        batch.append(source)
        size += _size(source)
        waited = time.monotonic() - started
        if len(batch) == most or size >= BATCH_BYTES or waited >= LONGEST_WAIT:
            yield batch
            batch, size = [], 0
            most = min(2 * most, BATCH_SIZE)
    if batch:
        yield batch


def _size(source: Source) -> int:
    match source.content:
        case str() as path:
            try:
                return os.stat(path).st_size
            except (OSError, ValueError):
                return 0
        case bytes() as content:
            return len(content)
        case _:
            return 0
