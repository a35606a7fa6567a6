"""One line of writing, close up, as it is cut out of a cheque or an account book: grey, and with its text."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from digitcli.simulator import texts, typefaces
from digitcli.simulator.grounds import ground, jpeg
from digitcli.simulator.hands import HEIGHT, LETTER, Bank, Glyph, Hand, Printer, Scribe, Writer
from digitcli.simulator.page import log_uniform, noise

LEAST_SEEN = 0.5
"""Of a sign's ink within the picture from which on it counts."""

_LEAST = 4
"""Pixels of a window, either way."""

_DIGITS = "0123456789"
_JOINING = "012356"
"""Digits whose end the pen may leave on the paper, to go on with the next."""

_OF_NUMBERS, _PLAIN = frozenset("0123456789.,'-"), 3
"""Signs of a line in which all else is a digit, and how many digits that takes."""

ALL = 0.32, 0.43, 0.58, 0.635, 0.635, 0.77, 0.875
NUMBERS = 0.5, 0.7, 0.86, 0.94, 0.94, 1.0, 1.0
WORDS = 0.08, 0.16, 0.2, 0.24, 0.74, 0.9, 0.95
"""Shares of amounts, plain numbers, sums, numbers beside letters and among words, none and single digits in
lines, each with those before it; the rest is one digit of many. Of all kinds of lines without words beside;
of numbers, seldom none; of what stands in texts."""

_PRINTED, _WRITTEN = 0.65, 0.85
"""Shares of lines of words that are printed, and with them those in typefaces of handwriting."""

_SMALLEST, _SMALL_PRINT = 11, 7
"""Height of digits in pixels, at least; among words."""

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Line:
    """A line as a picture.

    pixels: (height, width) uint8, grey. text: what is there; a run of letters is one LETTER.
    box: where its ink is, or that of the digit it was cut out round: left, top, width, height in its pixels.
    """

    pixels: NDArray[np.uint8]
    text: str
    box: Box


@dataclass
class _Written:
    ink: NDArray[np.uint8]
    text: str
    lefts: list[float]
    rights: list[float]
    spread: list[NDArray[np.float64]]
    line: float
    in_words: bool


def line(rng: np.random.Generator, bank: Bank, shares: tuple[float, ...] = ALL) -> Line:
    """A line as people hand it over: a number, an amount, a sum, one digit of many, or none.

    shares: as `ALL`.
    """
    amounts, numbers, sums, with_letters, among_words, none, single = shares
    choice = rng.uniform()
    if choice < amounts:
        return _cut(texts.amount(rng), rng, bank)
    if choice < numbers:
        return _cut(texts.number(rng), rng, bank)
    if choice < sums:
        return _cut(texts.sum_(rng), rng, bank)
    if choice < with_letters:
        return _cut(texts.with_letters(rng), rng, bank)
    if choice < among_words:
        return _cut(texts.among_words(rng), rng, bank)
    if choice < none:
        return _cut(texts.none(rng), rng, bank)
    if choice < single:
        return _cut(str(rng.integers(10)), rng, bank)
    return _one_of_many(rng, bank)


def close_up(rng: np.random.Generator, bank: Bank | None = None, *, whole: float = 0.0) -> Line:
    """One digit, alone or with what is in view of its neighbours, or none: as contour code cuts it out.

    bank: the real digits of some; without it nothing is MNIST's. whole: share of those with neighbours whose
    neighbours may be in view as a whole.
    """
    choice = rng.uniform()
    if choice < 0.36:
        return _cut(texts.none(rng), rng, bank)
    if choice < 0.7:
        return _cut(str(rng.integers(10)), rng, bank)
    return _one_of_many(rng, bank, whole=rng.uniform() < whole)


def few(rng: np.random.Generator, bank: Bank) -> Line:
    """A number of two to four digits, cut out round all of them."""
    digits = rng.integers(10, size=rng.integers(2, 5)).tolist()
    return _cut("".join(map(str, digits)), rng, bank)


def _cut(text: str, rng: np.random.Generator, bank: Bank | None) -> Line:
    """A text with the paper round it, more or less of it, or cut."""
    written = _write(text, rng, bank)
    left, top, width, height = (
        cv2.boundingRect(written.ink) if written.ink.any() else (0, 0, *written.ink.shape[::-1])
    )
    if len(text) <= 1 and rng.uniform() < 0.5:  # by somebody's contour code
        margins = rng.uniform(0, 0.06, 4) * max(width, height) * (rng.uniform() < 0.6)
    else:
        margins = HEIGHT * np.exp(rng.uniform(np.log(0.03), np.log((0.5, 0.5, 0.9, 0.9))))
        if rng.uniform() < 0.25:
            margins[rng.integers(4)] = -HEIGHT * rng.uniform(0, 0.1)
    window = (
        int(left - margins[2]),
        int(top - margins[0]),
        int(left + width + margins[3]),
        int(top + height + margins[1]),
    )
    return _pictured(written, window, rng)


