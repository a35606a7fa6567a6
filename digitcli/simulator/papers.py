"""Papers and other grounds to write on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from digitcli.simulator.page import Colour, Pixels, Range, noise

_WHITE: Colour = (1.0, 1.0, 1.0)
_SHEET: tuple[Colour, ...] = ((0.96, 0.96, 0.95), (0.93, 0.92, 0.9), (0.9, 0.91, 0.93))
_LINE_COLOURS: tuple[Colour, ...] = (
    (0.55, 0.66, 0.82),
    (0.6, 0.62, 0.66),
    (0.62, 0.74, 0.7),
    (0.8, 0.6, 0.6),
)

_PRINTED: tuple[Colour, ...] = (
    *_LINE_COLOURS,
    (0.05, 0.05, 0.05),
    (0.35, 0.35, 0.38),
    (0.8, 0.35, 0.25),
    (0.2, 0.3, 0.6),
)


@dataclass(frozen=True)
class Paper:
    """One ground.

    colours: one of them is taken.
    grain: deviation of its brightness from pixel to pixel and from patch to patch, 0-1.
    ruling: the lines printed on it; spacing: their distance in heights of a digit.
    """

    colours: tuple[Colour, ...] = (_WHITE,)
    grain: float = 0
    ruling: Literal["lines", "squares", "dots", "staves"] | None = None
    spacing: Range = (0.4, 1.6)
    texture: Literal["wood", "crumpled", "smeared", "gradient"] | None = None


PAPERS = {
    "white": Paper(),
    "black": Paper(colours=((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), (0.1, 0.1, 0.12), (0.05, 0.1, 0.3))),
    "sheet": Paper(_SHEET, grain=0.012),
    "yellow sheet": Paper(((0.98, 0.93, 0.55), (0.96, 0.88, 0.6), (0.95, 0.95, 0.7)), grain=0.012),
    "grey sheet": Paper(((0.62, 0.62, 0.61), (0.7, 0.69, 0.66), (0.55, 0.56, 0.58)), grain=0.02),
    "lined": Paper(_SHEET, grain=0.01, ruling="lines", spacing=(0.9, 1.8)),
    "squared": Paper(_SHEET, grain=0.01, ruling="squares", spacing=(0.3, 1.8)),
    "dotted": Paper(_SHEET, grain=0.01, ruling="dots", spacing=(0.3, 0.8)),
    "music": Paper(_SHEET, grain=0.01, ruling="staves", spacing=(0.18, 0.35)),
    "cardboard": Paper(((0.72, 0.56, 0.4), (0.66, 0.52, 0.38)), grain=0.05),
    "wood": Paper(((0.78, 0.62, 0.42), (0.85, 0.7, 0.5), (0.6, 0.44, 0.3)), grain=0.02, texture="wood"),
    "blackboard": Paper(
        ((0.12, 0.2, 0.16), (0.13, 0.14, 0.15), (0.08, 0.16, 0.13)), grain=0.02, texture="smeared"
    ),
    "whiteboard": Paper(((0.93, 0.94, 0.95), (0.88, 0.9, 0.9)), grain=0.006, texture="smeared"),
    "crumpled": Paper(_SHEET, grain=0.01, texture="crumpled"),
    "gradient": Paper(
        ((0.95, 0.7, 0.75), (0.6, 0.8, 0.95), (0.75, 0.95, 0.7), (0.98, 0.9, 0.6)), texture="gradient"
    ),
}


def sheet(
    paper: Paper, shape: tuple[int, int], height: float, colour: Colour, rng: np.random.Generator
) -> Pixels:
    """An empty page, (height, width, 3) float32 in 0-1; `height` is that of a digit, in pixels."""
    pixels = np.ones((*shape, 3), np.float32) * np.array(colour, np.float32)
    if paper.texture == "gradient":
        pixels = _gradient(pixels, paper, rng)
    elif paper.texture:
        strength = {"wood": _wood, "crumpled": _crumpled, "smeared": _smeared}[paper.texture](
            shape, height, rng
        )
        pixels *= strength[..., None]
    if paper.grain:
        bumps = paper.grain * noise(shape, 1, rng) + paper.grain * noise(shape, max(height / 12, 2), rng)
        pixels *= 1 + bumps[..., None]
    if paper.ruling:
        lines = _ruling(paper, shape, height, rng)[..., None] * np.float32(rng.uniform(0.35, 0.95))
        tint = _LINE_COLOURS[rng.integers(len(_LINE_COLOURS))]
        pixels = pixels * (1 - lines) + np.array(tint, np.float32) * lines
    return pixels.clip(0, 1)


def printed(pixels: Pixels, lines: list[Pixels], height: float, rng: np.random.Generator) -> Pixels:
    """A page, (height, width, 3) in 0-1, with straight lines on it, each (2, 2) of x, y.

    In a colour that can be seen there, all of one thickness; `height` is that of a digit, in pixels.
    """
    thickness = max(1.0, height * rng.uniform(0.008, 0.05))
    covered = np.zeros(pixels.shape[:2], np.uint8)
    fine = 16  # parts of a pixel that OpenCV tells apart
    for line in lines:
        ends = [tuple(np.rint(fine * (point - 0.5)).astype(int).tolist()) for point in line]
        cv2.line(covered, ends[0], ends[1], 255, max(1, round(thickness)), cv2.LINE_AA, 4)
    share = (covered * np.float32(rng.uniform(0.4, 1) / 255))[..., None]
    tint = _PRINTED[rng.integers(len(_PRINTED))]
    if pixels.mean() < 0.5:
        tint = (1 - tint[0], 1 - tint[1], 1 - tint[2])
    return np.asarray(pixels * (1 - share) + np.array(tint, np.float32) * share, np.float32)


def _ruling(paper: Paper, shape: tuple[int, int], height: float, rng: np.random.Generator) -> Pixels:
    step = height * rng.uniform(*paper.spacing)
    thickness = max(1.0, height * rng.uniform(0.01, 0.025))
    offset = rng.uniform(0, step, 2)
    rows, columns = (np.arange(side, dtype=np.float32) for side in shape)

    def near(position: Pixels, distance: float, start: float) -> Pixels:
        off = np.abs((position - start + distance / 2) % distance - distance / 2)
        return np.asarray((thickness / 2 + 0.5 - off).clip(0, 1), np.float32)

    across = np.broadcast_to(near(rows, step, offset[0])[:, None], shape)
    if paper.ruling == "lines":
        return across.copy()
    if paper.ruling == "staves":  # five lines, then a pause
        place = (rows - offset[0]) % (step * 9)
        return np.where((place < step * 4.5)[:, None], across, 0).astype(np.float32)
    down = near(columns, step, offset[1])[None, :]
    if paper.ruling == "squares":
        return np.maximum(across, down)
    thickness *= 2.5  # a dot as thin as a line would not be seen
    dots: Pixels = near(rows, step, offset[0])[:, None] * near(columns, step, offset[1])[None, :]
    return dots


def _wood(shape: tuple[int, int], height: float, rng: np.random.Generator) -> Pixels:
    """Fibres that run across and wind slowly."""
    fibres = noise((shape[0] + int(height), 1), height / 14, rng)[:, 0]
    winding = (noise(shape, height * 1.5, rng) * height * 0.1 + height / 2).clip(0, int(height) - 1)
    rows = np.arange(shape[0])[:, None] + winding.astype(np.intp)
    return np.asarray(1 + 0.07 * fibres[rows], np.float32)


def _crumpled(shape: tuple[int, int], height: float, rng: np.random.Generator) -> Pixels:
    """Facets, each tilted to the light in its own way."""
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    nearest = np.full(shape, np.inf, np.float32)
    brightness = np.ones(shape, np.float32)
    for _ in range(rng.integers(12, 30)):
        y, x = rng.uniform(0, 1, 2) * shape
        distance = np.hypot(rows - y, columns - x)
        tilt = rng.normal(0, 0.06 / height, 2)
        facet = rng.normal(0.92, 0.05) + (rows - y) * tilt[0] + (columns - x) * tilt[1]
        brightness = np.where(distance < nearest, facet, brightness)
        nearest = np.minimum(distance, nearest)
    return brightness.clip(0.6, 1).astype(np.float32)


def _smeared(shape: tuple[int, int], height: float, rng: np.random.Generator) -> Pixels:
    return np.asarray(1 + 0.08 * noise(shape, height, rng) + 0.05 * noise(shape, height / 5, rng), np.float32)


def _gradient(pixels: Pixels, paper: Paper, rng: np.random.Generator) -> Pixels:
    other = np.array(paper.colours[rng.integers(len(paper.colours))], np.float32)
    other *= np.float32(rng.uniform(0.75, 1))
    angle = rng.uniform(0, 2 * np.pi)
    rows, columns = np.mgrid[: pixels.shape[0], : pixels.shape[1]].astype(np.float32)
    along = rows * np.float32(np.sin(angle)) + columns * np.float32(np.cos(angle))
    share = ((along - along.min()) / max(np.ptp(along), np.float32(1)))[..., None]
    return np.asarray(pixels * (1 - share) + other * share, np.float32)
