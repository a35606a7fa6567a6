"""The kinds of pictures that people make of digits: the table, and the drawing of a picture from it.

A kind is a pen on a paper, under a lamp, through a camera. To add one, add an entry to KINDS.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digitcli.simulator import cameras, lamps, settings, writing
from digitcli.simulator.forms import in_cells
from digitcli.simulator.page import Colour, Page, Points, Range, Step, as_image, log_uniform, noise
from digitcli.simulator.papers import PAPERS, printed, sheet
from digitcli.simulator.pens import PENS, choose_width, ink
from digitcli.simulator.signs import sign
from digitcli.simulator.writing import Strokes

Colours = Callable[[np.random.Generator], tuple[Colour, Colour]]

LARGEST = 1600
"""Pixels on the longer side of a line of several digits; a long number is written smaller."""


@dataclass(frozen=True)
class Picture:
    """A picture, and what a person reads in it.

    image: mode RGB or RGBA.
    text: the digits in reading order, a newline between lines; empty if there are none.
    boxes: of each digit's ink, [x, y, width, height] in pixels.
    """

    image: Image.Image
    text: str
    boxes: list[list[int]]


@dataclass(frozen=True)
class Kind:
    """How one kind of picture comes about.

    pen, paper: keys of PENS and PAPERS.
    steps: what happens to the page, in this order: lamps, cameras, frames.
    height: of a digit, in pixels.
    margin: the least and the greatest distance to each edge, in heights of a digit; below 0 it cuts.
    canvas: pixels on a side of the drawing area, where it is fixed.
    colours: gives the paper's and the ink's colour where these depend on each other.
    shape: gives the strokes of a digit.
    cells: whether each digit stands in a printed cell of its own, as on a form.
    """

    pen: str
    paper: str = "white"
    steps: tuple[Step, ...] = ()
    height: Range = (40, 300)
    margin: Range = (0.1, 0.8)
    canvas: int | None = None
    colours: Colours | None = None
    shape: Callable[[int, np.random.Generator], Strokes] = writing.handwritten
    cells: bool = False


def any_two_colours(rng: np.random.Generator) -> tuple[Colour, Colour]:
    """Ink that is clearly darker or lighter than the paper, both in colour."""
    while True:
        paper, pen = rng.uniform(0, 1, (2, 3))
        if abs(_brightness(paper) - _brightness(pen)) > 0.3:
            return _colour(paper), _colour(pen)


def equally_bright_colours(rng: np.random.Generator) -> tuple[Colour, Colour]:
    """Two colours that a grey picture does not tell apart, such as red on green."""
    while True:
        paper, pen = rng.uniform(0, 1, (2, 3))
        if abs(_brightness(paper) - _brightness(pen)) < 0.03 and abs(paper - pen).max() > 0.45:
            return _colour(paper), _colour(pen)


KINDS: dict[str, Kind] = {
    # Drawn in a program.
    "paint pencil 1 px": Kind("pixel pencil", height=(60, 500)),
    "paint pen 2-4 px": Kind("pixel pen", height=(40, 500)),
    "paint brush": Kind("pixel brush", height=(60, 600)),
    "soft brush": Kind("soft brush", height=(60, 500)),
    "light on black canvas": Kind("light brush", "black", height=(60, 400)),
    "28x28 dark on light": Kind("icon pen", canvas=28, height=(13, 22)),
    "28x28 light on dark": Kind("light brush", "black", canvas=28, height=(13, 22)),
    "10x10": Kind("light brush", "black", canvas=10, height=(7.5, 9)),
    "10x10 enlarged": Kind("soft brush", steps=(cameras.enlarged,), canvas=10, height=(7.5, 9)),
    "28x28 enlarged": Kind("icon pen", steps=(cameras.enlarged,), canvas=28, height=(13, 22)),
    "tiny": Kind("soft brush", height=(9, 15), margin=(0.1, 0.4)),
    "huge": Kind("soft brush", height=(1500, 2400), margin=(0.05, 0.3)),
    "huge with a hair": Kind("hair", height=(600, 2000), margin=(0.05, 0.3)),
    "corner of a big page": Kind("soft brush", height=(40, 120), margin=(0.3, 10)),
    "two colours": Kind("soft brush", colours=any_two_colours),
    "equally bright colours": Kind("soft brush", colours=equally_bright_colours),
    "coloured gradient": Kind("soft brush", "gradient"),
    "low contrast": Kind("faint"),
    "transparent, dark ink": Kind("soft brush", steps=(cameras.cut_out,)),
    "transparent, light ink": Kind("light brush", "black", (cameras.cut_out,)),
    "border round the picture": Kind("soft brush", steps=(cameras.border,), margin=(0.25, 0.8)),
    "form box": Kind("soft brush", steps=(cameras.form_box,), margin=(0.45, 1)),
    "cells of a form": Kind("soft brush", cells=True),
    "plot with axes": Kind("light brush", "black", (cameras.axes,), canvas=28, height=(18, 21)),
    "inverted plot with axes": Kind("icon pen", steps=(cameras.axes,), canvas=28, height=(16, 21)),
    "cut off at the edge": Kind("soft brush", margin=(-0.06, 0.4)),
    "seven segments": Kind("soft brush", shape=writing.segments),
    "heavy JPEG": Kind("soft brush", steps=(cameras.jpeg,), height=(30, 150)),
    # Written and scanned.
    "ball pen, scanned": Kind("ball pen", "sheet", (cameras.scanner,), height=(50, 250)),
    "pencil, scanned": Kind("pencil", "sheet", (cameras.scanner,), height=(50, 250)),
    "felt pen, scanned": Kind("felt pen", "sheet", (cameras.scanner,), height=(50, 250)),
    "inverted scan": Kind("ball pen", "sheet", (cameras.scanner, cameras.inverted), height=(50, 250)),
    "fax": Kind("felt pen", "sheet", (cameras.fax,), height=(40, 150)),
    "dry pen, scanned": Kind("dry pen", "sheet", (cameras.scanner,), height=(60, 250)),
    "squared paper, scanned": Kind("ball pen", "squared", (cameras.scanner,), height=(50, 250)),
    "cells of a form, scanned": Kind("ball pen", "sheet", (cameras.scanner,), height=(40, 250), cells=True),
    # Photographed.
    "ball pen, photographed": Kind("ball pen", "sheet", (lamps.slope, cameras.phone), height=(80, 500)),
    "pencil, photographed": Kind("pencil", "sheet", (lamps.slope, cameras.phone), height=(80, 500)),
    "marker on yellow paper": Kind("marker", "yellow sheet", (lamps.slope, cameras.phone)),
    "ball pen on grey paper": Kind("ball pen", "grey sheet", (lamps.slope, cameras.phone)),
    "lined paper": Kind("ball pen", "lined", (lamps.slope, cameras.phone), height=(60, 400)),
    "squared paper": Kind("felt pen", "squared", (lamps.slope, cameras.phone), height=(60, 400)),
    "dotted paper": Kind("pencil", "dotted", (lamps.slope, cameras.phone), height=(60, 400)),
    "cells of a form, photographed": Kind(
        "felt pen", "sheet", (lamps.slope, cameras.phone), height=(60, 400), cells=True
    ),
    "cardboard": Kind("marker", "cardboard", (lamps.slope, cameras.phone)),
    "wood": Kind("marker", "wood", (lamps.spot, cameras.phone)),
    "highlighter": Kind("highlighter", "sheet", (lamps.slope, cameras.phone)),
    "chalk on a blackboard": Kind("chalk", "blackboard", (lamps.slope, cameras.phone)),
    "whiteboard with glare": Kind("felt pen", "whiteboard", (lamps.glare, cameras.phone)),
    "hard shadow": Kind("felt pen", "sheet", (lamps.shadow, cameras.phone)),
    "shadow on lined paper": Kind("ball pen", "lined", (lamps.shadow, cameras.phone), height=(80, 400)),
    "vignette": Kind("felt pen", "sheet", (lamps.spot, cameras.phone)),
    "dusk": Kind("felt pen", "sheet", (lamps.dusk, cameras.phone)),
    "steep angle": Kind("felt pen", "sheet", (lamps.slope, cameras.slanted_phone), margin=(0.5, 1)),
    "blurred and noisy": Kind("felt pen", "sheet", (lamps.slope, cameras.poor_phone)),
    "photo of a screen": Kind("soft brush", steps=(cameras.of_screen,), height=(50, 120), margin=(0.2, 0.8)),
    # With something around it.
    "circled": Kind("soft brush", steps=(settings.circled,), margin=(0.1, 0.5)),
    "circled, photographed": Kind("ball pen", "sheet", (settings.circled, lamps.slope, cameras.phone)),
    "underlined": Kind("soft brush", steps=(settings.underlined,), margin=(0.1, 0.5)),
    "underlined, photographed": Kind("ball pen", "sheet", (settings.underlined, lamps.slope, cameras.phone)),
    "note on a table": Kind(
        "felt pen", "sheet", (settings.on_a_table, lamps.slope, cameras.phone), height=(60, 250)
    ),
    "yellow note on a table": Kind(
        "marker", "yellow sheet", (settings.on_a_table, lamps.slope, cameras.phone), height=(60, 250)
    ),
    "badge": Kind("light brush", "black", (settings.badge,), colours=any_two_colours, margin=(0.1, 0.5)),
    "edge of a scan": Kind("ball pen", "sheet", (settings.edge_of_a_scan, cameras.scanner), height=(50, 250)),
    "chequered ground": Kind("soft brush", steps=(settings.chequered,)),
    # Held out: see HELD_OUT_PARTS.
    "drawing program": Kind("soft brush", steps=(settings.in_a_window,), height=(50, 300), margin=(0.2, 1)),
    "crayon on wood": Kind("crayon", "wood", (lamps.slope, cameras.phone)),
    "crayon, scanned": Kind("crayon", "sheet", (cameras.scanner,), height=(60, 300)),
    "fountain pen, photographed": Kind(
        "fountain pen", "lined", (lamps.slope, cameras.phone), height=(80, 400)
    ),
    "music paper": Kind("felt pen", "music", (lamps.slope, cameras.phone)),
    "crumpled paper": Kind("felt pen", "crumpled", (lamps.slope, cameras.phone)),
    "light through blinds": Kind("felt pen", "sheet", (lamps.blinds, cameras.phone)),
    "webcam": Kind("felt pen", "sheet", (lamps.slope, cameras.webcam)),
}

HELD_OUT_PARTS: frozenset[str | Step] = frozenset(
    {"crayon", "fountain pen", "music", "crumpled", lamps.blinds, cameras.webcam, settings.in_a_window}
)
"""Pens, papers, lamps, cameras and settings that nothing is ever tuned or trained on."""

HELD_OUT = frozenset(
    name for name, kind in KINDS.items() if HELD_OUT_PARTS & {kind.pen, kind.paper, *kind.steps}
)
"""The kinds that use one of HELD_OUT_PARTS."""

NOT_DIGITS = ("blank", "letter", "scribble", "noise", "texture")


def picture(
    kind: str,
    text: str,
    rng: np.random.Generator,
    *,
    tallest: float = np.inf,
    touching: float | None = None,
) -> Picture:
    """One picture of a kind.

    kind: a key of KINDS; text: the digits to write, a newline between lines.
    tallest: how high a digit may be, in pixels, unless all of that kind are higher.
    touching: share of the neighbours that touch, unless each has a cell; None: as people write.
    Raises KeyError for an unknown kind.
    """
    recipe = KINDS[kind]
    lines = [[recipe.shape(int(digit), rng) for digit in line] for line in text.split("\n")]
    return _draw(recipe, lines, text, rng, tallest, touching)


def mixed(kind: str, text: str, rng: np.random.Generator, *, tallest: float = np.inf) -> Picture:
    """As `picture`, with letters or signs before the digits, which resemble none and are not in its text."""
    recipe = KINDS[kind]
    with_signs = rng.uniform() < 0.6
    lines: list[list[Strokes]] = []
    is_digit = []
    for line in text.split("\n"):
        lines.append([])
        for digit in line:
            for _ in range(rng.integers(3)):
                lines[-1].append(sign(rng) if with_signs else writing.letter(rng))
                is_digit.append(False)
            lines[-1].append(recipe.shape(int(digit), rng))
            is_digit.append(True)
    drawn = _draw(recipe, lines, text, rng, tallest)
    boxes = [box for box, kept in zip(drawn.boxes, is_digit, strict=True) if kept]
    return replace(drawn, boxes=boxes)


def not_digits(
    kind: str,
    rng: np.random.Generator,
    kinds: Sequence[str] = tuple(KINDS),
    *,
    tallest: float = np.inf,
) -> Picture:
    """A picture without any digit.

    kind: one of NOT_DIGITS. Blank pages, letters and scribbles come as any of `kinds`, keys of KINDS; the
    rest is a picture of noise or of a patterned ground. tallest: as for `picture`.
    """
    if kind == "noise":
        return Picture(_noise_picture(rng), "", [])
    recipes = [KINDS[name] for name in kinds]
    if kind == "texture":
        recipes = [
            recipe for recipe in recipes if PAPERS[recipe.paper].ruling or PAPERS[recipe.paper].texture
        ]
    recipe = recipes[rng.integers(len(recipes))]
    shape = {"letter": writing.letter, "scribble": writing.scribble}.get(kind)
    return _draw(recipe, [[shape(rng)]] if shape else [], "", rng, tallest)


def _draw(
    kind: Kind,
    lines: list[list[Strokes]],
    text: str,
    rng: np.random.Generator,
    tallest: float,
    touching: float | None = None,
) -> Picture:
    pen, paper = PENS[kind.pen], PAPERS[kind.paper]
    if kind.colours:
        ground, colour = kind.colours(rng)
    else:
        ground = paper.colours[rng.integers(len(paper.colours))]
        colour = pen.colours[rng.integers(len(pen.colours))]
    low, high = kind.height
    height = log_uniform(low, max(low, min(high, tallest)), rng)
    everything = [glyph for line in lines for glyph in line]
    width = choose_width(pen, height, rng)
    width = max(min([width, *(height * writing.widest_pen(glyph) for glyph in everything)]), 1.0)
    walls: Strokes = []
    if kind.cells:
        glyphs, walls = in_cells(lines, width / height, rng)
    else:
        glyphs = writing.arrange(lines, width / height, rng, touching)
        glyphs = glyphs or [[np.zeros((1, 2), np.float32)]]
    span = float(np.ptp(np.concatenate([s for glyph in [*glyphs, walls] for s in glyph]), axis=0).max())
    if len(everything) > 1:
        shrink = min(1, LARGEST / (height * span))
        height, width = height * shrink, max(width * shrink, 1.0)
    (*placed, walls), shape = _placed(kind, [*glyphs, walls], height, width, rng)
    strokes = [stroke for glyph in placed for stroke in glyph] if everything else []
    if pen.pixels:
        width = round(width)
    covered = ink(pen, strokes, shape, height, width, rng)
    pixels = sheet(paper, shape, height, ground, rng)
    if walls:
        pixels = printed(pixels, walls, height, rng)
    film = np.array(colour, np.float32)
    share = covered[..., None]
    pixels = pixels * (1 - share * (1 - film)) if pen.stains else pixels * (1 - share) + film * share
    outlines = tuple(np.concatenate(glyph) for glyph in placed)
    page = Page(pixels, covered, outlines, height, width, colour)
    for step in kind.steps:
        page = step(page, rng)
    return Picture(_image(page), text, [_box(glyph, page) for glyph in page.glyphs] if text else [])


def _placed(
    kind: Kind, glyphs: list[Strokes], height: float, width: float, rng: np.random.Generator
) -> tuple[list[Strokes], tuple[int, int]]:
    """Strokes in pixels, and the (height, width) of the page."""
    points = np.concatenate([stroke for glyph in glyphs for stroke in glyph])
    low, span = points.min(axis=0), np.ptp(points, axis=0) * height + width
    low_margin, high_margin = kind.margin
    if low_margin < 0:  # one side is cut, the others are not
        margins = height * rng.uniform(0.1, high_margin, 4)
        margins[rng.integers(4)] = height * rng.uniform(low_margin, 0)
    else:
        margins = height * np.exp(rng.uniform(np.log(low_margin), np.log(high_margin), 4))
    if kind.canvas:
        room = np.maximum(kind.canvas - span, 2)
        start = rng.uniform(1, np.maximum(room - 1, 1.01))
        size = np.maximum(np.ceil(span + 2), kind.canvas)
    else:
        start, size = margins[:2], np.ceil(span + margins[:2] + margins[2:]).clip(4, None)
    shift = start + width / 2
    placed = [[((s - low) * height + shift).astype(np.float32) for s in glyph] for glyph in glyphs]
    return placed, (int(size[1]), int(size[0]))


def _image(page: Page) -> Image.Image:
    image = as_image(page.pixels)
    if page.alpha is not None:
        image.putalpha(Image.fromarray((page.alpha * 255).round().astype(np.uint8)))
    return image


def _box(glyph: Points, page: Page) -> list[int]:
    low = np.maximum(np.floor(glyph.min(axis=0) - page.pen / 2), 0).astype(int)
    high = np.minimum(np.ceil(glyph.max(axis=0) + page.pen / 2), page.size).astype(int)
    return [int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1])]


def _noise_picture(rng: np.random.Generator) -> Image.Image:
    side = int(log_uniform(28, 400, rng))
    feature = log_uniform(1, max(1.1, side / 8), rng)
    channels = [noise((side, side), feature, rng) for _ in range(3)]
    strength = rng.uniform(0.1, 0.3)
    colours = channels if rng.uniform() < 0.5 else channels[:1] * 3
    return as_image(np.float32(0.5) + np.float32(strength) * np.stack(colours, axis=2))


def _brightness(colour: NDArray[np.float64]) -> float:
    return float(colour @ (0.299, 0.587, 0.114))


def _colour(values: NDArray[np.float64]) -> Colour:
    red, green, blue = values.tolist()
    return red, green, blue
