"""Any picture of one digit to 28x28 in MNIST's convention, in all the ways that it can be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digitcli.images import paper
from digitcli.images.geometry import SIDE, centre_by_mass, fit_in_20x20, is_in_mnist_form
from digitcli.images.ink import Ink, box_of, find_ink, largest_group
from digitcli.images.lines import frame_inside, without_lines
from digitcli.images.strokes import even_strokes

_WORKING_SIDE = 800
"""Larger pictures are reduced below this first, which costs no ink; what is found is looked at closer."""

_LEGIBLE = 60
"""Where a digit that was found is smaller than this, in pixels, and the picture was reduced, look closer."""


@dataclass(frozen=True)
class Reading:
    """One way to see a picture: `name` says which, `pixels` is (28, 28) uint8, 0 paper to 255 ink."""

    name: str
    pixels: NDArray[np.uint8]


def to_mnist(image: Image.Image) -> NDArray[np.uint8]:
    """A picture of one digit as MNIST would show it; all zero if it holds no ink.

    image: mode L or RGB, of any size.
    Returns (28, 28) uint8, 0 paper to 255 ink: the likeliest of the `readings`. What is in MNIST's form
    already comes back unchanged, and its negative as the positive.
    """
    return next((reading.pixels for reading in readings(image)), np.zeros((SIDE, SIDE), np.uint8))


def readings(image: Image.Image) -> Iterator[Reading]:
    """The ways to see a picture of one digit, likeliest first; none if it holds no ink.

    They are worked out as they are asked for: most pictures are read well by the first.
    """
    if image.size == (SIDE, SIDE) and (finished := _in_mnist_form(image)) is not None:
        yield Reading("as it is", finished)
        return
    seen: list[NDArray[np.uint8]] = []
    for name, ink in _inks(image):
        pixels = _digit(ink)
        if all(np.abs(pixels.astype(np.int16) - other).mean() > 4 for other in seen):
            seen.append(pixels)
            yield Reading(name, pixels)


def _in_mnist_form(image: Image.Image) -> NDArray[np.uint8] | None:
    grey = np.asarray(image.convert("L"))
    for ink in (grey, 255 - grey):
        if is_in_mnist_form(ink):
            return ink
    return None


def _inks(image: Image.Image, depth: int = 0) -> Iterator[tuple[str, Ink]]:
    pixels = _pixels(image)
    factor = image.width / pixels.shape[1]
    if depth < 3 and (box := frame_inside(paper.differs_from_border(pixels))):
        for name, inner in _inks(_cropped(image, box, factor), depth + 1):
            yield f"inside the frame, {name}", inner
    flat = paper.contrast_to_border(pixels)
    uneven = paper.is_uneven(pixels, flat)
    dark = paper.ink_is_dark(pixels)
    contrasts: list[tuple[str, Callable[[], NDArray[np.float32]]]] = [
        ("even light", lambda: flat),
        ("uneven light", lambda: paper.contrast_to_surroundings(pixels, dark=dark)),
        ("even light, inverted", lambda: -flat),
        ("uneven light, inverted", lambda: paper.contrast_to_surroundings(pixels, dark=not dark)),
    ]
    order = (1, 0, 3) if uneven else (0, 1, 2)
    for name, contrast in (contrasts[index] for index in order):
        values = contrast()
        ink = find_ink(values)
        if ink is None:
            continue
        cleaned = without_lines(ink.mask)
        if cleaned is not ink.mask:
            yield f"{name}, without lines", _closer(ink.only(cleaned), image, factor)
        yield name, _closer(ink, image, factor)
        if strong := find_ink(values, strict=True):
            yield f"{name}, strong ink", strong


def _closer(ink: Ink, image: Image.Image, factor: float) -> Ink:
    """The same, from more pixels of the picture where it was reduced by `factor` and the digit is small."""
    if factor < 2:
        return ink
    box = box_of(largest_group(ink))
    side = max(box[2] - box[0], box[3] - box[1])
    if side >= _LEGIBLE:
        return ink
    room = side // 3 + 2
    wider = (box[0] - room, box[1] - room, box[2] + room, box[3] + room)
    height, width = ink.mask.shape
    inside = (max(wider[0], 0), max(wider[1], 0), min(wider[2], width), min(wider[3], height))
    return next((closer for _, closer in _inks(_cropped(image, inside, factor), depth=3)), ink)


def _cropped(image: Image.Image, box: tuple[int, int, int, int], factor: float) -> Image.Image:
    left, top, right, bottom = (round(each * factor) for each in box)
    return image.crop((left, top, min(right, image.width), min(bottom, image.height)))


def _pixels(image: Image.Image) -> NDArray[np.float32]:
    image = image.reduce(-(-max(image.size) // _WORKING_SIDE))
    pixels = np.asarray(image, dtype=np.float32)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _digit(ink: Ink) -> NDArray[np.uint8]:
    mask = largest_group(ink)
    left, top, right, bottom = box_of(mask)
    digit = ink.only(mask).strength[top:bottom, left:right]
    return centre_by_mass(fit_in_20x20(even_strokes(digit)))


def choose(probabilities: NDArray[np.float32]) -> int:
    """Which of a picture's readings to believe: (n, 10) probabilities, in the order of `readings`.

    The first, unless the model is in doubt about it and much surer of another.
    """
    sure = probabilities.max(axis=1)
    best = int(sure.argmax())
    return best if sure[0] < 0.5 and sure[best] > 0.95 else 0
