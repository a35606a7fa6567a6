"""A contact sheet of synthetic digits, each with its label, to be looked at.

Usage: python benchmarks/contact_sheet.py OUT.png [--count 200] [--seed 0]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from digitcli.convention import SIDE
from digitcli.data import synthetic
from digitcli.data.digits import Digits
from digitcli.system.files import atomic_path

COLUMNS = 20
ZOOM = 2
CAPTION = 12
"""Height in pixels of the line below each digit that holds its label."""


def sheet(digits: Digits) -> Image.Image:
    """All digits in reading order, sorted by label, enlarged and labelled."""
    width, height = SIDE * ZOOM, SIDE * ZOOM + CAPTION
    rows = -(-len(digits) // COLUMNS)
    picture = Image.new("L", (COLUMNS * width, rows * height))
    pen = ImageDraw.Draw(picture)
    for place, index in enumerate(np.argsort(digits.labels, kind="stable")):
        left, top = place % COLUMNS * width, place // COLUMNS * height
        cell = Image.fromarray(digits.images[index]).resize((width, width), Image.Resampling.NEAREST)
        picture.paste(cell, (left, top))
        pen.text((left + 2, top + width), str(digits.labels[index]), fill=160)
    return picture


def main() -> None:
    """Draws and writes the sheet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="the PNG to write")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    picture = sheet(synthetic.generate(arguments.count, arguments.seed))
    with atomic_path(arguments.out) as temporary:
        picture.save(temporary, format="PNG")


if __name__ == "__main__":
    main()
