"""What is around the writing: a ring, a line below, a table under the note, a program's window."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ImageDraw, ImageFont

from digitcli.simulator.page import Colour, Page, Pixels, as_image, as_pixels, log_uniform
from digitcli.simulator.papers import PAPERS, sheet

_TABLES = ("wood", "cardboard", "grey sheet", "blackboard")


def circled(page: Page, rng: np.random.Generator) -> Page:
    """Somebody has drawn a ring round it, with the same pen; round nothing, it would be a 0."""
    if not page.ink.any():
        return page
    middle, radii = _ellipse_round(page, rng.uniform(0.15, 0.5))
    beyond = 1.1 * radii + page.pen - np.minimum(middle, page.size - middle)
    room = round(max(0.8 * page.height, float(beyond.max())))
    page = _with_room(page, room, np.array(_ground(page), np.float32))
    middle = middle + room
    angles = np.linspace(0, 2 * np.pi * rng.uniform(0.97, 1.1), 60) + rng.uniform(0, 2 * np.pi)
    wobble = 1 + rng.uniform(0, 0.06) * np.sin(angles * rng.integers(1, 4) + rng.uniform(0, 6))
    points = middle + np.stack([np.cos(angles), np.sin(angles)], axis=1) * (radii * wobble[:, None])
    return _drawn(page, points, page.pen * rng.uniform(0.6, 1))


def underlined(page: Page, rng: np.random.Generator) -> Page:
    """A stroke below it, with the same pen."""
    page = _with_room(page, round(page.height * 0.5), np.array(_ground(page), np.float32))
    (left, _), (right, bottom) = _extent(page)
    y = bottom + page.pen + page.height * rng.uniform(0.08, 0.3)
    over = page.height * rng.uniform(-0.1, 0.3, 2)
    across = np.linspace(left - over[0], right + over[1], 12)
    slope, bend = rng.uniform(-0.05, 0.05, 2)
    along = np.linspace(-1, 1, 12)
    points = np.stack([across, y + page.height * (slope * along + bend * along**2)], axis=1)
    page = _drawn(page, points, page.pen * rng.uniform(0.6, 1))
    if rng.uniform() < 0.2:
        page = _drawn(page, points + np.array((0, 2.5 * page.pen)), page.pen * 0.7)
    return page


def badge(page: Page, rng: np.random.Generator) -> Page:
    """The page is a coloured disc or plate on a ground of another colour."""
    page = _with_room(page, round(page.height), np.array(_ground(page), np.float32))
    middle, radii = _ellipse_round(page, rng.uniform(0.2, 0.6))
    plate = np.zeros(page.pixels.shape[:2], np.float32)
    if rng.uniform() < 0.6:
        axes = (int(radii[0]), int(radii[1]))
        cv2.ellipse(plate, _point(middle), axes, 0, 0, 360, 1, -1, cv2.LINE_AA)
    else:
        cv2.rectangle(plate, _point(middle - radii), _point(middle + radii), 1, -1)
    around = _unlike(_ground(page), rng)
    return replace(page, pixels=page.pixels * plate[..., None] + around * (1 - plate[..., None]))


def on_a_table(page: Page, rng: np.random.Generator) -> Page:
    """A note that lies on a table, of which much is in the picture."""
    width, height = page.size
    room = (rng.uniform(0.1, 1, 4) * max(width, height)).astype(int)
    table = PAPERS[_TABLES[rng.integers(len(_TABLES))]]
    colour = np.array(table.colours[rng.integers(len(table.colours))]) * rng.uniform(0.4, 1)
    shape = (height + room[0] + room[1], width + room[2] + room[3])
    ground = sheet(table, shape, page.height, _colour(colour), rng)
    return _laid(page, ground, int(room[2]), int(room[0]))


def in_a_window(page: Page, rng: np.random.Generator) -> Page:
    """A drawing program's window: title bar, coloured buttons, words, and the canvas with the drawing."""
    width, height = page.size
    unit = max(4, round(max(page.height, 60) / 8))
    room = unit * rng.integers(1, 5, 4) + np.array([unit * 8, 0, 0, 0])
    shape = (height + int(room[0] + room[1]), max(width + int(room[2] + room[3]), unit * 24))
    window = np.full((*shape, 3), rng.uniform(0.85, 0.95), np.float32)
    window[: 2 * unit] = rng.uniform(0.1, 0.9, 3)
    for button in range(int(rng.integers(3, 10))):
        left = unit + button * round(2.5 * unit)
        window[3 * unit : 5 * unit, left : left + 2 * unit] = rng.uniform(0, 1, 3)
    image = as_image(window)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(1.2 * unit)
    draw.text((unit, unit), "drawing", "white", font, anchor="lm")
    draw.text((unit, 6.5 * unit), "File   Edit   View", "black", font, anchor="lm")
    return _laid(page, as_pixels(image), int(room[2]), int(room[0]))


