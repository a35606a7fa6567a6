"""How light falls on a page."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from digitcli.simulator.page import Page, Pixels


def slope(page: Page, rng: np.random.Generator) -> Page:
    """A lamp at one side: bright there, dark at the other, and warm or cold."""
    ramp = _across(page, rng)
    tint = 1 + rng.normal(0, 0.03, 3)
    return _lit(page, (1.05 - rng.uniform(0.3, 0.65) * ramp)[..., None] * tint.astype(np.float32))


def spot(page: Page, rng: np.random.Generator) -> Page:
    """A flash or a desk lamp: a bright middle somewhere, corners in the dark."""
    width, height = page.size
    x, y = rng.uniform(0.3, 0.7, 2) * page.size
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    distance = np.hypot((rows - y) / height, (columns - x) / width)
    return _lit(page, (1.05 - rng.uniform(0.5, 1.1) * distance**2)[..., None])


def shadow(page: Page, rng: np.random.Generator) -> Page:
    """The edge of a shadow, sharp or blurred, across the page and over the writing."""
    position = _across(page, rng)
    edge = (position - rng.uniform(0.25, 0.75)) / rng.uniform(0.005, 0.08)
    darkness = rng.uniform(0.35, 0.6) / (1 + np.exp(-edge.clip(-30, 30)))
    return _lit(page, (1 - darkness)[..., None])


def dusk(page: Page, rng: np.random.Generator) -> Page:
    """Too little light: everything is dark, and a little to one side of that."""
    return _lit(page, (rng.uniform(0.22, 0.4) * (1 - 0.3 * _across(page, rng)))[..., None])


def glare(page: Page, rng: np.random.Generator) -> Page:
    """A lamp mirrored in a glossy board, beside the writing or over a part of it."""
    width, height = page.size
    x, y = rng.uniform(0, 1, 2) * page.size
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    radius = rng.uniform(0.3, 0.7) * page.height
    bright = rng.uniform(0.2, 0.45) * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * radius**2))
    dim = slope(page, rng)
    return replace(dim, pixels=(dim.pixels + bright[..., None]).clip(0, 1).astype(np.float32))


def blinds(page: Page, rng: np.random.Generator) -> Page:
    """Stripes of light and shade, as through a window blind."""
    stripes = np.sin(_across(page, rng) * rng.uniform(10, 30) + rng.uniform(0, 2 * np.pi))
    return _lit(page, (0.8 + 0.2 * np.tanh(stripes * rng.uniform(1, 4)))[..., None])


def _across(page: Page, rng: np.random.Generator) -> Pixels:
    """0 at one side of the page to 1 at the opposite one, (height, width), in any direction."""
    width, height = page.size
    angle = rng.uniform(0, 2 * np.pi)
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    along = rows * np.float32(np.sin(angle)) + columns * np.float32(np.cos(angle))
    return np.asarray((along - along.min()) / max(float(np.ptp(along)), 1), np.float32)


def _lit(page: Page, light: Pixels) -> Page:
    return replace(page, pixels=(page.pixels * light.clip(0.05, None)).clip(0, 1).astype(np.float32))
