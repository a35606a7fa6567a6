"""Hands: how one person writes digits and signs in a line, glyph by glyph, as ink.

A hand keeps to its slant, its pen and its way to write each digit, with MNIST's digits as with those drawn
from strokes. What it writes is 64 pixels high, to be reduced later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from digitcli.convention import CLASSES
from digitcli.simulator import signs, typefaces, writing
from digitcli.simulator.letters import LETTERS
from digitcli.simulator.strokes import fit_box, handwrite, split
from digitcli.simulator.styles import STYLES, Style
from digitcli.simulator.world_styles import IN_NUMBERS, WORLD_STYLES

HEIGHT = 64
"""Pixels of a digit."""

LETTER = "?"
"""In a text, any letter, word or scribble."""

_KEPT = 24
"""Paths of a style that a process draws once, to choose from."""

_FLATTER = 0.55
"""Power of the styles' weights: they are MNIST's, and the world writes otherwise."""

_DOUBTFUL = 0.25
"""Of its weight that a style keeps which is clear only from what stands beside it."""

STYLES_OF = [STYLES[digit] + WORLD_STYLES[digit] + IN_NUMBERS.get(digit, ()) for digit in range(CLASSES)]

LETTER_STYLES = (
    *LETTERS,
    *(
        Style(name, 1, (skeleton,))
        for name, skeleton in {
            "y": "4,20 10,48 34,52 56,18! 44,80 16,110",
            "y with a loop": "0,20 8,44 30,48 48,16! 40,60 22,96 4,90 20,64 70,40",
            "y of two strokes": "4,0 20,30 30,44 | 60,0 36,50 10,100",
            "y, straight": "0,10 30,52 | 62,6 30,56 4,104",
            "y, narrow": "6,6 12,40 30,44 46,8! 36,60 10,104",
            "y with a deep cup": "0,14 2,44 24,56 50,40 58,4! 54,70 30,108 4,96",
            "y, its tail straight": "4,4 8,34 30,44 52,4! 50,56 46,110",
            "C, wide": "90,20 56,0 14,18 0,52 18,88 60,98 92,78",
            "C, hooked": "56,26 62,8 36,0 8,26 2,64 24,96 66,88",
            "A, round": "2,100 16,36 38,2 58,34 72,100 | 12,64 66,62",
            "A, one stroke": "0,100 30,10 44,2 54,30 68,100! 40,62 14,60",
            "A, leaning": "-10,98 50,0! 62,100 | 18,66 60,60",
            "C": "60,16 40,0 12,20 2,56 16,92 44,98 64,84",
            "c": "56,30 40,14 12,30 6,64 24,92 60,84",
            "a of one storey": "56,24 34,12 6,36 8,80 34,92 54,60 58,20! 58,70 76,92",
            "a of two storeys": "12,24 36,6 58,24 58,60 60,96 | 58,50 24,50 4,72 20,94 56,80",
            "f with a loop": "30,54 66,20 60,0 40,10 30,60 20,110 2,100 20,74 60,60",
            "f that curves": "66,10 50,0 36,30 28,80 10,104 | 6,50 62,44",
            "w that is round": "0,20 4,70 20,96 38,80 42,40! 46,84 66,96 82,60 84,10",
            "x that curves": "4,10 20,14 40,80 64,90 | 62,8 40,20 20,80 0,92",
            "B": "4,0 6,50 4,100! 4,0! 44,6 46,40 8,48! 56,56 56,92 6,98",
            "D": "4,0 6,50 4,100! 4,0! 50,10 70,50 48,92 4,98",
        }.items()
    ),
)
"""Letters, also such as pass for digits in the middle of a number."""

_PENS, _SLANTS = 8, 6
"""Sorts of pen widths and of slants among MNIST's digits."""

Ink = NDArray[np.uint8]


@dataclass(frozen=True)
class Glyph:
    """What a hand put on paper.

    ink: (height, width) uint8, 0 paper to 255 ink. top: of it, in pixels from the line down, so that a digit
    begins at -HEIGHT. ends: where the pen came to the paper and left it, x, y in pixels from the ink's upper
    left corner; None where it is not known.
    """

    ink: Ink
    top: float
    ends: tuple[tuple[float, float], tuple[float, float]] | None = None


