"""How a page becomes a picture: scanners, cameras, and what programs do around it."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from digitcli.simulator.page import Page, Pixels, Points, as_image, as_pixels, log_uniform, noise


def scanner(page: Page, rng: np.random.Generator) -> Page:
    """Lies nearly straight, evenly lit, a little soft."""
    page = _tilted(page, rng, turn=3, perspective=0)
    return _noisy(_blurred(page, rng.uniform(0.3, 0.8)), rng.uniform(0.003, 0.012), rng)


def phone(page: Page, rng: np.random.Generator) -> Page:
    """Held by hand: turned, from an angle, out of focus or not, with noise, as JPEG."""
    page = _tilted(page, rng, turn=10, perspective=0.08)
    page = _blurred(page, page.height * rng.uniform(0.002, 0.012))
    return _as_jpeg(_noisy(page, rng.uniform(0.005, 0.025), rng), int(rng.integers(45, 93)))


def slanted_phone(page: Page, rng: np.random.Generator) -> Page:
    """As a phone, from a steep angle."""
    return phone(_tilted(page, rng, turn=12, perspective=0.15), rng)


def poor_phone(page: Page, rng: np.random.Generator) -> Page:
    """Out of focus, noisy, heavily compressed."""
    page = _tilted(page, rng, turn=10, perspective=0.08)
    page = _blurred(page, page.height * rng.uniform(0.015, 0.03))
    return _as_jpeg(_noisy(page, rng.uniform(0.03, 0.07), rng), int(rng.integers(15, 40)))


def of_screen(page: Page, rng: np.random.Generator) -> Page:
    """A monitor, photographed: its red, green and blue cells beat with those of the camera."""
    cells = np.full((3, 3, 3), 0.25, np.float32)
    for column in range(3):
        cells[:, column, column] = 1
    cells[2] *= 0.6
    width, height = page.size
    enlarged = page.pixels.repeat(3, axis=0).repeat(3, axis=1) * np.tile(cells, (height, width, 1)) * 1.8
    camera = rng.uniform(0.35, 0.75)
    page = replace(
        _resized(page, 3.0),
        pixels=(0.06 + 0.94 * enlarged).clip(0, 1),  # a screen's black shines too
    )
    page = _resized(_tilted(page, rng, turn=5, perspective=0.04, beyond="reflect"), camera)
    return _as_jpeg(_noisy(page, rng.uniform(0.005, 0.02), rng), int(rng.integers(60, 92)))


def webcam(page: Page, rng: np.random.Generator) -> Page:
    """Few pixels, sharpened too much and enlarged, smeared by a moving hand."""
    page = _tilted(page, rng, turn=10, perspective=0.1)
    page = _resized(page, float(rng.uniform(30, 60)) / page.height)
    page = _noisy(_moved(page, rng.uniform(1, 4), rng), rng.uniform(0.01, 0.03), rng)
    sharp = as_image(page.pixels).filter(ImageFilter.UnsharpMask(2, 150, 0))
    return _as_jpeg(
        _resized(replace(page, pixels=as_pixels(sharp)), rng.uniform(1, 3)), int(rng.integers(25, 60))
    )


def fax(page: Page, rng: np.random.Generator) -> Page:
    """Black or white and nothing between, with specks."""
    page = _noisy(_blurred(_tilted(page, rng, turn=3, perspective=0), 0.7), 0.06, rng)
    grey = page.pixels.mean(axis=2)
    low, high = np.percentile(grey, (0.1, 60))
    bits = (grey > low + (high - low) * rng.uniform(0.45, 0.75)).astype(np.float32)
    specks = rng.uniform(0, 1, bits.shape) < rng.uniform(0, 0.003)
    return replace(page, pixels=np.repeat(np.where(specks, 1 - bits, bits)[..., None], 3, axis=2))


def jpeg(page: Page, rng: np.random.Generator) -> Page:
    """Saved by a program that compresses."""
    return _as_jpeg(page, int(rng.integers(20, 90)))


def enlarged(page: Page, rng: np.random.Generator) -> Page:
    """Shown so large that each of its pixels is a square."""
    return _resized(page, int(rng.integers(8, 25)), Image.Resampling.NEAREST)


def inverted(page: Page, rng: np.random.Generator) -> Page:
    """The negative."""
    return replace(page, pixels=1 - page.pixels)


def cut_out(page: Page, rng: np.random.Generator) -> Page:
    """Only the strokes, on a transparent ground."""
    colour = np.array(page.colour, np.float32)
    return replace(page, pixels=np.broadcast_to(colour, page.pixels.shape), alpha=page.ink)


def border(page: Page, rng: np.random.Generator) -> Page:
    """A frame along the edge of the picture, in the colour of the ink."""
    thickness = max(1, round(page.height * log_uniform(0.01, 0.08, rng)))
    pixels = page.pixels.copy()
    for edge in (pixels[:thickness], pixels[-thickness:], pixels[:, :thickness], pixels[:, -thickness:]):
        edge[:] = page.colour
    return replace(page, pixels=pixels)


def form_box(page: Page, rng: np.random.Generator) -> Page:
    """A printed box round the writing, as in a form."""
    left, top, right, bottom = _extent(page)
    pad = page.pen / 2 + page.height * rng.uniform(0.1, 0.35, 4)
    image = as_image(page.pixels)
    outline = tuple(int(255 * c) for c in (page.colour if rng.uniform() < 0.5 else (0.4, 0.45, 0.5)))
    corners = (left - pad[0], top - pad[1], right + pad[2], bottom + pad[3])
    ImageDraw.Draw(image).rectangle(
        corners, outline=outline, width=max(1, round(page.height * rng.uniform(0.01, 0.04)))
    )
    return replace(page, pixels=as_pixels(image))


def axes(page: Page, rng: np.random.Generator) -> Page:
    """A plotting library's figure: the picture enlarged in the middle, with ticks and numbers round it."""
    grey = page.pixels.mean(axis=2)
    if rng.uniform() < 0.5:  # dark blue to yellow, the usual colours of such plots
        stops = np.array([(0.27, 0.0, 0.33), (0.13, 0.57, 0.55), (0.99, 0.91, 0.14)])
        pixels = np.stack([np.interp(grey, (0, 0.5, 1), stops[:, c]) for c in range(3)], axis=2).astype(
            np.float32
        )
        page = replace(page, pixels=pixels)
    width, height = page.size
    page = _resized(page, rng.uniform(250, 370) / height, Image.Resampling.NEAREST)
    left, top, right, bottom = 60, 40, 30, 40
    figure = Image.new("RGB", (page.size[0] + left + right, page.size[1] + top + bottom), "white")
    figure.paste(as_image(page.pixels), (left, top))
    draw = ImageDraw.Draw(figure)
    draw.rectangle((left, top, left + page.size[0], top + page.size[1]), outline=0)
    font = ImageFont.load_default(13)
    for number in range(0, max(width, height), 5 if height <= 40 else 50):
        x, y = (left + (number + 0.5) * page.size[0] / width, top + (number + 0.5) * page.size[1] / height)
        if number < width:
            draw.line((x, top + page.size[1], x, top + page.size[1] + 4), 0)
            draw.text((x, top + page.size[1] + 6), str(number), 0, font, anchor="ma")
        if number < height:
            draw.line((left - 4, y, left, y), 0)
            draw.text((left - 7, y), str(number), 0, font, anchor="rm")
    moved = tuple(glyph + np.array((left, top), np.float32) for glyph in page.glyphs)
    return replace(page, pixels=as_pixels(figure), glyphs=moved)


