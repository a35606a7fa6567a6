"""The built-in data set: handwritten digits drawn from the pen paths in `strokes`, from a seed.

Pictures follow MNIST's convention (LeCun et al., 1998): ink on black, the longest side 20 pixels, the centre
of mass in the middle of 28x28, soft edges and a saturated core.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from digitcli.convention import CLASSES, SIDE
from digitcli.data.digits import DataSet, Digits
from digitcli.simulator.strokes import fit_box, frequencies, handwrite
from digitcli.simulator.styles import STYLES

BOX = 20
"""MNIST fits the ink into a square of this side before it centres it."""

CHUNK = 256
"""Pictures drawn at a time: few enough that they stay in the processor's cache."""


def dataset(seed: int = 0, train: int = 20_000, test: int = 5_000) -> DataSet:
    """Training and test digits that share no sample: they are drawn from different seeds."""
    return DataSet(
        generate(train, 2 * seed),
        generate(test, 2 * seed + 1),
        f"synthetic digits drawn from seed {seed}",
    )


def generate(count: int, seed: int = 0) -> Digits:
    """`count` synthetic digits, shuffled and balanced; identical for the same count and seed."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % CLASSES).astype(np.uint8)
    images = np.empty((count, SIDE, SIDE), np.uint8)
    for digit in range(CLASSES):
        of_digit = np.flatnonzero(labels == digit)
        style = rng.choice(len(STYLES[digit]), size=len(of_digit), p=frequencies(digit))
        for index, each in enumerate(STYLES[digit]):
            rows = of_digit[style == index]
            for start in range(0, len(rows), CHUNK):
                chunk = rows[start : start + CHUNK]
                path = handwrite(each, len(chunk), rng)
                width = np.minimum(pen_widths(len(chunk), rng), _widest(path))
                images[chunk] = render(path, width, rng)
    return Digits(images, labels, "synthetic")


def pen_widths(count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Widths in pixels of 28x28, from a hair (0.8) to a marker (5), mostly a pen's; (count,)."""
    return np.clip(np.exp(rng.normal(np.log(2.6), 0.35, count)), 0.8, 5.0).astype(np.float32)


def _widest(path: NDArray[np.float32]) -> NDArray[np.float32]:
    """The widest pen, in pixels, that leaves a digit's loops open; with a wider one people write larger. (n,)

    What a path is longer than the diagonal of its box fills that box.
    """
    path = BOX * fit_box(path)
    length = np.sum(np.linalg.norm(np.diff(path, axis=1), axis=2), axis=1)
    side = np.maximum(np.max(path, axis=1), 4)
    filling = np.maximum(length - np.linalg.norm(side, axis=1), 1)
    widest: NDArray[np.float32] = 0.65 * np.prod(side, axis=1) / filling
    return np.maximum(widest, 0.8)


def render(
    path: NDArray[np.float32], width: NDArray[np.float32], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Draws pen paths in MNIST's convention.

    path: (n, points, 2), as from `strokes.handwrite`; width: (n,), the pen's, in pixels.
    Returns (n, 28, 28) uint8, 0 paper to 255 ink.
    """
    radius = width[:, None] * np.float32(0.5)
    pressure = radius * _pressure(path.shape[0], path.shape[1], rng)
    distance = _distance_to_ink(_place(path, radius), pressure, radius)
    # Scanned edges are ragged; scaled down, they are soft.
    distance += rng.normal(0, 0.1, distance.shape).astype(np.float32)
    softness = rng.uniform(1.0, 2.0, (len(path), 1, 1)).astype(np.float32)
    ink = np.clip(0.5 - distance / softness, 0, 1)
    ink = ink * ink * (3 - 2 * ink)
    return _centre_by_mass(np.rint(ink * 255).astype(np.uint8))


def _pressure(count: int, points: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """How the pen's width varies along its path, about 1; (count, points)."""
    along = np.linspace(0, 2 * np.pi, points, dtype=np.float32)
    factor = np.ones((count, points), np.float32)
    for frequency in (0.5, 1.0, 2.0):
        phase = rng.uniform(0, 2 * np.pi, (count, 1)).astype(np.float32)
        factor += rng.normal(0, 0.08, (count, 1)).astype(np.float32) * np.sin(frequency * along + phase)
    return np.clip(factor, 0.6, 1.5)


def _place(path: NDArray[np.float32], radius: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scales paths to pixels, so that the ink about them spans the box, and centres the shorter side."""
    side: NDArray[np.float32] = BOX - 2 * radius[..., None]
    path = fit_box(path) * side
    margin: NDArray[np.float32] = BOX - path.max(axis=1, keepdims=True)
    return path + margin * np.float32(0.5)


def _distance_to_ink(
    path: NDArray[np.float32], pressure: NDArray[np.float32], radius: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Distance of each pixel of the box to the edge of the ink, in pixels, negative inside; (n, BOX, BOX).

    The ink is a disc of radius `pressure` (n, points) at every point. Near the edge of a disc of radius r,
    (d² - r²) / 2r is the distance to it, and it is a sum of a part for x and one for y: two operations per
    pixel and point, where distances to line segments would take ten.
    """
    centres = np.arange(BOX, dtype=np.float32) + 0.5
    scale = (0.5 / pressure)[..., None]
    x_part = scale * (centres - path[..., :1]) ** 2 - pressure[..., None] / 2
    y_part = scale * (centres - path[..., 1:]) ** 2
    nearest = np.full((len(path), BOX, BOX), np.inf, np.float32)
    for point in range(path.shape[1]):
        np.minimum(nearest, y_part[:, point, :, None] + x_part[:, point, None, :], out=nearest)
    # Back from (d² - r²) / 2r to d - r, for the mean radius.
    mean = radius[..., None]
    distance: NDArray[np.float32] = np.sqrt(np.maximum(2 * mean * nearest + mean**2, 0)) - mean
    return distance


def _centre_by_mass(box: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Puts boxes (n, BOX, BOX) into 28x28 with their centres of mass in the middle, by whole pixels."""
    count = len(box)
    mass = box.sum(axis=(1, 2), dtype=np.float32)
    centres = np.arange(BOX, dtype=np.float32) + 0.5
    margin = SIDE - BOX
    top = np.clip(np.rint(SIDE / 2 - box.sum(axis=2) @ centres / mass), 0, margin).astype(np.intp)
    left = np.clip(np.rint(SIDE / 2 - box.sum(axis=1) @ centres / mass), 0, margin).astype(np.intp)
    images = np.zeros((count, SIDE, SIDE), np.uint8)
    offsets = np.arange(BOX)
    rows = (top[:, None] + offsets)[:, :, None]
    columns = (left[:, None] + offsets)[:, None, :]
    images[np.arange(count)[:, None, None], rows, columns] = box
    return images
