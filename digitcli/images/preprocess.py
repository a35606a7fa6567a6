"""Any picture of one digit to 28x28 in MNIST's convention, in all the ways that it can be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digitcli.images import paper
from digitcli.images.geometry import SIDE, centre_by_mass, fit_in_20x20, is_in_mnist_form
from digitcli.images.ink import Box, Ink, box_of, find_ink, largest_group
from digitcli.images.lines import frame_inside, without_lines
from digitcli.images.strokes import even_strokes

_WORKING_SIDE = 800
"""Larger pictures are reduced below this first, which costs no ink; what is found is looked at closer."""

_LEGIBLE = 60
"""Where a digit that was found is smaller than this, in pixels, and the picture was reduced, look closer."""


@dataclass(frozen=True)
class Reading:
    """One way to see a picture.

    name: which. pixels: (28, 28) uint8, 0 paper to 255 ink.
    box: where on the picture that ink is: left, top, width, height in its pixels.
    """

    name: str
    pixels: NDArray[np.uint8]
    box: Box


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
        yield Reading("as it is", finished, _with_size(box_of(finished > 0)))
        return
    seen: list[NDArray[np.uint8]] = []
    for name, ink in inks(image):
        ink = _closer(ink, image)
        digit = ink.only(largest_group(ink))
        pixels = _in_28x28(digit)
        if all(np.abs(pixels.astype(np.int16) - other).mean() > 4 for other in seen):
            seen.append(pixels)
            yield Reading(name, pixels, _with_size(ink.on_picture(box_of(digit.mask))))


def _in_mnist_form(image: Image.Image) -> NDArray[np.uint8] | None:
    grey = np.asarray(image.convert("L"))
    for ink in (grey, 255 - grey):
        if is_in_mnist_form(ink):
            return ink
    return None


def inks(image: Image.Image, depth: int = 0) -> Iterator[tuple[str, Ink]]:
    """The ways to tell ink from paper in a picture, with their names, likeliest first."""
    pixels = _pixels(image)
    factor = image.width / pixels.shape[1]
    if depth < 3 and (box := frame_inside(paper.differs_from_border(pixels))):
        left, top, right, bottom = (round(each * factor) for each in box)
        for name, inner in inks(image.crop((left, top, right, bottom)), depth + 1):
            yield f"inside the frame, {name}", inner.moved(left, top)
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
        ink = find_ink(values, factor)
        if ink is None:
            continue
        cleaned = without_lines(ink.mask)
        if cleaned is not ink.mask:
            yield f"{name}, without lines", ink.only(cleaned)
        yield name, ink
        if strong := find_ink(values, factor, strict=True):
            yield f"{name}, strong ink", strong


def digit_of(ink: Ink) -> NDArray[np.uint8]:
    """The one digit that some ink is, dust aside, in MNIST's form: (28, 28) uint8."""
    return _in_28x28(ink.only(largest_group(ink)))


def _in_28x28(digit: Ink) -> NDArray[np.uint8]:
    left, top, right, bottom = box_of(digit.mask)
    return centre_by_mass(fit_in_20x20(even_strokes(digit.strength[top:bottom, left:right])))


def _with_size(box: Box) -> Box:
    """Left, top, right, bottom as left, top, width, height."""
    left, top, right, bottom = box
    return left, top, right - left, bottom - top


def _closer(ink: Ink, image: Image.Image) -> Ink:
    """The same, from more pixels of the picture where it was reduced and the digit is small."""
    if ink.scale < 2:
        return ink
    left, top, right, bottom = box_of(largest_group(ink))
    if max(right - left, bottom - top) >= _LEGIBLE:
        return ink
    room = max(right - left, bottom - top) // 3 + 2
    height, width = ink.mask.shape
    box = (max(left - room, 0), max(top - room, 0), min(right + room, width), min(bottom + room, height))
    left, top, right, bottom = ink.on_picture(box)
    crop = image.crop((left, top, right, bottom))
    return next((closer.moved(left, top) for _, closer in inks(crop, depth=3)), ink)


def _pixels(image: Image.Image) -> NDArray[np.float32]:
    image = image.reduce(-(-max(image.size) // _WORKING_SIDE))
    pixels = np.asarray(image, dtype=np.float32)
    return pixels[..., None] if pixels.ndim == 2 else pixels