def _extent(page: Page) -> tuple[float, float, float, float]:
    points = np.concatenate(page.glyphs)
    left, top = points.min(axis=0).tolist()
    right, bottom = points.max(axis=0).tolist()
    return left, top, right, bottom


def _resized(page: Page, factor: float, filter: Image.Resampling = Image.Resampling.HAMMING) -> Page:
    size = (max(1, round(page.size[0] * factor)), max(1, round(page.size[1] * factor)))
    scale = (np.array(size) / page.size).astype(np.float32)
    return replace(
        page,
        pixels=as_pixels(as_image(page.pixels).resize(size, filter)),
        glyphs=tuple(glyph * scale for glyph in page.glyphs),
        height=page.height * factor,
        pen=page.pen * factor,
    )


def _tilted(
    page: Page,
    rng: np.random.Generator,
    turn: float,
    perspective: float,
    beyond: Literal["edge", "reflect"] = "edge",
) -> Page:
    """Turned by up to `turn` degrees, its corners moved by up to `perspective` of its sides.

    What lies beyond the page goes on as its edge does, or mirrors it. The writing stays in the picture.
    """
    width, height = page.size
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], float)
    angle = np.radians(rng.uniform(-turn, turn))
    rotation = np.array([(np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))])
    middle = corners.mean(axis=0)
    moved = (corners - middle) @ rotation + middle
    moved += rng.uniform(-perspective, perspective, (4, 2)) * min(width, height)
    # A long line of digits leaves the picture sooner than a single one; then it is turned less.
    for strength in (1, 0.5, 0.25, 0.1, 0):
        target = corners + strength * (moved - corners)
        forward = _homography(corners, target)
        glyphs = tuple(_mapped(glyph, forward) for glyph in page.glyphs)
        points = np.concatenate(glyphs) if glyphs else middle[None]
        if points.min() > page.pen / 2 and bool((points < np.array(page.size) - page.pen / 2).all()):
            break
    pad = max(width, height) // 2
    image = as_image(np.pad(page.pixels, ((pad, pad), (pad, pad), (0, 0)), mode=beyond))
    back = _homography(target, corners + pad).ravel()[:8].tolist()
    transform, bicubic = Image.Transform.PERSPECTIVE, Image.Resampling.BICUBIC
    # Seen from a steep angle, even that ends.
    rest = tuple((np.median(page.pixels, axis=(0, 1)) * 255).astype(int).tolist())
    pixels = as_pixels(image.transform(page.size, transform, back, bicubic, fillcolor=rest))
    return replace(page, pixels=pixels, glyphs=glyphs)


