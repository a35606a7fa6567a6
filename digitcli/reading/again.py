"""A second look at a picture that is not clear at first sight: by the line reader, and for several digits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from digitcli.data.digits import CLASSES
from digitcli.expectations import Probabilities
from digitcli.images.ink import Box
from digitcli.reading import line
from digitcli.reading.numbers import Number, read_numbers
from digitcli.reading.one import SURE, One, read_one
from digitcli.reading.transcript import at_most_one, of_digits

_SMALL = 160
"""Pixels of height of a picture that is read as a whole."""

_TALL = 0.3
"""Of the picture's height that a digit takes at least for the same."""

_ROOM = 0.3
"""Paper round a digit that the line reader sees, in its height."""

_BEYOND = 0.2
"""Paper that a picture is given where something reaches its edge, in its longer sides."""

_DOUBT = 0.03
"""Probability that is left to each digit the classifier rules out."""

_SEVERAL = 0.05
"""What the classifier says of several digits, which it does not know."""


def look_again(image: Image.Image, one: One, probabilities: Probabilities) -> One | list[Number]:
    """What a picture, mode L or RGB, holds that was read as `one` with doubt: that digit, or numbers."""
    if one.cut:
        one = _with_more_paper(image, one, probabilities)
    row = weighed(image, one)
    if row.max() >= SURE and not one.several:
        return replace(one, probabilities=row)
    numbers = read_numbers(image, probabilities)
    if sum(len(each.digits) for each in numbers) > 1:
        sure = float(np.prod([each.confidence for each in numbers]))
        if sure > row.max():
            return numbers
    return replace(one, probabilities=row)


def _with_more_paper(image: Image.Image, one: One, probabilities: Probabilities) -> One:
    """The digit as it is seen where the paper goes on beyond the edge, if the line reader sees the same."""
    room = max(2, round(_BEYOND * max(image.size)))
    pixels = np.asarray(image)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    paper = np.median(edge.reshape(-1, len(image.getbands())), axis=0).astype(int).tolist()
    colour = tuple(paper) if len(paper) > 1 else paper[0]
    (whole,) = read_one([ImageOps.expand(image, room, colour)], probabilities)
    if whole.probabilities is None or whole.box is None:
        return one
    seen = _seen(image, one)
    if (
        one.probabilities is not None
        and seen[:CLASSES] @ one.probabilities > seen[:CLASSES] @ whole.probabilities
    ):
        return one
    left, top, width, height = whole.box
    return replace(whole, box=(left - room, top - room, width, height))


def weighed(image: Image.Image, one: One) -> NDArray[np.float32]:
    """(10,), the probabilities of the digits by classifier and line reader together; the rest is for none."""
    seen = _seen(image, one)
    row = np.zeros(CLASSES, np.float32) if one.probabilities is None else one.probabilities
    expected = _DOUBT + np.append(row, max(1 - float(row.sum()), 0))
    shares = seen * expected
    several = max(1 - seen.sum(), 0) * _SEVERAL
    return np.asarray(shares[:CLASSES] / max(shares.sum() + several, 1e-12), np.float32)


def _seen(image: Image.Image, one: One) -> NDArray[np.float64]:
    """What the line reader takes a picture for: (11,), one of the digits or, last, none."""
    views = line.views(image, _windows(image, one))
    return np.asarray(np.mean([at_most_one(of_digits(view.columns)) for view in views], axis=0))


def _windows(image: Image.Image, one: One) -> list[Box]:
    windows: list[Box] = []
    if one.box is None or image.height <= _SMALL or one.box[3] >= _TALL * image.height:
        windows.append((0, 0, *image.size))
    if one.box is not None:
        left, top, width, height = one.box
        room = round(_ROOM * max(height, width / 2))
        window = (
            max(0, left - room),
            max(0, top - room),
            min(image.width, left + width + room),
            min(image.height, top + height + room),
        )
        if window not in windows:
            windows.append(window)
    return windows