class Bank:
    """MNIST's digits, sorted by pen and slant. images: (n, 28, 28) uint8; labels: (n,)."""

    def __init__(self, images: Ink, labels: Ink) -> None:
        self.images = images
        weights = images.astype(np.float32)
        mass = weights.sum(axis=(1, 2))
        rows, columns = np.arange(28, dtype=np.float32), np.arange(28, dtype=np.float32)
        y = np.einsum("nij,i->n", weights, rows) / mass
        x = np.einsum("nij,j->n", weights, columns) / mass
        dy = rows[None] - y[:, None]
        dx = columns[None] - x[:, None]
        slant = -np.einsum("nij,ni,nj->n", weights, dy, dx) / np.einsum("nij,ni->n", weights, dy**2)
        # What is left of a stroke after it was eaten away from both sides tells how wide it was.
        eaten = np.array([cv2.erode(image, np.ones((3, 3), np.uint8)).sum() for image in images])
        self.sorted: list[list[list[NDArray[np.intp]]]] = []
        for digit in range(CLASSES):
            own = np.flatnonzero(labels == digit)
            by_pen = np.array_split(own[np.argsort((eaten / mass)[own])], _PENS)
            self.sorted.append([np.array_split(each[np.argsort(slant[each])], _SLANTS) for each in by_pen])


