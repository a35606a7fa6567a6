"""Which digits a line has: the likeliest by those found one by one, the line readers and what is known of it.

The two err in different ways, and so are weighed by Bayes' rule.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from digitcli.reading import line
from digitcli.reading.digit import Digit
from digitcli.reading.expect import ANY, Expect
from digitcli.reading.line import View
from digitcli.reading.transcript import likeliest, likelihoods, only_digits

_TRUSTED = {False: 0.9, True: 0.35}
"""Confidence of the digits found one by one, together, that is believed at most: on pages and, true, in
pictures cut out round a line, where ink at the edge and patterned paper mislead whoever looks for digits."""

_OTHERWISE = 0.3
"""Probability of another text where those are wrong."""

_OVERLOOKED = 0.2
"""Probability that a digit of a page is not found one by one, however sure the others are."""

_SLASHES = re.compile(r"(?<=\d)/(?=\d)")
"""Signs that are taken for ones where digits are found one by one."""

SETTLED = 0.9
"""Share of a number from which on other views of its line changed none of 900."""

_UNANIMOUS, _IMPOSSIBLE = 0.6, 1e-9
"""Weight of the geometric mean of what the views say, and what is left to a text in each of them."""

_EXPECTED, _FITTING = 24, 16
"""Texts of each length that are searched for what fits, and those that are then considered."""

_POSSIBLE = 1e-4
"""Probability of a digit in a column from which on such a search follows it."""

_LONGEST_EXPECTED = 40
"""Digits that such a search follows."""

_UNFIT = 0.05
"""Weight of what does not fit, since what is known may be wrong of a picture."""

_HARDLY = 1e-4
"""Share of all that fits, below which the picture is none of what is expected."""

_LEAST = 1e-12
"""Probability of all texts together where there is none."""


@dataclass(frozen=True)
class _OneByOne:
    """The text of digits that were found one by one.

    sureness: how far that is believed, 0-1. with_signs: texts that it may be as well, since a line reader
    sees signs in place of some ones. whole: as for `best`.
    """

    text: str
    sureness: float
    with_signs: Set[str]
    whole: bool

    @property
    def other(self) -> float:
        """The probability of any other text."""
        return (1 - self.sureness) * _OTHERWISE

    def expected(self, text: str) -> float:
        """The probability of a text before the line readers are heard."""
        if text == self.text or text in self.with_signs:
            return self.sureness
        return max(self.other, 0 if self.whole else _overlooked(self.text, text))


def as_found(views: Sequence[View], found: Sequence[Digit], whole: bool) -> tuple[str, float]:
    """The text as found one by one, and its share if it is this or unknown; 0 where it may have signs.

    views, found, whole: as for `best`.
    """
    one_by_one = _one_by_one(views, found, whole)
    if one_by_one.with_signs:
        return one_by_one.text, 0.0
    return _weighed(_said([view.digits for view in views], {one_by_one.text}), one_by_one, ANY)


def best(
    views: Sequence[View], found: Sequence[Digit], whole: bool, expect: Expect = ANY
) -> tuple[str, float]:
    """The likeliest text of digits, and its share among all, by Bayes' rule.

    found: its digits as they were found one by one. whole: whether the picture is nothing but this line.
    expect: what is known of them; the likeliest text that fits is given, with what speaks for others weighing
    _UNFIT. Where none fits, or the picture is almost surely none that does, it is the likeliest of all at 0.
    """
    one_by_one = _one_by_one(views, found, whole)
    each = [view.digits for view in views]
    said = _said(each, {text for view in views for text in view.texts} | {one_by_one.text})
    text, share = _weighed(said, one_by_one, ANY)
    if not expect or (share >= SETTLED and expect.fits(text)):
        return text, share
    text, share = _weighed(said, one_by_one, expect)
    if share >= SETTLED:
        return text, share
    said |= _said(each, _fitting(each[: len(line.MODELS)], expect) - said.keys())
    return _weighed(said, one_by_one, expect)


def _one_by_one(views: Sequence[View], found: Sequence[Digit], whole: bool) -> _OneByOne:
    text = "".join(str(digit.digit) for digit in found)
    sureness = min(math.prod(digit.confidence for digit in found), _TRUSTED[whole]) if found else 0.5
    seen = {view.written for view in views}
    alike = {only_digits(each) for each in seen if only_digits(_SLASHES.sub("1", each)) == text} - {text}
    return _OneByOne(text, sureness, alike, whole)


def _said(each: Sequence[NDArray[np.float32]], texts: Set[str]) -> dict[str, NDArray[np.float64]]:
    """The likelihood of each text in each view, (views,). each: the columns of a view."""
    return dict(zip(texts, likelihoods(each, [*texts]), strict=True))


def _weighed(
    said: Mapping[str, NDArray[np.float64]], one_by_one: _OneByOne, expect: Expect
) -> tuple[str, float]:
    """As `best`, of some texts. said: as from `_said`."""
    shares = {text: _agreed(seen) * one_by_one.expected(text) for text, seen in said.items()}
    rest = max(1 - sum(float(each.mean()) for each in said.values()), 0.0) * one_by_one.other
    fit = {text: share for text, share in shares.items() if expect.fits(text)} if expect else shares
    among = max(sum(fit.values()), _LEAST)
    others = max(sum(shares.values()) - sum(fit.values()) + rest, 0.0)
    if not fit or among < _HARDLY * others:
        return max(shares, key=lambda text: (shares[text], text)), 0.0
    text = max(fit, key=lambda text: (fit[text], text))
    return text, fit[text] / (among + others * (_UNFIT if expect else 1))


def _overlooked(found: str, text: str) -> float:
    """Probability that the digits a text has more than was found were overlooked; 0 for other texts."""
    left = iter(text)
    within = bool(found) and all(digit in left for digit in found)
    return _OVERLOOKED ** (len(text) - len(found)) if within else 0.0


def _agreed(shares: NDArray[np.float64]) -> float:
    """What views say together: their mean, and less where some of them hardly think it possible."""
    arithmetic, geometric = shares.mean(), np.exp(np.log(shares + _IMPOSSIBLE).mean())
    return float(arithmetic ** (1 - _UNANIMOUS) * geometric**_UNANIMOUS)


def _fitting(each: Sequence[NDArray[np.float32]], expect: Expect) -> set[str]:
    """The likeliest texts that fit, of what some views make possible."""
    longest = min(expect.lengths[1], _LONGEST_EXPECTED)
    found: defaultdict[str, float] = defaultdict(float)
    for columns in each:
        for text, share in likeliest(columns, _EXPECTED, longest=longest, least=_POSSIBLE).items():
            if expect.fits(text):
                found[text] += share
    return set(sorted(found, key=lambda text: -found[text])[:_FITTING])
