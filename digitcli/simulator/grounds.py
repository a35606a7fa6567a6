"""Grey grounds under a line of writing, close up: security paper, account books, wood, light and shade."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from digitcli.simulator.page import log_uniform, noise

Floats = NDArray[np.float32]


def ground(shape: tuple[int, int], height: float, rng: np.random.Generator) -> Floats:
    """How bright the paper is, (rows, columns) float32, 0 to 1.2; height: of a digit, in pixels."""
    pixels = np.ones(shape, np.float32)
    choice = rng.uniform()
    if choice < 0.3:
        pixels -= _guilloche(shape, height, rng)
    elif choice < 0.4:
        pixels -= _hatched(shape, height, rng)
    elif choice < 0.48:
        pixels -= _ruled(shape, height, rng)
    elif choice < 0.56:
        pixels -= rng.uniform(0.02, 0.16) * noise(shape, rng.uniform(0.5, 4), rng)
    elif choice < 0.64:
        pixels -= rng.uniform(0.02, 0.12) * noise(shape, height * rng.uniform(0.1, 1), rng)
    if rng.uniform() < 0.3:
        pixels *= 1 + rng.uniform(0.02, 0.15) * noise(shape, height * rng.uniform(1, 4), rng)
    if rng.uniform() < 0.12:
        pixels *= _shaded(shape, rng)
    return pixels


def _guilloche(shape: tuple[int, int], height: float, rng: np.random.Generator) -> Floats:
    """Families of waving lines, as on cheques."""
    rows, columns = _grid(shape)
    darkness = np.zeros(shape, np.float32)
    strength = rng.uniform(0.06, 0.4)
    for _ in range(rng.integers(1, 4)):
        angle = rng.normal(0, 0.35) if rng.uniform() < 0.7 else rng.uniform(0, np.pi)
        along = columns * np.cos(angle) + rows * np.sin(angle)
        across = rows * np.cos(angle) - columns * np.sin(angle)
        distance = max(height * log_uniform(0.06, 0.4, rng), 2.0)
        for _ in range(rng.integers(1, 3)):
            swing, length = distance * rng.uniform(0.2, 3), height * log_uniform(0.4, 6, rng)
            across = across + swing * np.sin(along * (2 * np.pi / length) + rng.uniform(0, 6.3))
        waves = np.cos(across * (2 * np.pi / distance) + rng.uniform(0, 6.3))
        darkness += strength * np.clip(waves * rng.uniform(1, 3) - rng.uniform(-0.5, 0.8), 0, 1)
    if rng.uniform() < 0.3:  # printed in places only
        darkness *= (noise(shape, height, rng) > rng.uniform(-0.5, 0.7)).astype(np.float32)
    return np.asarray(darkness.clip(0, 0.55), np.float32)


def _hatched(shape: tuple[int, int], height: float, rng: np.random.Generator) -> Floats:
    """Squares, dots or slanting lines, finer than the writing."""
    rows, columns = _grid(shape)
    distance = max(height * log_uniform(0.05, 0.5, rng), 2.0)
    angle = rng.uniform(0, np.pi)
    one = np.cos((columns * np.cos(angle) + rows * np.sin(angle)) * (2 * np.pi / distance))
    other = np.cos((rows * np.cos(angle) - columns * np.sin(angle)) * (2 * np.pi / distance))
    both = (one, np.maximum(one, other), one * other)[rng.integers(3)]
    return np.asarray(rng.uniform(0.05, 0.35) * (both > rng.uniform(0.2, 0.9)), np.float32)


def _ruled(shape: tuple[int, int], height: float, rng: np.random.Generator) -> Floats:
    """Lines of an account book, squared or not."""
    rows, columns = _grid(shape)
    rows = rows + rng.normal(0, 0.02) * columns
    columns = columns + rng.normal(0, 0.02) * rows
    step = height * rng.uniform(0.4, 2)
    thick = max(0.7, height * rng.uniform(0.015, 0.05))

    def lines(at: Floats, distance: float) -> Floats:
        off = np.abs((at - rng.uniform(0, distance)) % distance - distance / 2)
        return np.asarray((thick / 2 + 0.5 - off).clip(0, 1), np.float32)

    drawn = lines(rows, step)
    if rng.uniform() < 0.4:
        drawn = np.maximum(drawn, lines(columns, step if rng.uniform() < 0.7 else 3 * step))
    return np.asarray(drawn * rng.uniform(0.1, 0.6), np.float32)


def _shaded(shape: tuple[int, int], rng: np.random.Generator) -> Floats:
    """A shadow's edge across."""
    rows, columns = _grid(shape)
    angle = rng.uniform(0, 2 * np.pi)
    along = columns * np.cos(angle) + rows * np.sin(angle)
    at = rng.uniform(along.min(), along.max())
    softness = max(shape) * log_uniform(0.01, 0.5, rng)
    return np.asarray(
        1 - rng.uniform(0.1, 0.5) / (1 + np.exp(-((along - at) / softness).clip(-30, 30))), np.float32
    )


def _grid(shape: tuple[int, int]) -> tuple[Floats, Floats]:
    return (
        np.broadcast_to(np.arange(shape[0], dtype=np.float32)[:, None], shape),
        np.broadcast_to(np.arange(shape[1], dtype=np.float32)[None], shape),
    )


def jpeg(pixels: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """(rows, columns) uint8, saved as JPEG and opened again."""
    file = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(file, cv2.IMREAD_GRAYSCALE), np.uint8)
