"""Pens and drawing tools: how strokes become ink."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from digitcli.simulator.page import Colour, Pixels, Points, Range, log_uniform, noise

_BLACK: Colour = (0.0, 0.0, 0.0)
_BLUE: Colour = (0.1, 0.16, 0.55)
_RED: Colour = (0.75, 0.1, 0.12)
_GREEN: Colour = (0.05, 0.42, 0.2)


@dataclass(frozen=True)
class Pen:
    """One tool.

    width: of its strokes, in heights of a digit; a wide pen yields where it would close a loop.
    pixels: width in whole pixels, for programs whose pixels are either ink or paper; 0 for smooth strokes.
    opacity: how much of the paper it hides, 0-1.
    grain: how much the paper's grain shows through, 0-1.
    gaps: the share of a stroke where it fails, 0-1.
    stains: its ink lets the paper shine through, as marker ink does, where paint would hide it.
    """

    width: Range = (0.04, 0.08)
    pixels: tuple[int, int] | None = None
    opacity: Range = (1, 1)
    grain: float = 0
    gaps: Range = (0, 0)
    stains: bool = False
    colours: tuple[Colour, ...] = (_BLACK,)


PENS = {
    "pixel pencil": Pen(pixels=(1, 1)),
    "pixel pen": Pen(pixels=(2, 4), colours=(_BLACK, _BLACK, (1.0, 0.0, 0.0), (0.0, 0.0, 1.0))),
    "icon pen": Pen(
        pixels=(1, 3), colours=(_BLACK, _BLACK, (0.2, 0.2, 0.2), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0))
    ),
    "pixel brush": Pen(width=(0.08, 0.2), pixels=(4, 60), colours=(_BLACK, _BLACK, _BLUE, _RED, _GREEN)),
    "soft brush": Pen(width=(0.05, 0.2), colours=(_BLACK,)),
    "light brush": Pen(
        width=(0.05, 0.2), colours=((1.0, 1.0, 1.0), (1.0, 1.0, 1.0), (0.2, 0.9, 0.4), (1.0, 0.85, 0.2))
    ),
    "hair": Pen(width=(0.006, 0.015)),
    "faint": Pen(width=(0.04, 0.12), opacity=(0.1, 0.25)),
    "ball pen": Pen(
        width=(0.025, 0.055),
        opacity=(0.75, 1),
        grain=0.3,
        stains=True,
        colours=((0.08, 0.08, 0.1), _BLUE, _BLUE, _RED),
    ),
    "felt pen": Pen(
        width=(0.06, 0.13), opacity=(0.85, 1), stains=True, colours=((0.1, 0.1, 0.1), _BLUE, _RED, _GREEN)
    ),
    "marker": Pen(
        width=(0.12, 0.2), opacity=(0.9, 1), stains=True, colours=((0.05, 0.05, 0.06), _BLUE, _RED, _GREEN)
    ),
    "pencil": Pen(
        width=(0.03, 0.06), opacity=(0.4, 0.75), grain=0.6, colours=((0.25, 0.25, 0.27), (0.35, 0.35, 0.36))
    ),
    "chalk": Pen(
        width=(0.06, 0.14), opacity=(0.7, 0.95), grain=0.75, colours=((0.95, 0.95, 0.92), (0.95, 0.9, 0.6))
    ),
    "dry pen": Pen(
        width=(0.04, 0.09), opacity=(0.7, 1), grain=0.5, gaps=(0.06, 0.2), colours=(_BLACK, _BLUE)
    ),
    "highlighter": Pen(
        width=(0.12, 0.2),
        opacity=(0.75, 1),
        stains=True,
        colours=((1.0, 0.95, 0.2), (0.55, 0.95, 0.35), (1.0, 0.5, 0.7), (1.0, 0.7, 0.25)),
    ),
    "crayon": Pen(
        width=(0.09, 0.17),
        opacity=(0.7, 0.95),
        grain=0.9,
        colours=((0.8, 0.2, 0.1), (0.15, 0.3, 0.75), (0.1, 0.5, 0.2), (0.5, 0.2, 0.5), (0.2, 0.15, 0.1)),
    ),
    "fountain pen": Pen(
        width=(0.02, 0.08), opacity=(0.6, 1), stains=True, colours=((0.05, 0.1, 0.35), (0.1, 0.1, 0.12))
    ),
}


def choose_width(pen: Pen, height: float, rng: np.random.Generator) -> float:
    """A width for the strokes of digits that are `height` pixels high, in pixels."""
    if pen.pixels is None:
        return max(height * log_uniform(*pen.width, rng), 1.0)
    low, high = pen.pixels
    if high <= 4:  # the fixed sizes that programs offer
        return float(rng.integers(low, high + 1))
    return float(np.clip(round(height * log_uniform(*pen.width, rng)), low, high))


def ink(
    pen: Pen,
    strokes: Iterable[Points],
    shape: tuple[int, int],
    height: float,
    width: float,
    rng: np.random.Generator,
) -> Pixels:
    """How much of each pixel the pen covers, (height, width) float32 in 0-1.

    strokes: polylines (points, 2) of x, y in pixels; height: of a digit, width: of the pen, in pixels.
    """
    # Smooth strokes are drawn larger and reduced. In large pictures the staircase is not seen anyway.
    zoom = 1 if pen.pixels or max(shape) > 1500 else 2 if max(shape) > 500 else 4
    canvas = Image.new("L", (shape[1] * zoom, shape[0] * zoom))
    draw = ImageDraw.Draw(canvas)
    for stroke in strokes:
        factor = np.ones(len(stroke), np.float32) if pen.pixels else _pressure(len(stroke), rng)
        _draw_stroke(draw, stroke * zoom, factor * width * zoom, _lifted(pen, len(stroke), rng))
    covered = np.asarray(canvas.reduce(zoom) if zoom > 1 else canvas, np.float32) / np.float32(255)
    if pen.pixels:
        return covered
    if pen.grain:
        bumps = noise(shape, max(width / 7, 1.0), rng) + noise(shape, max(width / 2.5, 1.2), rng)
        covered = covered * (1 - pen.grain * (0.5 - 1.2 * (bumps + 0.6)).clip(0, 1))
    uneven = (1 + 0.08 * noise(shape, height / 3, rng)).clip(0.7, 1) * rng.uniform(*pen.opacity)
    return np.asarray(covered * uneven, np.float32)


def _draw_stroke(
    draw: ImageDraw.ImageDraw, points: Points, widths: Points, lifted: NDArray[np.bool_]
) -> None:
    for index, ((x, y), width) in enumerate(zip(points.tolist(), widths.tolist(), strict=True)):
        if lifted[index]:
            continue
        if index and not lifted[index - 1]:
            draw.line([tuple(points[index - 1].tolist()), (x, y)], 255, round(width))
        radius = (width - 1) / 2
        if radius >= 1:
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), 255)


def _pressure(points: int, rng: np.random.Generator) -> Points:
    along = np.linspace(0, 2 * np.pi, points)
    waves = sum(rng.normal(0, 0.1) * np.sin(f * along + rng.uniform(0, 2 * np.pi)) for f in (0.5, 1, 2))
    return np.clip(1 + waves, 0.6, 1.4).astype(np.float32)


def _lifted(pen: Pen, points: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Where along a stroke the pen fails: (points,) bool, in short runs."""
    failing = np.zeros(points, bool)
    if pen.gaps[1]:
        share = rng.uniform(*pen.gaps)
        while failing.mean() < share - 0.5 / points:
            start = rng.integers(points)
            failing[start : start + rng.integers(1, 4)] = True
    return failing
