"""Printed digits, as on screens, labels and displays: in the typefaces that Matplotlib brings along."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from digitcli.convention import CLASSES
from digitcli.data.digits import DataSet, Digits
from digitcli.images.preprocess import to_mnist
from digitcli.simulator.typefaces import faces

COUNT = 4_000

_HEIGHT = 96
"""Pixels of the letters that are drawn, before they are cut out and reduced."""


def dataset(seed: int = 0, count: int = COUNT) -> DataSet:
    """`count` printed digits, each bent and weighted a little in its own way; the same for the same seed."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % CLASSES).astype(np.uint8)
    fonts = [ImageFont.truetype(str(face), _HEIGHT) for face in faces()]
    images = np.stack([_printed(int(label), fonts[rng.integers(len(fonts))], rng) for label in labels])
    name = f"printed digits from seed {seed}"
    return DataSet(Digits(images, labels, name), None, name)


def _printed(digit: int, font: ImageFont.FreeTypeFont, rng: np.random.Generator) -> NDArray[np.uint8]:
    side = 2 * _HEIGHT
    page = Image.new("L", (side, side), 255)
    ImageDraw.Draw(page).text((side / 2, side / 2), str(digit), 0, font, anchor="mm")
    slant, turn = rng.uniform(-0.1, 0.3) * (rng.uniform() < 0.5), np.radians(rng.uniform(-8, 8))
    stretch = np.diag(rng.uniform((0.75, 0.9), (1.2, 1.1)))
    rotation = np.array([(np.cos(turn), -np.sin(turn)), (np.sin(turn), np.cos(turn))])
    linear = rotation @ np.array([(1, -slant), (0, 1)]) @ stretch
    middle = np.full(2, side / 2)
    warp = np.column_stack([linear, middle - linear @ middle])
    pixels = cv2.warpAffine(np.asarray(page), warp, (side, side), borderValue=255)
    # As ink that runs, or as a worn type.
    weight = rng.integers(-1, 4)
    if weight:
        change = cv2.erode if weight > 0 else cv2.dilate
        pixels = change(pixels, np.ones((abs(weight), abs(weight)), np.uint8))
    return to_mnist(Image.fromarray(pixels))