def _homography(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """The (3, 3) that takes four corners (4, 2) to four others, its last entry 1."""
    rows, values = [], []
    for (x, y), (u, v) in zip(source.tolist(), target.tolist(), strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return np.append(np.linalg.solve(np.array(rows), np.array(values)), 1).reshape(3, 3)


def _mapped(points: Points, homography: NDArray[np.float64]) -> Points:
    homogeneous = np.column_stack([points, np.ones(len(points))]) @ homography.T
    return np.asarray(homogeneous[:, :2] / homogeneous[:, 2:], np.float32)


def _blurred(page: Page, radius: float) -> Page:
    return replace(page, pixels=as_pixels(as_image(page.pixels).filter(ImageFilter.GaussianBlur(radius))))


def _moved(page: Page, distance: float, rng: np.random.Generator) -> Page:
    """Smeared along a line of at most 4 pixels, as when a hand shakes."""
    angle = rng.uniform(0, np.pi)
    along = np.linspace(-distance / 2, distance / 2, 9)
    weights = np.zeros((5, 5))
    np.add.at(
        weights,
        (2 + np.rint(along * np.sin(angle)).astype(int), 2 + np.rint(along * np.cos(angle)).astype(int)),
        1,
    )
    smear = ImageFilter.Kernel((5, 5), weights.ravel().tolist())
    return replace(page, pixels=as_pixels(as_image(page.pixels).filter(smear)))


def _noisy(page: Page, deviation: float, rng: np.random.Generator) -> Page:
    """Sensor noise: half in brightness, half in each colour by itself."""
    shape = page.pixels.shape
    grains: Pixels = noise(shape[:2], 1, rng)[..., None] + rng.standard_normal(shape, np.float32)
    return replace(page, pixels=(page.pixels + np.float32(deviation * 0.7) * grains).clip(0, 1))


def _as_jpeg(page: Page, quality: int) -> Page:
    buffer = io.BytesIO()
    as_image(page.pixels).save(buffer, "JPEG", quality=quality)
    return replace(page, pixels=as_pixels(Image.open(buffer)))