class Hand:
    """Somebody. bank: to write with MNIST's digits; None: with drawn strokes. in_number: digits only."""

    def __init__(self, rng: np.random.Generator, bank: Bank | None, *, in_number: bool = False) -> None:
        self.rng = rng
        self.bank = bank
        self.pen = float(np.exp(rng.uniform(np.log(1.8), np.log(11))))
        self.sort, self.slant = int(rng.integers(_PENS)), int(rng.integers(_SLANTS))
        self.width = float(np.exp(rng.normal(0, 0.2)))
        self.shear = float(rng.normal(0.12, 0.22))
        self.hurry = float(rng.uniform(0, 4)) if rng.uniform() < 0.6 else 0.0
        self.nib = float(rng.uniform(0.25, 1)) if rng.uniform() < 0.3 else 0.0
        self.habit = _wave(0.035, rng)
        self.in_number = in_number
        self.styles = [_style(digit, rng, in_number) for digit in range(CLASSES)]
        if bank is not None:
            self.pen = 3 + 0.9 * self.sort

    def digit(self, digit: int) -> Glyph:
        """One digit."""
        return self._real(digit) if self.bank else self._drawn(digit)

    def sign(self, sign: str) -> Glyph:
        """A sign of `signs.SIGNS`."""
        strokes = [stroke * HEIGHT for stroke in signs.written(sign, self.rng)]
        return self._inked(strokes, 0.9 * self.shear)

    def letter(self, in_word: bool = False) -> Glyph:
        """A letter that resembles no digit; in_word: some may, since others stand beside it."""
        rng = self.rng
        if rng.uniform() < 0.5:
            letters = _WORD_LETTERS if in_word else _HERSHEY_LETTERS
            font = int(_HERSHEY[rng.integers(len(_HERSHEY))])
            ink = np.zeros((2 * HEIGHT, 3 * HEIGHT), np.uint8)
            thick = max(1, round(self.pen))
            text = letters[rng.integers(len(letters))]
            cv2.putText(
                ink, text, (HEIGHT // 2, HEIGHT + 20), font, HEIGHT / 22 * rng.uniform(0.7, 1), 255, thick
            )
            return self._warped(ink, HEIGHT + 20)
        style = LETTER_STYLES[rng.integers(len(LETTER_STYLES))]
        strokes = [stroke * HEIGHT for stroke in writing.written(style, rng)]
        return self._inked([stroke - (0, HEIGHT) for stroke in strokes], self.shear)

    def scribble(self) -> Glyph:
        """Something that is no sign at all."""
        strokes = [(stroke - (0, 1)) * HEIGHT for stroke in writing.scribble(self.rng)]
        return self._inked(strokes, self.shear)

    def _drawn(self, digit: int) -> Glyph:
        rng = self.rng
        style = self.styles[digit] if rng.uniform() < 0.8 else _style(digit, rng, self.in_number)
        paths, order = _paths(digit, style)
        near = int(np.clip(rng.normal((self.slant + 0.5) / _SLANTS, 0.12), 0, 0.999) * len(order))
        path = paths[order[near]]
        path = path + _bent(path, *self.habit) + _bent(path, *_wave(0.025, rng))
        path = path - path.min(axis=0)
        path /= max(float(np.ptp(path[:, 1])), float(np.ptp(path[:, 0])) / writing.WIDEST)
        strokes = [_hurried(stroke, self.hurry) for stroke in split(path, STYLES_OF[digit][style])]
        down = np.array((0, max(stroke[:, 1].max() for stroke in strokes)))
        return self._inked([(stroke - down) * HEIGHT for stroke in strokes], self.shear)

    def _inked(self, strokes: Sequence[NDArray[np.floating]], shear: float) -> Glyph:
        moved = [
            np.stack([self.width * (stroke[:, 0] - shear * stroke[:, 1]), stroke[:, 1]], axis=1)
            for stroke in strokes
        ]
        points = np.concatenate(moved)
        room = int(self.pen / 2) + 3
        corner = np.floor(points.min(axis=0)) - room
        size = np.ceil(points.max(axis=0) - corner).astype(int) + room
        ink = np.zeros((int(size[1]), int(size[0])), np.uint8)
        lines = [np.rint((stroke - corner) * 16).astype(np.int32) for stroke in moved]
        if self.nib:
            for line in lines:
                _with_nib(ink, line, self.pen, self.nib)
        else:
            cv2.polylines(ink, lines, False, 255, max(1, round(self.pen)), cv2.LINE_AA, 4)
        first, last = moved[0][0] - corner, moved[-1][-1] - corner
        ends = ((float(first[0]), float(first[1])), (float(last[0]), float(last[1])))
        return Glyph(ink, float(corner[1]), ends)

    def _real(self, digit: int) -> Glyph:
        assert self.bank
        rng = self.rng
        sort = int(np.clip(self.sort + rng.integers(-1, 2), 0, _PENS - 1))
        slant = int(np.clip(self.slant + rng.integers(-1, 2), 0, _SLANTS - 1))
        some = self.bank.sorted[digit][sort][slant]
        image = self.bank.images[some[rng.integers(len(some))]]
        left, top, width, height = cv2.boundingRect(image)
        # In MNIST wide digits are low; a hand writes all equally high, or nearly.
        scale = HEIGHT / 20 * (1 if rng.uniform() < 0.3 else min(20 / height, 1.35))
        angle = rng.normal(0, 0.06)
        shear = self.shear * 0.6 + rng.normal(0, 0.05)
        across = scale * self.width * np.exp(rng.normal(0, 0.06))
        turn = np.array([(np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))])
        linear = turn @ np.array([(across, -shear * scale), (0, scale)])
        corners = np.array(
            [(left, top), (left + width, top), (left, top + height), (left + width, top + height)]
        )
        moved = (corners - 0.5) @ linear.T
        low = moved.min(axis=0) - 2
        size = np.ceil(np.ptp(moved, axis=0)).astype(int) + 4
        warp = np.column_stack([linear, -low])
        ink = cv2.warpAffine(image, warp, (int(size[0]), int(size[1])), flags=cv2.INTER_CUBIC)
        sharp = cv2.convertScaleAbs(cv2.subtract(ink, np.full_like(ink, 64)), alpha=2.0)
        return Glyph(np.asarray(sharp, np.uint8), -float(size[1]) + 2)

    def _warped(self, ink: Ink, line: float) -> Glyph:
        """Ink of any kind, sheared; line: where it stands."""
        shear = self.shear * 0.8
        warp = np.array([(self.width, -shear, shear * line), (0, 1, 0)])
        size = (int(ink.shape[1] * max(self.width, 1)) + HEIGHT, ink.shape[0])
        return cropped(np.asarray(cv2.warpAffine(ink, warp, size), np.uint8), line)


class _Typeface:
    """Who has letters as a typeface has them."""

    rng: np.random.Generator

    def sign(self, sign: str) -> Glyph:
        """A sign or digit."""
        raise NotImplementedError

    def letter(self, in_word: bool = False) -> Glyph:
        """Any letter that is told from digits by its shape or, in_word, by the others beside it."""
        return self.sign(_printed_letter(in_word, self.rng))

    def scribble(self) -> Glyph:
        """A letter: typefaces have no scribbles."""
        return self.letter()


