"""Ways to see the same drawn line, so that no two epochs are alike."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_CELL = 14
"""Pixels over which a bent line bends."""

Strip = NDArray[np.uint8]


def view(pixels: Strip, rng: np.random.Generator) -> Strip:
    """A strip, (HEIGHT, width), bent, slanted, with another pen, on other paper, in other light."""
    seen = _moved(pixels, rng)
    if rng.uniform() < 0.3:
        thicker = rng.uniform() < 0.5
        change = cv2.dilate if thicker else cv2.erode
        seen = np.asarray(change(seen, np.ones((2, 2), np.uint8)), np.uint8)
    if rng.uniform() < 0.2:
        seen = np.asarray(cv2.GaussianBlur(seen, (0, 0), rng.uniform(0.4, 1.2)), np.uint8)
    if rng.uniform() < 0.3:
        paper = _paper(seen.shape, rng)
        seen = np.asarray(cv2.subtract(cv2.add(seen, paper), _paper(seen.shape, rng)), np.uint8)
    if rng.uniform() < 0.6:
        light = cv2.convertScaleAbs(seen, alpha=rng.uniform(0.6, 1.4), beta=rng.uniform(0, 15))
        seen = np.asarray(light, np.uint8)
    if rng.uniform() < 0.05:
        seen = 255 - seen
    return np.asarray(seen, np.uint8)


def _moved(pixels: Strip, rng: np.random.Generator) -> Strip:
    """A little wider or narrower, higher or lower, slanted, and bent."""
    rows, columns = pixels.shape
    across, down = np.exp(rng.normal(0, 0.13, 2))
    shear = rng.normal(0, 0.16)
    width = max(24, round(columns * across))
    x = (np.arange(width, dtype=np.float32) + 0.5) / np.float32(across) - 0.5 + np.float32(rng.normal(0, 1))
    y = (np.arange(rows, dtype=np.float32)[:, None] - rows / 2) / np.float32(down) + rows / 2
    y = y + np.float32(rng.normal(0, 1.2))
    cells = (2 + rows // _CELL, 2 + width // _CELL)
    push = rng.uniform(0, 2.2)
    bent = [
        cv2.resize(
            rng.normal(0, push, cells).astype(np.float32), (width, rows), interpolation=cv2.INTER_CUBIC
        )
        for _ in range(2)
    ]
    across_map = bent[0] + x + np.float32(shear) * (y - rows / 2)
    down_map = bent[1] + y + np.zeros(width, np.float32)
    return np.asarray(
        cv2.remap(
            pixels,
            across_map.astype(np.float32),
            down_map.astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        ),
        np.uint8,
    )


def _paper(shape: tuple[int, ...], rng: np.random.Generator) -> Strip:
    """What paper of some grain adds to a picture."""
    grain = rng.uniform(1, 12)
    cells = (max(2, int(shape[0] / grain)), max(2, int(shape[1] / grain)))
    small = rng.uniform(0, rng.uniform(5, 50), cells).astype(np.uint8)
    return np.asarray(cv2.resize(small, shape[::-1], interpolation=cv2.INTER_LINEAR), np.uint8)
