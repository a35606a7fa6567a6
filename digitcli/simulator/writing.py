"""What is written: digits in lines, letters and scribbles, as strokes measured in heights of a digit.

What is written in a line stands on it, at y = 1.
"""

from __future__ import annotations

from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from digitcli.simulator.letters import LETTERS
from digitcli.simulator.strokes import SPACING, fit_box, handwrite, strokes
from digitcli.simulator.styles import STYLES, Style

Strokes = list[NDArray[np.float32]]
"""One glyph: a polyline (points, 2) of x, y per stroke, y pointing down."""

WIDEST = 1.4
"""Of a digit, in heights. People make digits equally high, and few wider than this."""

OVERLAP = 0.15
"""Of two digits that touch, in heights, at most."""

AMBIGUOUS = {
    0: ("begun with a downstroke",),
    1: ("foot to one side",),
    2: ("stub foot", "short stem"),
    3: ("stretched",),
    4: ("pointed, one stroke", "swung"),
    5: ("closed belly",),
    6: ("loop to the top",),
    7: ("barred at the foot", "open hook"),
    8: ("small top", "open on the right", "narrow loops"),
    9: ("cup and leg", "loop apart from the leg"),
}
"""Styles left out: people, too, tell them apart only by what stands beside, as a 0 that might be a 6."""

UPSTROKES = {"flag": 4, "flag and foot": 3, "long upstroke": 4}
"""Weights of the ways to begin a 1 with an upstroke, as half of the world does, and few in MNIST."""

_STEEP, _LEVEL = 35.0, 25.0
"""Degrees by which the upstroke of a 1 rises at least, and the top of a 7 at most."""

_SHORT, _LONG = 0.2, 0.35
"""Of the stem's length: an upstroke that is shorter is none, the top of a 7 is at least so long."""

_SEGMENTS = {  # of a display, between the corners of two squares on top of each other
    "a": ((0, 0), (1, 0)),
    "b": ((1, 0), (1, 1)),
    "c": ((1, 1), (1, 2)),
    "d": ((1, 2), (0, 2)),
    "e": ((0, 2), (0, 1)),
    "f": ((0, 1), (0, 0)),
    "g": ((0, 1), (1, 1)),
}
_LIT = ("abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgedc", "abc", "abcdefg", "gfabcd")


def handwritten(digit: int, rng: np.random.Generator) -> Strokes:
    """A digit in anyone's hand that anyone can read, of height 1, or less if it is so wide, on its line."""
    styles = [style for style in STYLES[digit] if style.name not in AMBIGUOUS.get(digit, ())]
    weights = np.array([UPSTROKES.get(style.name, style.weight) for style in styles])
    while True:
        glyph = strokes(digit, rng, styles[rng.choice(len(styles), p=weights / weights.sum())].name)
        if is_clear(digit, glyph):
            break
    width, height = np.ptp(np.concatenate(glyph), axis=0)
    return _on_line([stroke * min(1 / height, WIDEST / width) for stroke in glyph])


def is_clear(digit: int, glyph: Strokes) -> bool:
    """Whether a person would not take a 1 for a 7 or the other way round; other digits always are.

    A foot or a bar tells them; without these it is the first part of the stroke, which rises steeply to
    the top of a 1 and runs along the top of a 7.
    """
    if digit not in (1, 7) or len(glyph) > 1:
        return True
    stroke = glyph[0]
    start, end = stroke[0], stroke[-1]
    across = np.array([start[1] - end[1], end[0] - start[0]])
    corner = stroke[np.abs((stroke - start) @ across).argmax()]
    first, stem = start - corner, end - corner
    length = float(np.linalg.norm(first) / max(float(np.linalg.norm(stem)), 1e-6))
    turns = float(first @ stem) > 0  # else it is about straight
    rises = float(np.degrees(np.arctan2(first[1], -first[0])))
    if digit == 1:
        return not turns or length < _SHORT or rises >= _STEEP
    return length >= _LONG and rises <= _LEVEL


