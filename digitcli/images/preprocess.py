"""Any picture of one digit to 28x28 in MNIST's convention, in all the ways that it can be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

from digitcli.convention import SIDE
from digitcli.images import paper
from digitcli.images.geometry import BOX, centre_by_mass, fit_in_20x20, is_in_mnist_form
from digitcli.images.ink import Box, Ink, box_of, find_ink, grown, largest_group, runs_over_edge
from digitcli.images.lines import frame_inside, without_lines
from digitcli.images.paper import Light
from digitcli.images.plates import find_plate, is_cut_out
from digitcli.images.rings import inside_ring
from digitcli.images.strokes import even_strokes, stroke_width

WORKING_SIDE = 256
"""Larger pictures are reduced below this to find one digit; what is found is looked at closer."""

_LEGIBLE = 60
"""Where a digit that was found is smaller than this, in pixels, and the picture was reduced, look closer."""

_DEEPEST = 3
"""Frames within frames."""

_PALEST_EDGE = 0.03
"""Strength of what still belongs to a digit that has MNIST's size, 20 pixels, already."""

_IN_RING = "inside the ring"
"""Part of the name of what was seen so."""

_HAIR = 1.25
"""Pixels; in 20x20 hardly any stroke of MNIST is thinner, and those drawn one pixel wide are."""


@dataclass(frozen=True)
class Reading:
    """One way to see a picture.

    name: which. pixels: (28, 28) uint8, 0 paper to 255 ink.
    box: where on the picture that ink is: left, top, width, height in its pixels.
    ink: all that was found on the picture, other digits too; None if the picture was taken as it is.
    badge: of a digit cut out of a plate, all ink of the picture, the plate with what is beside it.
    """

    name: str
    pixels: NDArray[np.uint8]
    box: Box
    ink: Ink | None = field(default=None, compare=False, repr=False)
    badge: Ink | None = field(default=None, compare=False, repr=False)

    @property
    def in_ring(self) -> bool:
        """Whether a ring round the digit was taken away."""
        return _IN_RING in self.name


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
    own = _own_pixels(image)
    if own is not None and (finished := _in_mnist_form(own)) is not None:
        times = image.width // SIDE
        left, top, width, height = (times * each for each in cv2.boundingRect(finished))
        yield Reading("as it is", finished, (left, top, width, height))
        return
    seen: list[NDArray[np.uint8]] = []
    for look, digit in _likeliest_first(image):
        ink = _closer(look, digit, image)
        pixels = in_28x28(ink)
        if is_new(pixels, seen):
            seen.append(pixels)
            box = _with_size(ink.on_picture(box_of(ink.mask)))
            yield Reading(look.name, pixels, box, look.ink, look.badge)


def _likeliest_first(image: Image.Image) -> Iterator[tuple[_Look, NDArray[np.bool_]]]:
    """The looks at a picture with the mask of the digit in each."""
    doubtful = []
    for look in _looks(image, WORKING_SIDE):
        digit = largest_group(look.ink)
        if runs_over_edge(digit):
            doubtful.append((look, digit))
        else:
            yield look, digit
    yield from doubtful


def _own_pixels(image: Image.Image) -> Image.Image | None:
    """A picture of 28x28 that may have been enlarged, each pixel to a square; None if it is another one."""
    if image.width != image.height or image.width % SIDE:
        return None
    if image.width == SIDE:
        return image
    small = image.resize((SIDE, SIDE), Image.Resampling.NEAREST)
    squares = small.resize(image.size, Image.Resampling.NEAREST)
    return None if ImageChops.difference(image, squares).getbbox() else small


def _in_mnist_form(image: Image.Image) -> NDArray[np.uint8] | None:
    grey = np.asarray(image if image.mode == "L" else image.convert("L"))
    if is_in_mnist_form(grey):
        return grey
    negative = 255 - grey
    return negative if is_in_mnist_form(negative) else None


def inks(image: Image.Image, side: int = 800) -> Iterator[tuple[str, Ink]]:
    """The ways to tell ink from paper in a picture, with their names, likeliest first.

    image: mode L or RGB. side: pixels; a picture with a longer side is reduced below it first.
    """
    for look in _looks(image, side):
        yield look.name, look.ink