class Printer(_Typeface):
    """A typeface, as a hand that writes all alike."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        every = typefaces.printed()
        self.face = every[rng.integers(len(every))]
        self.weight = int(rng.integers(-1, 4))
        self.width = float(np.exp(rng.normal(0, 0.12)))
        self.segments = bool(rng.uniform() < 0.15)
        self.thick = float(rng.uniform(4, 11))

    def digit(self, digit: int) -> Glyph:
        """One digit."""
        if self.segments:
            strokes = [(stroke - (0, 2)) * HEIGHT / 2 for stroke in writing.segments(digit, self.rng)]
            points = np.concatenate(strokes)
            corner = points.min(axis=0) - 8
            size = np.ceil(points.max(axis=0) - corner).astype(int) + 8
            ink = np.zeros((int(size[1]), int(size[0])), np.uint8)
            lines = [np.rint((stroke - corner) * 16).astype(np.int32) for stroke in strokes]
            cv2.polylines(ink, lines, False, 255, round(self.thick), cv2.LINE_AA, 4)
            return Glyph(ink, float(corner[1]))
        return self.sign(str(digit))

    def sign(self, sign: str) -> Glyph:
        """A sign or digit."""
        return _weighted(_of_face(self.face, sign, self.width), self.weight)


class Scribe(_Typeface):
    """Somebody whose handwriting became a typeface, and who writes it a little differently each time."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        every = typefaces.written()
        self.face = every[rng.integers(len(every))]
        self.weight = int(rng.integers(-1, 4))
        self.width = float(np.exp(rng.normal(0, 0.15)))
        self.shear = float(rng.normal(0, 0.15))

    def digit(self, digit: int) -> Glyph:
        """One digit."""
        return self.sign(str(digit))

    def sign(self, sign: str) -> Glyph:
        """A sign or digit."""
        return _swayed(_weighted(_of_face(self.face, sign, self.width), self.weight), self.shear, self.rng)


Writer = Hand | Printer | Scribe


def cropped(ink: Ink, line: float) -> Glyph:
    """Ink without the empty paper round it; line: the row on which it stands."""
    left, top, width, height = cv2.boundingRect(ink)
    return Glyph(ink[top : top + height, left : left + width], top - line)


_HERSHEY = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_SCRIPT_SIMPLEX,
    cv2.FONT_HERSHEY_SCRIPT_COMPLEX,
)
_HERSHEY_LETTERS = "ABCDEFHKMNPRTUVWXYacdefhkmnprtuvwxy"
_PRINTED_LETTERS = "ABCDEFGHJKLMNPQRTUVWXYabcdefhkmnprtuvwxy"
_WORD_LETTERS = _PRINTED_LETTERS + "eeeaaaooooiiilllssttrrnnhhuuddccmmgggbpqzjyIOSZQB"
_OTHER_SIGNS = "%%%%€€£&@§!?°<>[]_~^"
"""Signs that a reader of numbers should know are no digits."""


def _printed_letter(in_word: bool, rng: np.random.Generator) -> str:
    if not in_word and rng.uniform() < 0.12:
        return _OTHER_SIGNS[rng.integers(len(_OTHER_SIGNS))]
    letters = _WORD_LETTERS if in_word else _PRINTED_LETTERS
    return letters[rng.integers(len(letters))]


def _weighted(glyph: Glyph, weight: int) -> Glyph:
    if not weight:
        return glyph
    ink = cv2.copyMakeBorder(glyph.ink, 4, 4, 4, 4, cv2.BORDER_CONSTANT, value=0)
    change = cv2.dilate if weight > 0 else cv2.erode
    return Glyph(np.asarray(change(ink, np.ones((2 * abs(weight),) * 2, np.uint8))), glyph.top - 4)


def _of_face(face: str, text: str, width: float) -> Glyph:
    """A sign of a typeface, or of another where that has none; its digits are of HEIGHT."""
    found = typefaces.drawn(face, text)
    if found is None:
        face = typefaces.printed()[0]
        found = typefaces.drawn(face, text)
    assert found
    ink, top = found
    scale = HEIGHT / typefaces.height(face)
    size = (max(2, round(ink.shape[1] * scale * width)), max(2, round(ink.shape[0] * scale)))
    return Glyph(np.asarray(cv2.resize(ink, size, interpolation=cv2.INTER_AREA)), top * scale)


