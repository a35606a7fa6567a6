"""Draws the pictures of this folder: python examples/make.py [FOLDER]

They are what people hand to a digit reader: pens and papers of all kinds, each named by what is on it.
The digits come from digitcli's own synthetic writer with fixed seeds, so every run draws the same.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from digitcli.simulator.strokes import strokes

OVERSAMPLING = 4  # drawn so much larger, then reduced, for smooth edges
Colour = tuple[int, ...]


@dataclass(frozen=True)
class Example:
    """One picture: what is on it, with which pen, on which paper.

    size: width and height; height: of a digit; at: left upper corner of the first; pen: the stroke's width;
        all in pixels.
    grain: standard deviation of the paper's noise, 0-255.
    """

    name: str
    size: tuple[int, int]
    height: int
    at: tuple[int, int]
    pen: float
    ink: Colour
    paper: Colour
    grain: float = 0
    blur: float = 0
    smooth: bool = True
    seed: int = 0

    @property
    def digits(self) -> list[int]:
        """The right answer."""
        return [int(digit) for digit in self.name.partition("-")[0]]


EXAMPLES = [
    Example("0-chalk.png", (240, 200), 120, (80, 40), 11, (235, 235, 225), (38, 70, 55), grain=9),
    Example("1-paint-pencil.png", (160, 160), 110, (60, 20), 1, (0, 0, 0), (255, 255, 255), smooth=False),
    Example("2-marker.jpg", (400, 400), 260, (90, 60), 34, (20, 20, 25), (250, 250, 248), blur=1),
    Example("3-felt-pen-on-yellow.png", (200, 260), 150, (50, 50), 9, (180, 20, 40), (250, 235, 120)),
    Example("4-pixels.png", (28, 28), 18, (5, 4), 2, (0, 0, 0), (255, 255, 255)),
    Example("5-transparent.png", (180, 180), 130, (40, 20), 12, (30, 60, 160, 255), (30, 60, 160, 0)),
    Example("6-corner.png", (640, 480), 70, (15, 12), 6, (40, 40, 40), (255, 255, 255)),
    Example(
        "7-ballpoint.png", (300, 300), 190, (60, 50), 5, (35, 45, 130), (238, 236, 228), grain=4, blur=0.7
    ),
    Example("8-photo.jpg", (480, 360), 210, (140, 70), 14, (60, 58, 66), (168, 160, 148), grain=5, blur=1.5),
    Example("9-neon.png", (220, 220), 150, (60, 30), 10, (60, 255, 140), (12, 8, 30), blur=1),
    Example("4-pencil.jpg", (260, 260), 170, (50, 40), 4, (120, 120, 122), (246, 245, 240), grain=3, seed=3),
    Example(
        "1984-note.jpg",
        (420, 170),
        100,
        (30, 35),
        6,
        (40, 60, 150),
        (240, 238, 230),
        grain=3,
        blur=0.7,
        seed=5,
    ),
    Example("7-screen.png", (96, 128), 90, (16, 16), 8, (255, 255, 255), (0, 0, 0), seed=2),
]


def draw(example: Example) -> Image.Image:
    """The picture, in RGB or RGBA."""
    rng = np.random.default_rng([*example.digits, example.seed])
    scale = OVERSAMPLING if example.smooth else 1
    width, height = example.size
    mask = Image.new("L", (width * scale, height * scale))
    pen = ImageDraw.Draw(mask)
    radius = example.pen * scale / 2
    for place, digit in enumerate(example.digits):
        corner = np.add(example.at, (place * 0.9 * example.height, 0))
        for stroke in strokes(digit, rng):
            points = [(float(x), float(y)) for x, y in (stroke * example.height + corner) * scale]
            pen.line(points, fill=255, width=max(1, round(2 * radius)), joint="curve")
            if example.smooth:
                for x, y in (points[0], points[-1]):
                    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    mask = mask.resize(example.size, Image.Resampling.BOX).filter(ImageFilter.GaussianBlur(example.blur))
    mode = "RGBA" if len(example.paper) == 4 else "RGB"
    picture = Image.composite(
        Image.new(mode, example.size, example.ink), Image.new(mode, example.size, example.paper), mask
    )
    if not example.grain:
        return picture
    noise = rng.normal(0, example.grain, (height, width, 1))
    return Image.fromarray((np.asarray(picture) + noise).clip(0, 255).astype(np.uint8))


def main() -> None:
    """Writes all pictures to the folder named, or to this one."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    for example in EXAMPLES:
        draw(example).save(folder / example.name)


if __name__ == "__main__":
    main()
