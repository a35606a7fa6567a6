"""Digits as the path of a pen: geometry only, no pixels.

Each sample is a random mixture of a style's skeletons, then bent, stretched, slanted and turned as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from digitcli.simulator.styles import STYLES, Style

SPACING = 0.025
"""Distance between neighbouring points of a path, in heights of the digit (half a pixel in MNIST)."""


def strokes(digit: int, rng: np.random.Generator, style: str | None = None) -> list[NDArray[np.float32]]:
    """One digit as a person might write it, to be drawn at any size with any pen.

    digit: 0-9; style: the name of one of STYLES[digit], or None for a random one, as frequent as its weight.
    Returns one polyline (points, 2) of x, y per stroke, y pointing down, scaled so that the digit's longest
    side is 1 and its upper left corner is at 0, 0. Raises KeyError for a digit or style that is not there.
    """
    styles = STYLES[digit]
    if style is None:
        chosen = styles[rng.choice(len(styles), p=frequencies(digit))]
    else:
        chosen = {each.name: each for each in styles}[style]
    return split(fit_box(handwrite(chosen, 1, rng))[0], chosen)


def split(path: NDArray[np.float32], style: Style) -> list[NDArray[np.float32]]:
    """The path (points, 2) of a style as its strokes."""
    return np.split(path, np.cumsum(_skeleton(style).lengths)[:-1])


def frequencies(digit: int) -> NDArray[np.float64]:
    """How often each style of a digit is met; (styles,), sums to 1."""
    weights = np.array([style.weight for style in STYLES[digit]], np.float64)
    return weights / np.sum(weights)


def handwrite(style: Style, count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """The pen's path in `count` samples of a style: (count, points, 2) of x, y in about 0-1, y pointing down.

    Points lie about SPACING apart; from the end of one stroke the path jumps to the start of the next.
    """
    skeleton = _skeleton(style)
    variants = len(skeleton.controls)
    mixture = rng.dirichlet(np.full(variants, 0.8), count).astype(np.float32)
    controls = np.einsum("nv,vkd->nkd", mixture, skeleton.controls)
    controls += rng.normal(0, 0.022, controls.shape)
    _stretch_ends(controls, skeleton, rng)
    path = np.einsum("pk,nkd->npd", skeleton.basis, controls)
    return _deform(path, rng).astype(np.float32)


def fit_box(path: NDArray[np.float32]) -> NDArray[np.float32]:
    """Paths (count, points, 2), each moved and scaled so that its longest side runs from 0 to 1."""
    low: NDArray[np.float32] = path.min(axis=1, keepdims=True)
    side: NDArray[np.float32] = np.ptp(path, axis=1, keepdims=True).max(axis=2, keepdims=True)
    return (path - low) / side


def _stretch_ends(controls: NDArray[np.float32], skeleton: _Skeleton, rng: np.random.Generator) -> None:
    """Strokes begin and end early or late: moves their end points along the stroke, in place."""
    for first, last in skeleton.ends:
        for end, inward in ((first, first + 1), (last, last - 1)):
            amount = rng.normal(0, 0.12, (len(controls), 1))
            controls[:, end] += amount * (controls[:, end] - controls[:, inward])


def _deform(path: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Bends, stretches, slants and turns each path as a whole."""
    count = len(path)

    def vary(spread: float) -> NDArray[np.float32]:
        return rng.normal(0, spread, (count, 1)).astype(np.float32)

    # Long waves are the hand's own proportions, short ones its tremor.
    path = path + _waves(path, 4, (0.3, 1.2), 0.035, rng) + _waves(path, 2, (3.0, 6.0), 0.004, rng)
    x, y = path[..., 0], path[..., 1]
    x = x - x.mean(axis=1, keepdims=True)
    # Upper and lower half differ in height and in width.
    top = y.min(axis=1, keepdims=True)
    y = ((y - top) / (y.max(axis=1, keepdims=True) - top)) ** np.exp(vary(0.14)) - 0.5
    x = x * np.exp(0.06 + vary(0.18)) * (1 + np.clip(vary(0.2), -0.5, 0.5) * y)
    x = x - (0.1 + vary(0.23)) * y
    turn = vary(0.1)
    return np.stack([x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)], axis=-1)


