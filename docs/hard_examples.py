"""Draws docs/hard_examples.jpg, the README's grid of hard pictures, each above what `digitcli predict` reads.

python docs/hard_examples.py [--seed 1] [--model RUN]

The pictures are the simulator's, the first that the seed gives of each kind; none was chosen by its answer.
What is read wrong is written in red.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from digitcli import classifiers, runs, simulator
from digitcli.reading import prediction
from digitcli.sources.source import Source
from digitcli.system.files import atomic_path

TARGET = Path(__file__).with_name("hard_examples.jpg")
COLUMNS, CELL, CAPTION, GAP = 6, 160, 40, 12
GREY, GREEN, RED = (110, 110, 110), (0, 110, 60), (190, 0, 0)

# Kind and what is written; several digits and lines, or nothing that is a digit, too.
PICTURES = (
    *(("paint pencil 1 px", "4"), ("28x28 dark on light", "8"), ("equally bright colours", "3")),
    *(("corner of a big page", "6"), ("plot with axes", "2"), ("seven segments", "5")),
    *(("transparent, light ink", "9"), ("fax", "0"), ("squared paper", "7")),
    *(("dotted paper", "2"), ("lined paper", "4"), ("hard shadow", "9")),
    *(("highlighter", "5"), ("chalk on a blackboard", "3"), ("wood", "8")),
    *(("whiteboard with glare", "6"), ("dusk", "1"), ("steep angle", "7")),
    *(("ball pen, photographed", "2764"), ("squared paper, scanned", "1903"), ("cardboard", "58")),
    *(("lined paper", "407\n1986"), ("photo of a screen", "314"), ("blurred and noisy", "6250")),
    *(("blank", ""), ("letter", ""), ("scribble", ""), ("noise", ""), ("texture", ""), ("letter", "")),
)


def main() -> None:
    """Draws the pictures, reads them, and writes the grid."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--model", type=Path, default=runs.BUNDLED)
    options = parser.parse_args()
    pictures = [_draw(kind, text, options.seed + number) for number, (kind, text) in enumerate(PICTURES)]
    sources = [Source("picture", _encoded(picture.image)) for picture in pictures]
    read = prediction.predict(sources, classifiers.load(options.model))
    cells = [
        _cell(picture, result, kind)
        for picture, result, (kind, _) in zip(pictures, read, PICTURES, strict=True)
    ]
    rows = -(-len(cells) // COLUMNS)
    height = CELL + CAPTION + GAP
    grid = Image.new("RGB", (COLUMNS * (CELL + GAP) + GAP, rows * height + GAP), "white")
    for place, cell in enumerate(cells):
        grid.paste(cell, (GAP + place % COLUMNS * (CELL + GAP), GAP + place // COLUMNS * height))
    with atomic_path(TARGET) as temporary:
        grid.save(temporary, "JPEG", quality=82)


def _draw(kind: str, text: str, seed: int) -> simulator.Picture:
    rng = np.random.default_rng(seed)
    return simulator.picture(kind, text, rng) if text else simulator.not_digits(kind, rng)


def _encoded(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _cell(picture: simulator.Picture, result: prediction.Prediction, kind: str) -> Image.Image:
    """The picture, its kind, and what was read in it."""
    cell = Image.new("RGB", (CELL, CELL + CAPTION), "white")
    image = _within_cell(picture.image)
    left, top = (CELL - image.width) // 2, (CELL - image.height) // 2
    cell.paste(image, (left, top))
    draw = ImageDraw.Draw(cell)
    draw.rectangle((left - 1, top - 1, left + image.width, top + image.height), outline=(200, 200, 200))
    read = (result.text or "").replace("\n", " ")
    answer = f"{read}  {result.confidence:.0%}" if read else result.reason or ""
    colour = GREEN if (result.text or "") == picture.text else RED
    draw.text((0, CELL + 2), kind if picture.text else f"no digit: {kind}", GREY, ImageFont.load_default(12))
    draw.text((0, CELL + 16), answer, colour, ImageFont.load_default(18))
    return cell


def _within_cell(image: Image.Image) -> Image.Image:
    if image.mode == "RGBA":  # over stripes, as picture viewers show what is transparent
        image = Image.alpha_composite(_stripes(image.size), image)
    image = image.convert("RGB")
    room = CELL - 2
    if enlarged := room // max(image.size):
        return image.resize((image.width * enlarged, image.height * enlarged), Image.Resampling.NEAREST)
    image.thumbnail((room, room))
    return image


def _stripes(size: tuple[int, int]) -> Image.Image:
    stripes = np.indices((size[1], size[0])).sum(axis=0) // 12 % 2
    grey = Image.fromarray(np.where(stripes, 150, 110).astype(np.uint8))
    return grey.convert("RGBA")


if __name__ == "__main__":
    main()