def _one_of_many(rng: np.random.Generator, bank: Bank | None, *, whole: bool = False) -> Line:
    """One digit cut out tight, with what is in view of its neighbours, which does not count.

    whole: whether all of a neighbour may be in view.
    """
    most = 1.1 if whole else 0.75
    before = str(
        rng.choice(["", "", "1", "2", "-", str(rng.integers(10)), "." + str(rng.integers(10)), LETTER])
    )
    after = str(
        rng.choice(["", "", ".", ",", ".", str(rng.integers(10)), str(rng.integers(10)), "-", LETTER, ":"])
    )
    digit = str(rng.integers(10))
    written = _write(before + digit + after, rng, bank)
    at = len(before)
    left, right = written.lefts[at], written.rights[at]
    strip = written.ink[:, max(int(left), 0) : max(int(right), 1)]
    rows = np.flatnonzero(strip.any(axis=1))
    top, bottom = (int(rows[0]), int(rows[-1]) + 1) if rows.size else (0, written.ink.shape[0])
    wide, tall = right - left, bottom - top
    room = rng.uniform(-0.04, 0.45, 2) * max(wide, 0.5 * tall)
    # The neighbours' parts in view: less than most of them.
    start, end = left - room[0], right + room[1]
    if at:
        start = max(
            start,
            written.rights[at - 1] - rng.uniform(0, most) * (written.rights[at - 1] - written.lefts[at - 1]),
        )
    if after:
        end = min(
            end,
            written.lefts[at + 1] + rng.uniform(0, most) * (written.rights[at + 1] - written.lefts[at + 1]),
        )
        if after[0] in ".,:" and rng.uniform() < 0.5:
            end = max(end, written.rights[at + 1] + 2)
    up, down = rng.uniform(-0.03, 0.3, 2) * tall
    window = (int(start), int(top - up), int(np.ceil(end)), int(bottom + down))
    pictured = _pictured(written, window, rng, (int(left), int(right)))
    tail = after[0] if after and after[0] in ".,:-/" and end >= written.rights[at + 1] else ""
    return replace(pictured, text=digit + tail)


def _write(spaced: str, rng: np.random.Generator, bank: Bank | None) -> _Written:
    words = spaced.split(" ")
    text = "".join(words)
    hand = _somebody(spaced, rng, bank)
    scribbled = rng.uniform() < 0.3 and len(words) == 1
    small_zeros = rng.uniform(0.45, 0.95) if rng.uniform() < 0.3 and not isinstance(hand, Printer) else 1.0
    raised = rng.uniform(0, 1) * (rng.uniform() < 0.4)
    flat = np.exp(rng.uniform(0, 0.6)) if small_zeros < 1 else 1.0
    tail = len(text) - len(text.rstrip("0-=.,/#:")) if small_zeros < 1 else 0
    spread = 0.02 if isinstance(hand, Printer) else rng.uniform(0.02, 0.18)
    glyphs: list[tuple[Glyph, float, float]] = []
    for place, sign in enumerate(text):
        size = float(np.clip(np.exp(rng.normal(0, spread)), 0.7, 1.4))
        up = 0.0
        if sign in _DIGITS:
            glyph = hand.digit(int(sign))
            if sign == "0" and place >= len(text) - tail:
                size *= small_zeros
                up = raised * (1 - small_zeros) * HEIGHT
                glyph = _widened(glyph, flat)
        elif sign == LETTER:
            in_word = LETTER * 3 in spaced and LETTER * 2 in text[max(0, place - 1) : place + 2]
            glyph = hand.scribble() if scribbled else hand.letter(in_word)
        else:
            glyph = hand.sign(sign)
        glyphs.append((glyph, size, up))
    starts = set(np.cumsum([len(word) for word in words])[:-1].tolist())
    return _side_by_side(text, starts, glyphs, hand, rng)


def _somebody(text: str, rng: np.random.Generator, bank: Bank | None) -> Writer:
    """Who writes a text, or what prints it."""
    kind = rng.uniform()
    printed, written = (_PRINTED, _WRITTEN) if " " in text else (0.35, 0.7) if text == LETTER else (0.12, 0.3)
    if kind < printed:
        return Printer(rng)
    if kind < written and typefaces.written():
        return Scribe(rng)
    return Hand(rng, bank if kind < 0.58 else None, in_number=_is_number(text))


