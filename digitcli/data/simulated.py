"""Training data out of pictures as people make them: drawn by the simulator, cut out as `predict` does.

What the picture work leaves of a digit, with all its faults, is a digit to be learnt. What it takes for one
by mistake is not: part of a digit, two run together, the ruling, letters and scribbles.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from itertools import islice

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digitcli.convention import CLASSES, NO_DIGIT, SIDE
from digitcli.data.digits import DataSet, Digits
from digitcli.images.boxes import in_box
from digitcli.images.decode import open_picture
from digitcli.images.preprocess import readings
from digitcli.reading.edges import continued
from digitcli.reading.find import find
from digitcli.simulator import HELD_OUT, KINDS, NOT_DIGITS, mixed, not_digits, picture
from digitcli.simulator.hands import LETTER
from digitcli.simulator.lines import close_up
from digitcli.system.parallel import every
from digitcli.system.progress import Progress

Example = tuple[NDArray[np.uint8], int]
"""(28, 28) with its label, a digit or NO_DIGIT."""
Box = tuple[int, int, int, int]
"""Left, top, width, height."""
Seen = tuple[NDArray[np.uint8], Box]
"""(28, 28), with where that is in the picture."""

PICTURES = 48_000
"""Of the training set; they give some three times as many examples."""

CLOSE = 0.6
"""Share of the pictures that are cut out round one digit or sign, and half of those with more paper."""

_BEYOND = 0.2
"""That paper, in the picture's longer sides."""

WITHOUT, SINGLE, MIXED = 0.2, 0.45, 0.06
"""Shares of the pictures: without a digit, with one digit, with letters or signs before the digits of a
number. The rest are numbers."""

LONGEST = 6
"""Digits of a number."""

CHUNK = 50
"""Pictures that one process draws at a time."""

READINGS = 3
"""Ways to see a picture that are learnt from."""

FOUND = 8
"""Boxes that the detector found in a picture that are learnt from."""

LOOKS = 2
"""Ways to see what is in a box that are learnt from."""

WRONG_BOXES = 2
"""Boxes between two digits of a number that are learnt from."""

RIGHT, WRONG = 0.75, 0.5
"""A box that overlaps the digit's so much (intersection over union) shows it; one with less does not."""

_TALLEST = 180
"""Height of a digit in pixels: larger ones take long to draw, and look the same when they are reduced."""


def dataset(
    seed: int = 0, pictures: int = PICTURES, on_progress: Progress = lambda done, total: None
) -> DataSet:
    """Digits and other things cut out of `pictures` simulated pictures; the same for the same seed.

    Kinds of pictures that are held out for measuring are not among them. There is no test part.
    Raises DataError if a process that draws is killed.
    """
    starts = range(0, pictures, CHUNK)
    chunks = [(seed, start, min(start + CHUNK, pictures)) for start in starts]
    images, labels = [], []
    for (_, _, end), drawn in every(examples, chunks):
        images.append(drawn[0])
        labels.append(drawn[1])
        on_progress(end, pictures)
    pixels, label = np.concatenate(images), np.concatenate(labels)
    name = f"{pictures} simulated pictures from seed {seed}"
    is_digit = label != NO_DIGIT
    return DataSet(Digits(pixels[is_digit], label[is_digit], name), None, name, others=pixels[~is_digit])


