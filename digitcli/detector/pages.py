"""Pages with digits on them and boxes round those, to train the detector: drawn by the simulator.

Synthetic strokes come with every pen, paper, lamp and camera; the shapes of real hands come from MNIST,
laid onto the same grounds.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digitcli.convention import CLASSES, SIDE
from digitcli.data.simulated import known_kinds, opened
from digitcli.reading.find import AREA, LARGEST, resized
from digitcli.simulator import KINDS, NOT_DIGITS, mixed, not_digits, picture
from digitcli.simulator.settings import circled

TALLEST = 180
"""Height of a digit in pixels as it is drawn: larger ones take long, and look the same when reduced."""

LONGEST, MOST_LINES = 10, 4
"""Digits in a line, and lines of a page."""

WITHOUT, LAID, MIXED, SINGLE = 0.1, 0.25, 0.2, 0.12
"""Shares of the pages: without a digit, with MNIST's digits, with letters or signs between digits, with one
digit. The rest has several."""

TOUCHING = 0.16
"""Share of the pages on which many of several digits touch."""

ONES = 3
"""Times as many 1s as other digits on these pages, since 1s that touch another digit are missed most."""

FORMS, RINGED = 0.1, 0.1
"""Shares of the pages that are forms with a cell for each digit, or have a ring round all, beyond those that
chance makes such: walls and the sides of rings look most like 1s."""


@dataclass(frozen=True)
class PageOfDigits:
    """A page.

    pixels: (height, width, 3) uint8, red, green, blue. boxes: (n, 4) float32, left, top, right, bottom in
    its pixels. labels: (n,) uint8, the digits.
    """

    pixels: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    labels: NDArray[np.uint8]


def page(rng: np.random.Generator, real: NDArray[np.uint8], of: NDArray[np.uint8]) -> PageOfDigits:
    """One page, of kinds of pictures that are not held out for measuring.

    real: (n, 28, 28) uint8, 0 paper to 255 ink, of: (n,) their labels: the digits that are laid on grounds.
    """
    kinds = known_kinds(TALLEST)
    some, without = kinds, NOT_DIGITS[rng.integers(len(NOT_DIGITS))]
    which = rng.uniform()
    if which < FORMS:
        some, without = [name for name in kinds if KINDS[name].cells], "blank"
    elif which < FORMS + RINGED:
        some, without = [name for name in kinds if circled in KINDS[name].steps], "letter"
    kind = some[rng.integers(len(some))]
    choice = rng.uniform()
    if choice < WITHOUT:
        drawn = not_digits(without, rng, some, tallest=TALLEST)
    elif choice < WITHOUT + LAID:
        ground = not_digits("blank", rng, kinds, tallest=TALLEST)
        return _laid(_sized(opened(ground.image), [])[0], real, of, rng)
    elif choice < WITHOUT + LAID + MIXED:
        drawn = mixed(kind, _text(rng), rng, tallest=TALLEST)
    elif choice < WITHOUT + LAID + MIXED + SINGLE:
        drawn = picture(kind, str(rng.integers(CLASSES)), rng, tallest=TALLEST)
    elif choice < WITHOUT + LAID + MIXED + SINGLE + TOUCHING:
        drawn = picture(kind, _text(rng, ONES), rng, tallest=TALLEST, touching=rng.uniform(0.1, 0.7))
    else:
        drawn = picture(kind, _text(rng), rng, tallest=TALLEST)
    pixels, boxes = _sized(opened(drawn.image), drawn.boxes)
    labels = np.array([int(digit) for digit in drawn.text.replace("\n", "")], np.uint8)
    return PageOfDigits(pixels, boxes, labels)


def _text(rng: np.random.Generator, ones: int = 1) -> str:
    """Lines of digits, 1 so many times as likely as another."""
    digits = [*range(CLASSES), *(ones - 1) * [1]]
    lines = 1 if rng.uniform() < 0.6 else int(rng.integers(2, MOST_LINES + 1))
    return "\n".join(
        "".join(map(str, rng.choice(digits, rng.integers(1 if lines > 1 else 2, LONGEST + 1))))
        for _ in range(lines)
    )


def _sized(image: Image.Image, boxes: list[list[int]]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """A picture and its boxes [left, top, width, height] at the size of pages."""
    pixels = np.asarray(image.convert("RGB"))
    sized = resized(pixels, AREA, LARGEST)
    corners = np.array(boxes, np.float32).reshape(-1, 4)
    corners[:, 2:] += corners[:, :2]
    scale = np.array(sized.shape[1::-1], np.float32) / np.array(pixels.shape[1::-1], np.float32)
    return sized, corners * np.tile(scale, 2)


def _laid(
    ground: NDArray[np.uint8], real: NDArray[np.uint8], of: NDArray[np.uint8], rng: np.random.Generator
) -> PageOfDigits:
    """Lines of real digits on a ground."""
    height, width = ground.shape[:2]
    tall = float(np.exp(rng.uniform(np.log(12), np.log(0.8 * min(height, width)))))
    spacing = rng.uniform(-0.15, 0.05) if rng.uniform() < 0.2 else rng.uniform(-0.12, 0.6)
    lead = rng.uniform(1.2, 2.2)
    colour = _ink_on(ground, rng)
    opacity, sharpness = rng.uniform(0.6, 1), rng.uniform(1, 4)
    covered = np.zeros((height, width), np.float32)
    boxes: list[tuple[int, int, int, int]] = []
    labels: list[int] = []
    x0, y = rng.uniform(0, 0.3 * tall), rng.uniform(0, 0.5 * tall)
    while y + tall < height and len(labels) < LONGEST * MOST_LINES:
        x = x0 + rng.uniform(0, tall)
        for _ in range(rng.integers(1, LONGEST + 1)):
            index = rng.integers(len(real))
            glyph = _enlarged(real[index], tall * np.clip(rng.normal(1, 0.08), 0.8, 1.2), sharpness)
            top = round(y + rng.normal(0, 0.03) * tall)
            left = round(x)
            if left + glyph.shape[1] >= width or top < 0 or top + glyph.shape[0] >= height:
                break
            place = np.s_[top : top + glyph.shape[0], left : left + glyph.shape[1]]
            covered[place] = np.maximum(covered[place], glyph)
            boxes.append((left, top, left + glyph.shape[1], top + glyph.shape[0]))
            labels.append(of[index])
            x += glyph.shape[1] + tall * spacing * np.exp(rng.normal(0, 0.4))
        if rng.uniform() < 0.3:
            break
        y += lead * tall
    share = (covered * opacity)[..., None]
    pixels = ground * (1 - share) + colour * share
    pixels = cv2.GaussianBlur(pixels, (0, 0), rng.uniform(0.2, 0.03 * tall + 0.3))
    pixels = pixels + rng.normal(0, rng.uniform(0, 8), pixels.shape)
    return PageOfDigits(
        pixels.clip(0, 255).astype(np.uint8),
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(labels, np.uint8),
    )


def _enlarged(digit: NDArray[np.uint8], tall: float, sharpness: float) -> NDArray[np.float32]:
    """The ink of (28, 28) alone, 0-1, with 20 pixels of it as `tall`."""
    left, top, width, height = cv2.boundingRect(digit)
    inside = digit[top : top + height, left : left + width].astype(np.float32) / 255
    factor = tall / (SIDE - 8)
    size = (max(2, round(width * factor)), max(2, round(height * factor)))
    large = cv2.resize(inside, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
    return np.asarray(
        (0.5 + sharpness * (large - 0.5)).clip(0, 1) if factor > 1 else large.clip(0, 1), np.float32
    )


def _ink_on(ground: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.float64]:
    """A colour that can be seen there."""
    usual = np.median(ground.reshape(-1, 3), axis=0)
    while True:
        colour = rng.uniform(0, 255, 3) if rng.uniform() < 0.5 else np.full(3, rng.choice([20, 235.0]))
        if np.abs(colour - usual).max() > 60:
            return colour
