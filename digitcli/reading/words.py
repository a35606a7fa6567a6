"""Words beside numbers: the detector takes some of their letters for digits; one line reader knows better.

It has learnt from words of any letters, and sees them beside each other where the detector sees each alone.
What it knows is used once: words are painted over, so that all others see paper there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digitcli.images.ink import Box
from digitcli.reading import line
from digitcli.reading.find import LIKELY, Found
from digitcli.reading.line import Looks, View
from digitcli.reading.many import lines
from digitcli.reading.strip import HEIGHT, STEP
from digitcli.reading.transcript import LETTER, SIGNS, Place, aligned

_BESIDE, _ABOVE = 1.0, 0.2
"""Paper beside and above a row of digits that is looked at with it, in heights of one."""

_SURE = 0.5
"""Probability of a letter from which on it is one."""

_SPACE, _FAINT = 0.22, 90
"""Blank columns between two words at least, in heights of a digit; and the ink, 0-255, below which one is."""

_LIKE_LETTERS, _FEW = frozenset("01568"), 3
"""What O, l, S, G and B are read as, and how many of these a word has between its letters at most."""

_WORD, _WIDE = 1.5, 0.7
"""Width of the letters of a word at least, and of a digit, in heights of one."""


def painted_over(image: Image.Image, words: Sequence[Box]) -> Image.Image:
    """A picture, mode L or RGB, with paper where words are; words: as from `find_words`."""
    painted = image.copy()
    for word in words:
        painted.paste(_paper(image, word), word)
    return painted


def without(found: Found, words: Sequence[Box]) -> Found:
    """What may be digits, without what is in words."""
    middles = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2
    corners = np.array(words)[:, None]
    inside = ((middles >= corners[..., :2]) & (middles < corners[..., 2:])).all(axis=2).any(axis=0)
    return found.only(np.asarray(~inside))


def find_words(looks: Looks, found: Found) -> list[Box]:
    """Where words are: left, top, right, bottom in pixels of the picture."""
    likely = found.boxes[found.scores >= LIKELY]
    words: list[Box] = []
    for row in lines(likely):
        boxes = likely[row]
        tall = float(np.median(boxes[:, 3] - boxes[:, 1]))
        room = np.array([_BESIDE, _ABOVE]) * tall
        low, high = boxes[:, :2].min(axis=0) - room, boxes[:, 2:].max(axis=0) + room
        left, top = np.maximum(low, 0).astype(int).tolist()
        right, bottom = np.minimum(np.ceil(high), looks.image.size).astype(int).tolist()
        if left >= right or top >= bottom:
            continue
        (view,) = looks.views([(left, top, right, bottom)], line.UPRIGHT, [line.KNOWS_WORDS])
        if LETTER in view.written:
            places = aligned(view.columns, view.written)
            tokens = _tokens(places, looks.strip(view.window), tall / (bottom - top))
            spans = _spans(view, [each for token in tokens for each in _read(token)], boxes, tall)
            words += [(int(start), top, int(np.ceil(end)), bottom) for start, end in spans if end > start]
    return words


@dataclass(frozen=True)
class _Token:
    """Signs without a space between them.

    width: of all of them, in heights of a digit. goes_on: whether the sign before the first is a letter, and
    may stand for these as well: a run of letters is one sign, spaces and all.
    """

    places: list[Place]
    width: float
    goes_on: bool

    @property
    def is_word(self) -> bool:
        """Whether what was read as digits among its letters are letters, too."""
        signs = "".join(place.sign for place in self.places)
        digits = [sign for sign in signs if sign.isdigit()]
        if not (self.goes_on or LETTER in signs) or not digits or not set(digits) <= _LIKE_LETTERS:
            return False
        within = signs[signs.find(LETTER) : signs.rfind(LETTER)]
        if len(digits) <= _FEW and sum(map(str.isdigit, within)) == len(digits):
            return True
        letters = self.width - _WIDE * len(digits)
        return letters >= max(_WORD, _WIDE * len(digits))


def _tokens(places: Sequence[Place], ink: NDArray[np.uint8], tall: float) -> list[_Token]:
    """Signs with no space between them. ink: the strip they were read in. tall: a digit, in its height."""
    unit = tall * HEIGHT
    blank = np.flatnonzero(ink.max(axis=0) < _FAINT)
    runs = np.split(blank, np.flatnonzero(np.diff(blank) > 1) + 1) if blank.size else []
    spaces = [(int(run[0]), int(run[-1]) + 1) for run in runs if len(run) >= _SPACE * unit]
    starts, ends = [0, *(end for _, end in spaces)], [*(start for start, _ in spaces), ink.shape[1]]
    tokens = []
    borders = [(start + end) / 2 for start, end in spaces]
    within = np.searchsorted(borders, [STEP * place.middle for place in places], side="right")
    for index, (start, end) in enumerate(zip(starts, ends, strict=True)):
        first, last = np.searchsorted(within, (index, index + 1)).tolist()
        goes_on = first > 0 and places[first - 1].sign == LETTER
        tokens.append(_Token(list(places[first:last]), (end - start) / unit, goes_on))
    return tokens


def _read(token: _Token) -> list[Place]:
    """The signs of a token, of a word only its letters."""
    if not token.is_word:
        return token.places
    return [place for place in token.places if not place.sign.isdigit()]


def _spans(
    view: View, places: Sequence[Place], boxes: NDArray[np.float32], tall: float
) -> list[tuple[float, float]]:
    """From where to where words reach in a row, between the digits that are read in it."""
    left, _, right, _ = view.window
    spans = []
    start, seen = float(left), False
    for place in places:
        if place.sign == LETTER:
            share = view.columns[place.first : place.last + 1, SIGNS.index(LETTER)].max()
            seen |= bool(share >= _SURE)
        elif place.sign.isdigit():
            first, last = _extent(view.across(place.middle), boxes, tall)
            if seen:
                spans.append((start, first))
            start, seen = last, False
    if seen:
        spans.append((start, float(right)))
    return spans


def _extent(middle: float, boxes: NDArray[np.float32], tall: float) -> tuple[float, float]:
    """From where to where a digit reaches that is seen there."""
    apart = np.abs((boxes[:, 0] + boxes[:, 2]) / 2 - middle)
    nearest = boxes[apart.argmin()]
    if apart.min() <= max((nearest[2] - nearest[0]) / 2, 0.2 * tall):
        return float(nearest[0]), float(nearest[2])
    return middle - 0.3 * tall, middle + 0.3 * tall


def _paper(image: Image.Image, word: Box) -> int | tuple[int, ...]:
    """The colour of most of what is there."""
    pixels = np.asarray(image.crop(word))
    colour = np.median(pixels.reshape(-1, *pixels.shape[2:]), axis=0).astype(int)
    return tuple(colour.tolist()) if colour.ndim else int(colour)