@dataclass(frozen=True)
class _Look:
    """Ink, and how it was told from paper, to do so again on more pixels.

    light: of the `field`, which is left, top, right, bottom on the picture.
    strict: as for `find_ink`. badge: as of a `Reading`.
    """

    name: str
    ink: Ink
    light: Light
    field: Box
    strict: bool = False
    badge: Ink | None = None

    def inside(self, what: str, left: int, top: int) -> _Look:
        """The same in a larger picture, in which this one began at left, top."""
        field = (self.field[0] + left, self.field[1] + top, self.field[2] + left, self.field[3] + top)
        return replace(self, name=f"inside {what}, {self.name}", ink=self.ink.moved(left, top), field=field)


def _looks(image: Image.Image, side: int, depth: int = 0) -> Iterator[_Look]:
    pixels, factor = _pixels(image, side)
    stands_out = paper.differs_from_border(pixels) if depth < _DEEPEST else None
    if stands_out is not None and (box := frame_inside(stands_out)):
        left, top, right, bottom = (round(each * factor) for each in box)
        for look in _looks(image.crop((left, top, right, bottom)), side, depth + 1):
            yield look.inside("the frame", left, top)
    flat = paper.even_light(pixels)
    flat_contrast = flat.contrast(pixels)
    uneven = paper.is_uneven(flat_contrast)
    lights: list[tuple[str, Callable[[], Light]]] = [
        ("even light", lambda: flat),
        ("uneven light", lambda: paper.uneven_light(pixels)),
        ("even light, inverted", flat.inverted),
        ("uneven light, inverted", lambda: paper.uneven_light(pixels, inverted=True)),
    ]
    order = (1, 0, 3) if uneven else (0, 1, 2)
    field = (0, 0, image.width, image.height)
    for place, (name, estimate) in enumerate(lights[index] for index in order):
        light = estimate()
        contrast = light.contrast(pixels)
        ink = find_ink(contrast, factor)
        plate = find_plate(stands_out) if place == 0 and stands_out is not None else None
        if ink is not None and plate is not None and _is_badge(plate, ink):
            for look in _on_plate(image, pixels, plate, side, factor):
                yield replace(look, badge=ink)
            return
        if ink is not None:
            yield from _of_ink(name, ink, light, field)
            if strong := find_ink(contrast, factor, strict=True):
                yield _Look(f"{name}, strong ink", strong, light, field, strict=True)
        if plate is not None:
            yield from _on_plate(image, pixels, plate, side, factor)


def _is_badge(plate: NDArray[np.bool_], ink: Ink) -> bool:
    """Whether the ink is a plate, as from `find_plate`, that something is cut out of."""
    left, top, right, bottom = box_of(plate)
    hole = (plate & ~ink.mask)[top:bottom, left:right]
    return bool(ink.mask[plate].mean() > 0.5) and is_cut_out(hole)


def _on_plate(
    image: Image.Image, pixels: NDArray[np.uint8], plate: NDArray[np.bool_], side: int, factor: float
) -> Iterator[_Look]:
    """What stands on a plate, as from `find_plate`. pixels, factor: of the picture, as from `_pixels`."""
    left, top, right, bottom = (round(each * factor) for each in box_of(plate))
    part = image.crop((left, top, right, bottom))
    _paint_around(part, pixels, plate)
    for look in _looks(part, side, _DEEPEST):
        yield look.inside("the plate", left, top)


def _of_ink(name: str, ink: Ink, light: Light, field: Box) -> Iterator[_Look]:
    """With and without what is no part of the digit."""
    cleaned = without_lines(ink.mask)
    ringed = inside_ring(cleaned)
    # What touches its ring may also be all of a digit, such as a 0 with a slash.
    apart = ringed is not None and not (grown(ringed) & cleaned & ~ringed).any()
    if ringed is not None and apart:
        yield _Look(f"{name}, {_IN_RING}", ink.only(ringed), light, field)
    if cleaned is not ink.mask:
        yield _Look(f"{name}, without lines", ink.only(cleaned), light, field)
    yield _Look(name, ink, light, field)
    if ringed is not None and not apart:
        yield _Look(f"{name}, {_IN_RING}", ink.only(ringed), light, field)