def _swayed(glyph: Glyph, shear: float, rng: np.random.Generator) -> Glyph:
    """The same by a hand that is never quite the same."""
    room = HEIGHT // 4
    ink = cv2.copyMakeBorder(glyph.ink, room, room, 2 * room, 2 * room, cv2.BORDER_CONSTANT, value=0)
    rows, columns = np.mgrid[: ink.shape[0], : ink.shape[1]].astype(np.float32)
    line = room - glyph.top
    turn, push = rng.normal(0, 0.05), rng.normal(0, 1.6, (2, 2))
    waves = rng.uniform(0.03, 0.1, (2, 2)) * rng.choice([-1, 1], (2, 2))
    phases = rng.uniform(0, 6.28, 2)
    x = columns + (shear + turn) * (rows - line)
    y = rows - turn * (columns - ink.shape[1] / 2)
    for each in range(2):
        wave = np.sin(waves[each, 0] * columns + waves[each, 1] * rows + phases[each])
        x += push[each, 0] * wave
        y += push[each, 1] * wave
    bent = cv2.remap(ink, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR)
    return cropped(np.asarray(bent, np.uint8), line) if bent.any() else glyph


def _style(digit: int, rng: np.random.Generator, in_number: bool) -> int:
    """The index of a way to write a digit, rarer ones more often than in MNIST."""
    doubtful = writing.AMBIGUOUS.get(digit, ())
    styles = STYLES_OF[digit] if in_number else STYLES[digit] + WORLD_STYLES[digit]
    weights = np.array(
        [
            writing.UPSTROKES.get(style.name, style.weight) ** _FLATTER
            * (_DOUBTFUL if style.name in doubtful else 1)
            for style in styles
        ]
    )
    return int(rng.choice(len(weights), p=weights / weights.sum()))


@cache
def _paths(digit: int, style: int) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Some ways of the pen, (_KEPT, points, 2), of height about 1, and their order by slant."""
    rng = np.random.default_rng([digit, style])
    each = STYLES_OF[digit][style]
    paths = fit_box(handwrite(each, 3 * _KEPT, rng))
    clear = [path for path in paths if writing.is_clear(digit, split(path, each))] or list(paths)
    paths = np.stack(clear[:_KEPT])
    middle = paths - paths.mean(axis=1, keepdims=True)
    slant = -(middle[..., 0] * middle[..., 1]).sum(axis=1) / (middle[..., 1] ** 2).sum(axis=1)
    return paths, np.argsort(slant)


def _hurried(stroke: NDArray[np.float32], hurry: float) -> NDArray[np.float32]:
    """A stroke (points, 2) whose corners and loops are cut, over about `hurry` points."""
    if hurry < 0.4 or len(stroke) < 5:
        return stroke
    window = (1, 2 * round(2 * hurry) + 1)
    smooth = cv2.GaussianBlur(stroke, window, 0.01, sigmaY=hurry, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(smooth, np.float32)


def _with_nib(ink: Ink, line: NDArray[np.int32], pen: float, contrast: float) -> None:
    """Draws a polyline, in sixteenths of a pixel, that is as wide as the pen downwards only."""
    steps = np.diff(line, axis=0).astype(float)
    down = steps[:, 1] / np.maximum(np.linalg.norm(steps, axis=1), 1e-6)
    if len(down) > 8:
        down = np.convolve(down, np.ones(5) / 5, "same")
    wide = 0.35 + 0.65 * down.clip(0, 1)
    for start, end, thick in zip(
        line[:-1].tolist(), line[1:].tolist(), pen * (1 - contrast + contrast * wide), strict=True
    ):
        cv2.line(ink, start, end, 255, max(1, round(1.2 * thick)), cv2.LINE_AA, 4)


def _wave(spread: float, rng: np.random.Generator) -> tuple[NDArray[np.float64], float, NDArray[np.float64]]:
    """How much of a wave x and y are to it, where it begins, and how far it pushes either."""
    angle, frequency, phase = rng.uniform(0, 6.28), rng.uniform(1.5, 6), rng.uniform(0, 6.28)
    return frequency * np.array((np.cos(angle), np.sin(angle))), phase, rng.normal(0, spread, 2)


def _bent(
    path: NDArray[np.float32], along: NDArray[np.float64], phase: float, push: NDArray[np.float64]
) -> NDArray[np.float32]:
    """What a path (points, 2) is moved by, (points, 2): a wave, as from `_wave`."""
    return np.asarray(np.sin(path @ along + phase)[:, None] * push, np.float32)