def _is_number(text: str) -> bool:
    """Whether what stands beside a digit leaves no doubt that it is one."""
    return sum(sign in _DIGITS for sign in text) >= _PLAIN and set(text) <= _OF_NUMBERS


def _widened(glyph: Glyph, times: float) -> Glyph:
    ink = cv2.resize(glyph.ink, None, fx=times, fy=1, interpolation=cv2.INTER_LINEAR)
    ends = tuple((x * times, y) for x, y in glyph.ends) if glyph.ends else None
    return Glyph(ink, glyph.top, ends)  # type: ignore[arg-type]


def _side_by_side(
    text: str,
    starts: set[int],
    glyphs: list[tuple[Glyph, float, float]],
    hand: Writer,
    rng: np.random.Generator,
) -> _Written:
    """starts: places in the text at which a word begins, after the first."""
    spacing = rng.uniform(-0.12, 0.14) if rng.uniform() < 0.65 else rng.uniform(0.05, 0.45)
    if isinstance(hand, Printer):
        spacing = rng.uniform(0.06, 0.2)
    elif rng.uniform() < 0.1:
        spacing = rng.uniform(0.4, 1.2)
    round_signs = rng.uniform(0.1, 0.9) if rng.uniform() < 0.4 else 0.0
    jitter = rng.uniform(0, 0.12)
    slope, wobble = rng.normal(0, 0.03), rng.uniform(0, 0.06) * (not isinstance(hand, Printer))
    joined = rng.uniform(0.3, 1) if rng.uniform() < 0.35 else 0.0
    space = rng.uniform(0.2, 0.7)
    x = 1.5 * HEIGHT
    height = 4 * HEIGHT
    base = 2.6 * HEIGHT
    placed = []
    ends: list[tuple[tuple[float, float], tuple[float, float]] | None] = []
    lefts, rights, spread = [], [], []
    for index, (sign, (glyph, size, up)) in enumerate(zip(text, glyphs, strict=True)):
        ink = glyph.ink
        if sign == "0" and index and text[index - 1] == "0" and rng.uniform() < joined:
            x -= HEIGHT * (spacing + rng.uniform(0, 0.1))
        if abs(size - 1) > 0.03:
            sized = cv2.resize(ink, None, fx=size, fy=size, interpolation=cv2.INTER_LINEAR)
            ink = np.asarray(sized, np.uint8)
        # Ink has a margin of its own, which neighbours share.
        columns = np.flatnonzero(ink.any(axis=0))
        inner_left, inner_right = (
            (int(columns[0]), int(columns[-1]) + 1) if columns.size else (0, ink.shape[1])
        )
        left = x - inner_left
        top = base + glyph.top * size - up + slope * (x - HEIGHT) + rng.normal(0, wobble) * HEIGHT
        placed.append((ink, round(left), round(top)))
        lefts.append(x)
        rights.append(x + inner_right - inner_left)
        spread.append(ink[:, inner_left:inner_right].sum(axis=0, dtype=np.float64))
        ends.append(
            (
                (left + glyph.ends[0][0] * size, top + glyph.ends[0][1] * size),
                (left + glyph.ends[1][0] * size, top + glyph.ends[1][1] * size),
            )
            if glyph.ends
            else None
        )
        x = rights[-1] + HEIGHT * (spacing + rng.normal(0, jitter) + (0.5 if rng.uniform() < 0.02 else 0))
        if round_signs and any(each in "+-×÷=*(" for each in text[index : index + 2]):
            x += HEIGHT * round_signs * rng.uniform(0.5, 1)
        if index + 1 in starts:
            x += HEIGHT * space
        elif not starts and LETTER in text[index : index + 2] != 2 * LETTER and rng.uniform() < 0.6:
            x += HEIGHT * rng.uniform(0, 0.8)
        x = max(x, lefts[-1] + 0.25 * HEIGHT * (inner_right - inner_left > 10), lefts[-1] + 10)
    canvas = np.zeros((height, int(max([*rights, 0]) + 2.5 * HEIGHT)), np.uint8)
    for ink, left, top in placed:
        _stamp(canvas, ink, left, top)
    for index in range(len(text) - 1):
        one, other = ends[index], ends[index + 1]
        joins = text[index] in _JOINING and text[index + 1] in _DIGITS
        if one and other and joins and rng.uniform() < joined:
            _join(canvas, one[1], other[0], hand, rng)
    return _Written(canvas, text, lefts, rights, spread, base, in_words=bool(starts))