def examples(chunk: tuple[int, int, int]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """What is learnt from some pictures: (n, 28, 28) and (n,) labels. chunk: a seed, first and end number."""
    seed, start, end = chunk
    pairs = [
        pair for index in range(start, end) for pair in _of_picture(np.random.default_rng([seed, index]))
    ]
    images = np.array([image for image, _ in pairs], np.uint8).reshape(-1, SIDE, SIDE)
    return images, np.array([label for _, label in pairs], np.uint8)


def _of_picture(rng: np.random.Generator) -> Iterator[Example]:
    return _of_close_up(rng) if rng.uniform() < CLOSE else _of_page(rng)


def _of_close_up(rng: np.random.Generator) -> Iterator[Example]:
    drawn = close_up(rng)
    digits = [int(sign) for sign in drawn.text if sign in "0123456789"]
    image, (left, top, width, height) = Image.fromarray(drawn.pixels), drawn.box
    if rng.uniform() < 0.5:
        room = round(_BEYOND * max(image.size))
        image, left, top = continued(image, room), left + room, top + room
    of_ink = [left, top, width, height]
    wholes = [(reading.pixels, reading.box) for reading in islice(readings(image), READINGS)]
    for pixels, box in [*wholes, *_in_boxes(image, find(image).boxes[:READINGS])]:
        if drawn.text != LETTER or _overlap(box, of_ink) >= RIGHT:  # a part of a word may be an O or an I
            yield from _labelled(pixels, box, digits, [of_ink] if digits else [])


def _of_page(rng: np.random.Generator) -> Iterator[Example]:
    kinds = known_kinds(_TALLEST)
    kind = kinds[rng.integers(len(kinds))]
    choice = rng.uniform()
    digits: list[int] = []
    if choice < WITHOUT:
        drawn = not_digits(NOT_DIGITS[rng.integers(len(NOT_DIGITS))], rng, kinds, tallest=_TALLEST)
    else:
        several = int(rng.integers(2, LONGEST + 1))
        digits = rng.integers(CLASSES, size=1 if choice < WITHOUT + SINGLE else several).tolist()
        draw = mixed if choice > 1 - MIXED else picture
        drawn = draw(kind, "".join(map(str, digits)), rng, tallest=_TALLEST)
    image = opened(drawn.image)
    wholes: list[Seen] = []
    between: list[NDArray[np.float32]] = []
    if len(digits) <= 1:
        wholes = [(reading.pixels, reading.box) for reading in islice(readings(image), READINGS)]
    else:
        between = [_between(drawn.boxes, rng) for _ in range(WRONG_BOXES)]
    for pixels, box in [*wholes, *_in_boxes(image, [*find(image).boxes[:FOUND], *between])]:
        yield from _labelled(pixels, box, digits, drawn.boxes)


def known_kinds(tallest: float) -> list[str]:
    """The kinds of pictures that may be learnt from, with digits of so many pixels."""
    return [name for name, kind in KINDS.items() if name not in HELD_OUT and kind.height[0] <= tallest]


def _in_boxes(image: Image.Image, boxes: Iterable[NDArray[np.float32]]) -> Iterator[Seen]:
    for box in boxes:
        for pixels, (left, top, right, bottom) in islice(in_box(image, box), LOOKS):
            yield pixels, (left, top, right - left, bottom - top)


def _between(boxes: list[list[int]], rng: np.random.Generator) -> NDArray[np.float32]:
    """Left, top, right, bottom of what holds about half of a digit and, it may be, half of the next one."""
    left, top, width, height = boxes[rng.integers(len(boxes))]
    aside = width * rng.uniform(0.4, 0.7) * rng.choice([-1, 1])
    return np.array([left + aside, top, left + aside + width, top + height], np.float32)


def _labelled(
    pixels: NDArray[np.uint8], box: Box, digits: list[int], boxes: list[list[int]]
) -> Iterator[Example]:
    """The example, if it is clear what it shows."""
    overlaps = [_overlap(box, other) for other in boxes]
    most = max(overlaps, default=0.0)
    if most >= RIGHT:
        yield pixels, digits[overlaps.index(most)]
    elif most < WRONG and not _may_be_a_one(pixels):
        yield pixels, NO_DIGIT


def _may_be_a_one(pixels: NDArray[np.uint8]) -> bool:
    """Whether it is a single straight stroke, more upright than level, of whatever that was a part."""
    moments = cv2.moments(pixels)
    along, across = moments["mu02"], moments["mu20"]
    both = np.array([(across, moments["mu11"]), (moments["mu11"], along)])
    narrow, long = np.linalg.eigvalsh(both)
    return bool(along > across and narrow < 0.06 * long)


def _overlap(a: Box, b: list[int]) -> float:
    """Intersection over union of two boxes."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    return shared / max(a[2] * a[3] + b[2] * b[3] - shared, 1)


def opened(image: Image.Image) -> Image.Image:
    """A drawn picture as `predict` sees it once it is saved: without transparency."""
    if image.mode == "RGB":
        return image
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=0)
    return open_picture(file.getvalue(), "simulated.png")
