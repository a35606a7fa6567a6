"""Draws the form of this folder, empty and filled: python examples/form/make.py [FOLDER]

    digitcli predict examples/form/filled.jpg --form examples/form/form.toml

The filled one was photographed: it is turned, seen from one side, and darker at one end.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from digitcli.simulator.strokes import strokes

SIZE, CELL = (1000, 640), 60
FIELDS = (("Customer number", 7), ("Postal code", 5), ("Quantity", 3), ("Day of delivery", 2))
WRITTEN = ("8061975", "04103", "120", "27")


def blank() -> Image.Image:
    """The empty form."""
    page = Image.new("L", SIZE, 252)
    draw = ImageDraw.Draw(page)
    draw.text((60, 40), "Delivery note", 20, ImageFont.load_default(44))
    for row, (name, cells) in enumerate(FIELDS):
        top = 140 + 110 * row
        draw.text((60, top + 20), name, 20, ImageFont.load_default(26))
        for column in range(cells):
            left = 360 + column * CELL
            draw.rectangle((left, top, left + CELL, top + 72), outline=70, width=2)
    draw.text((60, 590), "Please write one digit in each cell.", 20, ImageFont.load_default(22))
    return page


def filled(seed: int = 4) -> Image.Image:
    """The form with a digit in each cell, in blue ballpoint."""
    rng = np.random.default_rng(seed)
    page = blank().convert("RGB")
    draw = ImageDraw.Draw(page)
    for row, text in enumerate(WRITTEN):
        for column, digit in enumerate(text):
            corner = (372 + column * CELL + rng.uniform(-3, 3), 152 + 110 * row + rng.uniform(-3, 3))
            for stroke in strokes(int(digit), rng):
                points = [(float(x), float(y)) for x, y in stroke * 46 + corner]
                draw.line(points, fill=(40, 50, 140), width=4, joint="curve")
    return page


def photographed(page: Image.Image) -> Image.Image:
    """As a telephone saw it on a desk."""
    corners = np.array([(0, 0), (SIZE[0], 0), SIZE, (0, SIZE[1])], np.float32)
    seen = np.array([(90, 60), (1040, 130), (1010, 770), (40, 690)], np.float32)
    way = cv2.getPerspectiveTransform(corners, seen)
    pixels = cv2.warpPerspective(np.asarray(page), way, (1100, 820), borderValue=(96, 84, 70))
    light = np.linspace(0.7, 1, pixels.shape[1])[:, None]
    noise = np.random.default_rng(1).normal(0, 3, pixels.shape)
    return Image.fromarray((pixels * light + noise).clip(0, 255).astype(np.uint8))


def main() -> None:
    """Writes both to the folder named, or to this one."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    blank().save(folder / "blank.png")
    photographed(filled()).save(folder / "filled.jpg", quality=80)


if __name__ == "__main__":
    main()