def _waves(
    path: NDArray[np.float32],
    count: int,
    frequencies: tuple[float, float],
    amplitude: float,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """A smooth random displacement of the plane, another for each path: a sum of plane waves."""
    field = np.zeros_like(path)
    for _ in range(count):
        samples = (len(path), 1)
        angle = rng.uniform(0, 2 * np.pi, samples)
        frequency = 2 * np.pi * rng.uniform(*frequencies, samples)
        along_x = (frequency * np.cos(angle)).astype(np.float32)
        along_y = (frequency * np.sin(angle)).astype(np.float32)
        phase = rng.uniform(0, 2 * np.pi, samples).astype(np.float32)
        push = rng.normal(0, amplitude, (len(path), 1, 2)).astype(np.float32)
        field += push * np.sin(path[..., 0] * along_x + path[..., 1] * along_y + phase)[..., None]
    return field


@dataclass(frozen=True)
class _Skeleton:
    """A style, ready to be drawn: the path is `basis` times the control points, whatever these are moved to.

    controls: (skeletons, control points, 2); basis: (points, control points).
    ends: first and last control point of each stroke; lengths: points of each stroke.
    """

    controls: NDArray[np.float32]
    basis: NDArray[np.float32]
    ends: list[tuple[int, int]]
    lengths: list[int]


@cache
def _skeleton(style: Style) -> _Skeleton:
    parsed = [_parse(skeleton) for skeleton in style.skeletons]
    controls = np.array([points for points, _ in parsed])
    mean = controls.mean(axis=0)
    pieces = parsed[0][1]
    rows, ends, lengths = [], [], []
    for stroke in pieces:
        length = 0
        for first, last in stroke:
            curve = _spline(mean[first : last + 1])
            block = np.zeros((len(curve), len(mean)))
            block[:, first : last + 1] = curve
            rows.append(block)
            length += len(block)
        ends.append((stroke[0][0], stroke[-1][1]))
        lengths.append(length)
    return _Skeleton(controls.astype(np.float32), np.concatenate(rows).astype(np.float32), ends, lengths)


def _parse(skeleton: str) -> tuple[NDArray[np.float64], list[list[tuple[int, int]]]]:
    """Control points, and for each stroke the first and last point of every smooth piece."""
    points: list[tuple[float, float]] = []
    strokes = []
    for stroke in skeleton.split("|"):
        start, pieces = len(points), []
        for word in stroke.split():
            x, y = word.rstrip("!").split(",")
            points.append((float(x) / 100, float(y) / 100))
            if word.endswith("!"):
                pieces.append((start, len(points) - 1))
                start = len(points) - 1
        pieces.append((start, len(points) - 1))
        strokes.append(pieces)
    return np.array(points), strokes


def _spline(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The matrix (samples, points) that turns control points into a smooth curve through them.

    A cubic Hermite spline over centripetal knots with tangents from parabolas (Catmull and Rom, 1974;
    knots after Lee, 1989), sampled SPACING apart for the points given.
    """
    steps = np.sqrt(np.linalg.norm(np.diff(points, axis=0), axis=1))
    knots = np.concatenate([[0], np.cumsum(steps)])
    identity = np.eye(len(points))
    slopes = np.diff(identity, axis=0) / steps[:, None]
    tangents = np.empty_like(identity)
    before, after = steps[:-1, None], steps[1:, None]
    tangents[1:-1] = (slopes[:-1] * after + slopes[1:] * before) / (before + after)
    tangents[0] = 2 * slopes[0] - tangents[1] if len(points) > 2 else slopes[0]
    tangents[-1] = 2 * slopes[-1] - tangents[-2] if len(points) > 2 else slopes[-1]

    def matrix(at: NDArray[np.float64]) -> NDArray[np.float64]:
        piece = np.clip(np.searchsorted(knots, at, side="right") - 1, 0, len(steps) - 1)
        step = steps[piece, None]
        t = (at[:, None] - knots[piece, None]) / step
        return np.asarray(
            (2 * t**3 - 3 * t**2 + 1) * identity[piece]
            + (t**3 - 2 * t**2 + t) * step * tangents[piece]
            + (3 * t**2 - 2 * t**3) * identity[piece + 1]
            + (t**3 - t**2) * step * tangents[piece + 1]
        )

    fine = np.linspace(0, knots[-1], 200)
    curve = matrix(fine) @ points
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))])
    samples = max(2, round(length[-1] / SPACING) + 1)
    return matrix(np.interp(np.linspace(0, length[-1], samples), length, fine))