def edge_of_a_scan(page: Page, rng: np.random.Generator) -> Page:
    """The scanner's lid shows dark along one side, sharply or in a soft shadow."""
    width = max(3, round(page.height * rng.uniform(0.05, 0.35)))
    sides = [(0, 0), (0, 0)]
    sides[rng.integers(2)] = (width, 0) if rng.uniform() < 0.5 else (0, width)
    pixels = np.pad(page.pixels, (*sides, (0, 0)), mode="edge")
    inside: Pixels = np.pad(np.ones(page.pixels.shape[:2], np.float32), sides)
    if rng.uniform() < 0.5:
        inside = np.asarray(cv2.blur(inside, (width, width), borderType=cv2.BORDER_REPLICATE), np.float32)
    dark = np.float32(rng.uniform(0, 0.4))
    moved = tuple(glyph + np.array((sides[1][0], sides[0][0]), np.float32) for glyph in page.glyphs)
    pixels = pixels * (dark + (1 - dark) * inside[..., None])
    return replace(page, pixels=pixels, ink=np.pad(page.ink, sides), glyphs=moved)


def chequered(page: Page, rng: np.random.Generator) -> Page:
    """The squares by which drawing programs show what is transparent."""
    side = max(3, round(page.height * log_uniform(0.04, 0.15, rng)))
    rows, columns = np.indices(page.pixels.shape[:2]) // side
    shade = np.float32(rng.uniform(0.06, 0.25)) * ((rows + columns) % 2).astype(np.float32)
    return replace(page, pixels=page.pixels - (shade * (1 - page.ink))[..., None])


def _extent(page: Page) -> NDArray[np.float64]:
    """The corners of all the writing, ((left, top), (right, bottom)), in pixels."""
    points = np.concatenate(page.glyphs).astype(np.float64)
    return np.stack([points.min(axis=0) - page.pen / 2, points.max(axis=0) + page.pen / 2])


def _ellipse_round(page: Page, room: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Middle and radii of an ellipse that holds all the writing, and `room` heights of a digit beside it."""
    low, high = _extent(page)
    half = (high - low) / 2
    # Not much longer than wide, but it must hold the corners, even if drawn with a shaking hand.
    radii = np.maximum(half, 0.7 * half.max()) * 1.25 + room * page.height / 2
    return (low + high) / 2, radii * max(1.0, 1.1 * float(np.linalg.norm(half / radii)))


def _drawn(page: Page, points: NDArray[np.float64], width: float) -> Page:
    line = np.zeros(page.pixels.shape[:2], np.float32)
    fixed = np.rint(points * 16).astype(np.int32)
    cv2.polylines(line, [fixed], False, 1, max(1, round(width)), cv2.LINE_AA, 4)
    share = line[..., None] * max(float(page.ink.max()), 0.2)
    return replace(page, pixels=page.pixels * (1 - share) + np.array(page.colour, np.float32) * share)


def _with_room(page: Page, by: int, colour: Pixels) -> Page:
    """More paper on all sides."""
    width, height = page.size
    ground = np.ones((height + 2 * by, width + 2 * by, 3), np.float32) * colour
    ground[by:-by, by:-by] = page.pixels
    return _laid(page, ground, by, by)


def _laid(page: Page, ground: Pixels, left: int, top: int) -> Page:
    """The page on a larger ground."""
    width, height = page.size
    pixels = ground.astype(np.float32)
    pixels[top : top + height, left : left + width] = page.pixels
    ink = np.zeros(pixels.shape[:2], np.float32)
    ink[top : top + height, left : left + width] = page.ink
    moved = tuple(glyph + np.array((left, top), np.float32) for glyph in page.glyphs)
    return replace(page, pixels=pixels, ink=ink, glyphs=moved)


def _ground(page: Page) -> Colour:
    """The paper's colour."""
    return _colour(np.median(page.pixels.reshape(-1, 3), axis=0))


def _unlike(colour: Colour, rng: np.random.Generator) -> Pixels:
    """A colour that nobody mistakes for the given one; white and black more often than others."""
    choices: tuple[Callable[[], NDArray[np.float64]], ...] = (
        lambda: np.ones(3),
        lambda: np.zeros(3),
        lambda: rng.uniform(0, 1, 3),
    )
    while True:
        other = choices[rng.integers(len(choices))]()
        if np.abs(other - colour).max() > 0.4:
            return other.astype(np.float32)


def _colour(values: NDArray[np.floating]) -> Colour:
    red, green, blue = values.tolist()
    return red, green, blue


def _point(xy: NDArray[np.float64]) -> tuple[int, int]:
    x, y = np.rint(xy).astype(int).tolist()
    return x, y