def _stamp(canvas: NDArray[np.uint8], ink: NDArray[np.uint8], left: int, top: int) -> None:
    rows, columns = canvas.shape
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + ink.shape[1], columns), min(top + ink.shape[0], rows)
    if x0 < x1 and y0 < y1:
        place = canvas[y0:y1, x0:x1]
        np.maximum(place, ink[y0 - top : y1 - top, x0 - left : x1 - left], out=place)


def _join(
    canvas: NDArray[np.uint8],
    start: tuple[float, float],
    end: tuple[float, float],
    hand: Writer,
    rng: np.random.Generator,
) -> None:
    """The pen stays on the paper from one digit to the next."""
    if abs(end[0] - start[0]) > 1.2 * HEIGHT:
        return
    middle = (np.array(start) + end) / 2 + (0, rng.uniform(-0.1, 0.2) * HEIGHT)
    along = np.linspace(0, 1, 12)[:, None]
    curve = (1 - along) ** 2 * start + 2 * along * (1 - along) * middle + along**2 * np.array(end)
    thick = max(1, round(getattr(hand, "pen", 4.0) * 0.9))
    cv2.polylines(canvas, [np.rint(curve * 16).astype(np.int32)], False, 255, thick, cv2.LINE_AA, 4)


def _pictured(
    written: _Written,
    window: tuple[int, int, int, int],
    rng: np.random.Generator,
    columns: tuple[int, int] | None = None,
) -> Line:
    """What a window (left, top, right, bottom) of the writing shows, on paper and through a camera.

    columns: of the writing, where what the picture is cut out round begins and ends.
    """
    left, top = window[:2]
    right, bottom = max(window[2], left + _LEAST), max(window[3], top + _LEAST)
    text = _seen(written, left, right)
    canvas = written.ink
    if rng.uniform() < 0.7 and canvas.any():
        canvas = _elastic(canvas, rng)
    first, last = columns or (0, canvas.shape[1])
    x, y, width, height = cv2.boundingRect(canvas[:, first:last])
    if rng.uniform() < 0.35:
        canvas = _beside(canvas, written, rng)
    above, before = max(0, -top), max(0, -left)
    below, after = max(0, bottom - canvas.shape[0]), max(0, right - canvas.shape[1])
    canvas = np.pad(canvas, ((above, below), (before, after)))
    ink = canvas[top + above : bottom + above, left + before : right + before]
    small = log_uniform(_SMALL_PRINT if written.in_words else _SMALLEST, 60, rng)
    factor = small / HEIGHT
    shape = (max(4, round(ink.shape[0] * factor)), max(4, round(ink.shape[1] * factor)))
    stretch = np.exp(rng.normal(0, 0.1)) if rng.uniform() < 0.4 else 1.0
    shape = (shape[0], max(4, round(shape[1] * stretch)))
    sized = np.asarray(cv2.resize(ink, shape[::-1], interpolation=cv2.INTER_AREA), np.float32)
    cover = sized / np.float32(255)
    pixels = _on_paper(cover, small, rng)
    across, down = shape[1] / max(ink.shape[1], 1), shape[0] / max(ink.shape[0], 1)
    box = (x + first - left) * across, (y - top) * down, width * across, height * down
    return Line(_taken(pixels, small, rng), text, _within(box, shape))


def _within(box: tuple[float, float, float, float], shape: tuple[int, int]) -> Box:
    """What of a box is in a picture of (height, width), in whole pixels."""
    left, top = max(0, round(box[0])), max(0, round(box[1]))
    right, bottom = min(shape[1], round(box[0] + box[2])), min(shape[0], round(box[1] + box[3]))
    return left, top, max(0, right - left), max(0, bottom - top)


def _on_paper(cover: NDArray[np.float32], small: float, rng: np.random.Generator) -> NDArray[np.float32]:
    if rng.uniform() < 0.3:  # drawn in a program, or scanned in black and white
        paper = np.full(cover.shape, rng.uniform(0.85, 1), np.float32)
        if rng.uniform() < 0.4:
            cover = np.asarray(((cover - 0.5) * rng.uniform(1, 8) + 0.5).clip(0, 1), np.float32)
        return np.asarray(paper * (1 - cover) + rng.uniform(0, 0.3) * cover, np.float32)
    bright, darkness = rng.uniform(0.45, 1), rng.uniform(0, 0.55)
    paper = 1 + (ground(cover.shape, small, rng) - 1) * rng.uniform(0.3, 1) * (1 - darkness)
    if rng.uniform() < 0.5:
        grain = noise(cover.shape, max(1.0, small * rng.uniform(0.03, 0.3)), rng)
        cover = np.asarray(cover * (1 - rng.uniform(0.1, 0.6) * (0.3 - grain).clip(0, 1)), np.float32)
    if rng.uniform() < 0.5:
        cover = cover * rng.uniform(0.6, 1)
    return np.asarray(bright * (paper * (1 - cover) + darkness * np.minimum(paper, 1) * cover), np.float32)


