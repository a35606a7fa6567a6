"""What the line reader's answer says: texts and how likely each is.

The answer is that of connectionist temporal classification: column by column the probability of each sign
and, last, of none or the same again (Graves et al. 2006).
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from digitcli.convention import CLASSES

SIGNS = "0123456789.,'-/:+×÷=()*$#?"
"""What can stand in a line; the last is a letter, word or scribble."""

LETTER = SIGNS[-1]

BEAM = 12
"""Texts that are followed at a time."""

_LIKELY = 0.003
"""Probability from which on a sign is followed in a column."""

Floats = NDArray[np.float32]


def softmax(logits: Floats) -> Floats:
    """Probabilities of the last axis."""
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True), np.float32)


def of_digits(columns: Floats) -> Floats:
    """(columns, signs + 1) to (columns, 11): of the digits, and of all else together."""
    return np.concatenate([columns[:, :CLASSES], columns[:, CLASSES:].sum(axis=1, keepdims=True)], axis=1)


def likeliest(
    columns: Floats, beam: int = BEAM, *, longest: int | None = None, least: float = _LIKELY
) -> dict[str, float]:
    """Texts with their probabilities, likeliest first, by a search over beginnings.

    columns: (n, 11) as from `of_digits`. longest: followed are only texts of so many digits at most, as many
    of each length. least: probability from which on a digit is followed in a column. The probabilities lack
    what was not followed.
    """
    # Of each beginning: the probability that it ends in a sign, and in none.
    followed: dict[str, tuple[float, float]] = {"": (0.0, 1.0)}
    idle: list[float] = []  # the probability of none in each column since the last with a digit
    for column in columns.astype(np.float64).tolist():
        none = column.pop()
        digits = [(str(digit), each) for digit, each in enumerate(column) if each > least]
        if not digits:
            idle.append(none)
            continue
        if idle:
            passed, idle = math.prod(idle), []
            followed = {text: (0.0, (sign + blank) * passed) for text, (sign, blank) in followed.items()}
        signs: defaultdict[str, float] = defaultdict(float)
        blanks: dict[str, float] = {}
        for text, (sign, blank) in followed.items():
            blanks[text] = (sign + blank) * none
            for digit, probability in digits:
                if text.endswith(digit):
                    signs[text] += sign * probability
                    signs[text + digit] += blank * probability
                else:
                    signs[text + digit] += (sign + blank) * probability
        every = {text: (signs.get(text, 0.0), blanks.get(text, 0.0)) for text in {*signs, *blanks}}
        best = sorted(every, key=lambda text: -sum(every[text]))
        followed = {text: every[text] for text in _some(best, beam, longest)}
    rest = math.prod(idle)
    shares = {text: share for text, pair in followed.items() if (share := sum(pair) * rest) > 0}
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def _some(texts: Sequence[str], beam: int, longest: int | None) -> Iterable[str]:
    """The first of these; with `longest` the first of each length up to that."""
    if longest is None:
        return texts[:beam]
    left = Counter(dict.fromkeys(range(longest + 1), beam))
    some = []
    for text in texts:
        left[len(text)] -= 1
        if left[len(text)] >= 0:
            some.append(text)
    return some


def likelihoods(views: Sequence[Floats], texts: Sequence[str]) -> NDArray[np.float64]:
    """Of exactly each of these texts in each view, (texts, views).

    views: (n, k) each, the last for none; one may have more columns than another. texts: of SIGNS' first
    k - 1.
    """
    lengths = np.array([len(text) for text in texts], int)
    blank = views[0].shape[1] - 1
    path = np.full((len(texts), 2 * lengths.max(initial=0) + 1), blank)
    for row, text in zip(path, texts, strict=True):
        row[1 : 2 * len(text) : 2] = [SIGNS.index(sign) for sign in text]
    skips = np.zeros(path.shape)
    skips[:, 3::2] = path[:, 3::2] != path[:, 1:-2:2]
    columns = np.zeros((max(map(len, views)), len(views), blank + 1))
    columns[..., blank] = 1  # where one has fewer there is none
    for index, view in enumerate(views):
        columns[: len(view), index] = view
    each = columns[..., path]
    reached = np.zeros(each.shape[1:])
    reached[..., :2] = each[0, ..., :2]
    for column in each[1:]:
        step = reached.copy()
        step[..., 1:] += reached[..., :-1]
        step[..., 2:] += skips[:, 2:] * reached[..., :-2]
        reached = step * column
    row = np.arange(len(texts))
    in_sign = np.where(lengths > 0, reached[:, row, 2 * lengths - 1], 0)
    return np.asarray((reached[:, row, 2 * lengths] + in_sign).T)


@dataclass(frozen=True)
class Place:
    """A sign, and its first and last column."""

    sign: str
    first: int
    last: int

    @property
    def middle(self) -> float:
        """Of it, in columns."""
        return (self.first + self.last + 1) / 2


def aligned(columns: Floats, text: str) -> list[Place]:
    """Where each sign of a text most likely stands.

    columns: (n, k), the last for none; the signs of `text` are SIGNS' first k - 1. There must be as many
    columns as signs, and one more between two alike; else nothing is returned.
    """
    if not text:
        return []
    blank = columns.shape[1] - 1
    path = np.full(2 * len(text) + 1, blank)
    path[1::2] = [SIGNS.index(sign) for sign in text]
    each = np.log(columns[:, path].astype(np.float64) + 1e-12)
    skips = np.zeros(len(path), bool)
    skips[3::2] = path[3::2] != path[1:-2:2]
    best = np.full(len(path), -np.inf)
    best[:2] = each[0, :2]
    moves = np.zeros(each.shape, np.int8)
    for index in range(1, len(each)):
        ways = np.full((3, len(path)), -np.inf)
        ways[0] = best
        ways[1, 1:] = best[:-1]
        ways[2, 2:] = np.where(skips[2:], best[:-2], -np.inf)
        moves[index] = ways.argmax(axis=0)
        best = ways.max(axis=0) + each[index]
    state = len(path) - 1 if best[-1] > best[-2] else len(path) - 2
    if not np.isfinite(best[state]):
        return []
    spans: dict[int, list[int]] = {}
    for index in range(len(each) - 1, -1, -1):
        if state % 2:
            spans.setdefault(state // 2, []).append(index)
        state -= int(moves[index, state])
    return [Place(sign, min(spans[at]), max(spans[at])) for at, sign in enumerate(text) if at in spans]


def greedy(columns: Floats) -> str:
    """The signs of the likeliest path. columns: (n, signs + 1)."""
    best = columns.argmax(axis=1)
    starts = np.flatnonzero(np.diff(best, prepend=-1))
    return "".join(SIGNS[sign] for sign in best[starts].tolist() if sign < len(SIGNS))


def only_digits(text: str) -> str:
    """A text without its signs."""
    return "".join(filter(str.isdigit, text))