def _paint_around(part: Image.Image, pixels: NDArray[np.uint8], plate: NDArray[np.bool_]) -> None:
    """Gives all that is not on a plate the plate's colour.

    part: the plate's box of a picture. pixels: (height, width) or (height, width, 3), of the whole picture,
    reduced; plate: (height, width).
    """
    colour = np.median(pixels[plate], axis=0).astype(np.uint8)
    left, top, right, bottom = box_of(plate)
    around = Image.fromarray(~plate[top:bottom, left:right]).resize(part.size)
    part.paste(tuple(np.resize(colour, len(part.getbands())).tolist()), mask=around)


def is_new(pixels: NDArray[np.uint8], seen: Iterable[NDArray[np.uint8]]) -> bool:
    """Whether (28, 28) differs from all that were seen before."""
    return all(np.abs(pixels.astype(np.int16) - other).mean() > 4 for other in seen)


def in_28x28(digit: Ink) -> NDArray[np.uint8]:
    """Ink that is one digit, in MNIST's form: (28, 28) uint8."""
    left, top, right, bottom = box_of(digit.strength > _PALEST_EDGE)
    own_pixels = digit.strength[top:bottom, left:right]
    if max(own_pixels.shape) == BOX and stroke_width(own_pixels > 0.5) > _HAIR:
        return centre_by_mass(fit_in_20x20(own_pixels))  # which scales nothing, so that no pixel is blurred
    left, top, right, bottom = box_of(digit.mask)
    return centre_by_mass(fit_in_20x20(even_strokes(digit.strength[top:bottom, left:right].clip(max=1))))


def _with_size(box: Box) -> Box:
    """Left, top, right, bottom as left, top, width, height."""
    left, top, right, bottom = box
    return left, top, right - left, bottom - top


def _closer(look: _Look, digit: NDArray[np.bool_], image: Image.Image) -> Ink:
    """The digit of that mask, from more pixels of the picture where it was reduced and the digit is small."""
    ink = look.ink
    left, top, right, bottom = box_of(digit)
    size = max(right - left, bottom - top)
    if ink.scale < 2 or size >= _LEGIBLE:
        return ink.only(digit)
    room = size // 3 + 2
    height, width = digit.shape
    box = (max(left - room, 0), max(top - room, 0), min(right + room, width), min(bottom + room, height))
    left, top, right, bottom = ink.on_picture(box)
    pixels, scale = _pixels(image.crop((left, top, right, bottom)), WORKING_SIDE)
    if pixels.ndim > 2 and len(look.light.axis) == 1:
        pixels = pixels[..., 0]
    field_left, field_top, field_right, field_bottom = look.field
    field_width, field_height = field_right - field_left, field_bottom - field_top
    window = (
        (left - field_left) / field_width,
        (top - field_top) / field_height,
        (right - field_left) / field_width,
        (bottom - field_top) / field_height,
    )
    closer = find_ink(look.light.contrast(pixels, window), scale, strict=look.strict)
    if closer is None:
        return ink.only(digit)
    near = grown(digit)[box[1] : box[3], box[0] : box[2]].view(np.uint8)
    mask = closer.mask & cv2.resize(near, closer.mask.shape[::-1], interpolation=cv2.INTER_NEAREST).view(bool)
    return closer.only(mask).moved(left, top) if mask.any() else ink.only(digit)


def _pixels(image: Image.Image, side: int) -> tuple[NDArray[np.uint8], float]:
    """Of a picture reduced below a side, and how far: (height, width), or (height, width, 3) if coloured."""
    reduced = image.reduce(-(-max(image.size) // side))
    pixels = np.asarray(reduced)
    if pixels.ndim == 3:
        red, green, blue = cv2.split(pixels)
        if np.array_equal(red, green) and np.array_equal(red, blue):
            pixels = np.asarray(red)
    return pixels, image.width / reduced.width