def _taken(pixels: NDArray[np.float32], small: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    if rng.uniform() < 0.6:
        blur = log_uniform(0.3, max(0.35, small * 0.06), rng)
        pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), blur), np.float32)
    if rng.uniform() < 0.6:
        deviation = log_uniform(0.004, 0.12, rng) * float(np.ptp(pixels))
        pixels = pixels + min(deviation, 0.06) * rng.standard_normal(pixels.shape, np.float32)
    if rng.uniform() < 0.3:
        pixels = 1 - pixels
    taken = (pixels * 255).clip(0, 255).astype(np.uint8)
    return jpeg(taken, int(rng.integers(25, 95))) if rng.uniform() < 0.5 else taken


def _seen(written: _Written, left: int, right: int) -> str:
    """The signs of which enough is in view; runs of letters as one."""
    seen = ""
    for sign, start, ink in zip(written.text, written.lefts, written.spread, strict=True):
        shown = ink[max(0, round(left - start)) : max(0, round(right - start))].sum()
        if shown < LEAST_SEEN * ink.sum() or (sign == LETTER and seen.endswith(LETTER)):
            continue
        seen += sign
    return seen


def _elastic(canvas: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Bent a little, smoothly; at times with the pen's width changed."""
    rows, columns = canvas.shape
    cells = (5, max(3, columns // 40))
    push = HEIGHT * rng.uniform(0.01, 0.05)
    field = [
        cv2.resize(
            rng.normal(0, push, cells).astype(np.float32), (columns, rows), interpolation=cv2.INTER_CUBIC
        )
        for _ in range(2)
    ]
    x = field[0] + np.arange(columns, dtype=np.float32)
    y = field[1] + np.arange(rows, dtype=np.float32)[:, None]
    return np.asarray(cv2.remap(canvas, x, y, cv2.INTER_LINEAR), np.uint8)


def _beside(canvas: NDArray[np.uint8], written: _Written, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Lines under, over and beside the writing, boxes round it, and what stands in the rows next to it."""
    canvas = canvas.copy()
    ink = int(rng.integers(70, 256))
    thick = int(rng.integers(1, 6))
    columns = canvas.shape[1]
    below = written.line + HEIGHT * rng.normal(0.08, 0.1)
    tilt = rng.normal(0, 0.02) * columns

    def across(at: float) -> None:
        cv2.line(canvas, (0, round(at - tilt)), (columns, round(at + tilt)), ink, thick, cv2.LINE_AA)

    def down(at: float) -> None:
        lean = rng.normal(0, 0.03) * HEIGHT
        cv2.line(canvas, (round(at - lean), 0), (round(at + lean), canvas.shape[0]), ink, thick, cv2.LINE_AA)

    choice = rng.uniform()
    if choice < 0.45:
        across(below)
        if rng.uniform() < 0.2:
            across(below + HEIGHT * rng.uniform(0.08, 0.2))
    elif choice < 0.6:
        across(written.line - HEIGHT * rng.uniform(1.02, 1.4))
    elif choice < 0.75:
        across(below + 0.08 * HEIGHT)
        across(written.line - HEIGHT * rng.uniform(1.05, 1.4))
        down(min(written.lefts, default=0) - HEIGHT * rng.uniform(0.05, 0.4))
        down(max(written.rights, default=0) + HEIGHT * rng.uniform(0.05, 0.4))
    elif choice < 0.85:
        side = rng.uniform() < 0.5
        down(
            min(written.lefts, default=0) - HEIGHT * rng.uniform(0.08, 0.4)
            if side
            else max(written.rights, default=0) + HEIGHT * rng.uniform(0.08, 0.4)
        )
    else:  # another row's writing reaches in
        shifted = canvas[:, ::-1] if rng.uniform() < 0.3 else canvas
        by = round(HEIGHT * rng.uniform(1.35, 1.9)) * (1 if rng.uniform() < 0.5 else -1)
        offset = int(rng.integers(-40, 40))
        move = np.array([(1, 0, offset), (0, 1, by)], np.float32)
        np.maximum(canvas, cv2.warpAffine(shifted, move, canvas.shape[::-1]), out=canvas)
    return canvas