def segments(digit: int, rng: np.random.Generator) -> Strokes:
    """A digit as displays with seven segments show it, of height 1, slanted a little or not."""
    width, slant, gap = rng.uniform(0.42, 0.62), rng.choice([0, rng.uniform(0, 0.2)]), rng.uniform(0, 0.05)
    lines = []
    for name in _LIT[digit]:
        line = np.array(_SEGMENTS[name], float) * (width, 0.5)
        line += (line[::-1] - line) * gap
        line[:, 0] += slant * (1 - line[:, 1])
        lines.append(np.linspace(line[0], line[1], 12).astype(np.float32))
    return lines


def letter(rng: np.random.Generator) -> Strokes:
    """A Latin letter that resembles no digit, its longest side 1, on its line."""
    return _on_line(written(LETTERS[rng.integers(len(LETTERS))], rng))


def scribble(rng: np.random.Generator) -> Strokes:
    """Something that is no sign at all: a zigzag, a tangle or hatching, its longest side 1."""
    count = int(rng.integers(9, 20))
    shape = rng.integers(3)
    if shape == 0:
        points = np.stack([np.arange(count) * 10, np.arange(count) % 2 * 60], axis=1) + rng.normal(
            0, 6, (count, 2)
        )
    elif shape == 1:
        points = rng.uniform(0, 100, (count, 2))
    else:
        points = np.stack([np.arange(count) % 2 * 90, np.arange(count) * 8], axis=1) + rng.normal(
            0, 5, (count, 2)
        )
    # No point twice in a row: a curve through both would have no direction there.
    path = " ".join(word for word, _ in groupby(f"{x:.0f},{y:.0f}" for x, y in points))
    return written(Style("scribble", 1, (path,)), rng)


def widest_pen(glyph: Strokes) -> float:
    """The widest pen that leaves the loops of a glyph open, in its own units.

    What its strokes are longer than the diagonal of its box fills that box.
    """
    points = np.concatenate(glyph)
    length = sum(float(np.linalg.norm(np.diff(stroke, axis=0), axis=1).sum()) for stroke in glyph)
    side = np.maximum(np.ptp(points, axis=0), 0.2)
    filling = max(length - float(np.hypot(*side)), 0.05)
    return max(0.5 * float(side.prod()) / filling, 0.04)


def arrange(
    lines: list[list[Strokes]], pen: float, rng: np.random.Generator, touching: float | None = None
) -> list[Strokes]:
    """Puts glyphs side by side and lines below each other as one hand does.

    pen: its width in heights of a digit, which neighbours keep free between them, except for those that
    touch: the few pairs of a hand in a hurry, or so many of all pairs, 0-1, which may overlap as well.
    Returns the glyphs, moved, in reading order; the ink starts at about 0, 0.
    """
    spacing, hurried = rng.uniform(0.12, 0.5), rng.choice([0, 0, rng.uniform(0, 0.4)])
    share, least = (hurried, 0.0) if touching is None else (touching, -OVERLAP)
    slope, lead = rng.normal(0, 0.02), rng.uniform(1.6, 2.4)
    placed = []
    for row, glyphs in enumerate(lines):
        x = rng.uniform(0, 0.5) if len(lines) > 1 else 0.0
        for glyph in glyphs:
            scale = np.clip(rng.normal(1, 0.06), 0.85, 1.15)
            points = np.concatenate(glyph) * scale
            low, high = points.min(axis=0), points.max(axis=0)
            base = row * lead + 1 + slope * x + rng.normal(0, 0.03)
            shift = np.array([x - low[0], base - scale])
            placed.append([(stroke * scale + shift).astype(np.float32) for stroke in glyph])
            close = rng.uniform() < share
            gap = rng.uniform(least, pen) if close else pen + max(spacing * np.exp(rng.normal(0, 0.25)), 0.08)
            x += high[0] - low[0] + gap
    return placed


def _on_line(glyph: Strokes) -> Strokes:
    """Its lowest point at y = 1."""
    down = np.array((0, 1 - np.concatenate(glyph)[:, 1].max()), np.float32)
    return [stroke + down for stroke in glyph]


def written(style: Style, rng: np.random.Generator) -> Strokes:
    """Any style once, its longest side 1."""
    path = fit_box(handwrite(style, 1, rng))[0]
    jumps = np.flatnonzero(np.linalg.norm(np.diff(path, axis=0), axis=1) > 5 * SPACING)
    return np.split(path, jumps + 1)
