"""All digits of a picture, in reading order.

Ink is cut into more pieces than there are digits; the classifier, with a few rules of size, decides which
neighbouring pieces make a digit, by the best path through all of them (over-segmentation and dynamic
programming: Casey & Lecolinet 1996; LeCun et al. 1998, section V).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice, pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digitcli.expectations import Probabilities, expecting
from digitcli.images.components import Components, find_components
from digitcli.images.cuts import Part, cut
from digitcli.images.geometry import centre_by_mass, fit_in_20x20
from digitcli.images.ink import Box, Ink, box_of, grown, on_page
from digitcli.images.preprocess import inks
from digitcli.images.search import search
from digitcli.images.strokes import even_strokes, stroke_width

MOST_PIECES = 6
"""Of a digit: what a broken stroke or a cut through it leaves."""

_WRONG = 0.5
"""Share of the groups of pieces that are no digits."""

_CUT = 0.8
"""What it costs to cut through a stroke as wide as the pen, as a negative log probability."""

_NARROWEST_PAIR = 0.45
"""Of two digits that touch, in heights of one; narrower is a single one."""

_LEAST = 1e-4
"""Probability of a digit below which it does not matter how low it is, so that one odd digit is read too."""

_SMALL = 0.5
"""Height of what may be a dot, a minus or dust, against the digits of its line."""

_SKIPPED = 0.5
"""What it costs, as a negative log probability, to take something small for no digit."""

_LIKELY = 0.5
"""Mean probability, of being any digit, of those in a line; lower is no writing."""

_WIDE = 6.0
"""What it costs, in the same way, if a digit is wider than high by its height."""

_GAP = 1.5
"""How far apart the ends of a broken stroke are, in widths of the pen."""

_ENOUGH = 0.7
"""Mean confidence with which a first look at the picture is believed without trying others."""

_BETTER = 0.2
"""By how much another look must be better than those before, as a count of digits."""

_SEARCHED = 640
"""Pixels to which a picture is reduced to search it for digits, which are smaller than where there is one."""

_SURE_PART = 0.9
"""Confidence in a part of the picture that is one digit of a number."""

_MOST_IN_LINE = 100
"""Pieces; more are a texture."""

_LOOKS = 3
"""Ways to tell ink from paper that are tried."""


@dataclass(frozen=True)
class Digit:
    """A digit in a picture.

    digit: 0-9. confidence: its probability, 0-1. box: left, top, width, height in pixels of the picture.
    pixels: (28, 28) uint8, what was classified.
    """

    digit: int
    confidence: float
    box: Box
    pixels: NDArray[np.uint8] = field(compare=False)

    def moved(self, left: int, top: int) -> Digit:
        """The same in a larger picture, in which this one began at left, top."""
        x, y, width, height = self.box
        return replace(self, box=(x + left, y + top, width, height))


def read_many(image: Image.Image, probabilities: Probabilities) -> list[list[Digit]]:
    """The digits of a picture: lines from top to bottom, in each its digits from left to right.

    image: mode L or RGB. probabilities: a classifier, (n, 28, 28) uint8 to (n, 10).
    Lines may be slanted, digits broken or touching. An empty list where there is no ink.
    """
    lines = _read(image, probabilities)
    if _certainty(lines) < _ENOUGH and (window := _window(image, probabilities)):
        closer = _read(image.crop(window), probabilities)
        if _surplus(closer) > _surplus(lines):
            left, top, _, _ = window
            return [[digit.moved(left, top) for digit in line] for line in closer]
    return lines


def _read(image: Image.Image, probabilities: Probabilities) -> list[list[Digit]]:
    """The lines of a picture as a whole, in the best of several ways to find its ink."""
    best: list[list[Digit]] = []
    most = -math.inf
    for look, (_, ink) in enumerate(islice(inks(image), _LOOKS)):
        lines = [line for pieces in _lines(ink) if (line := _read_line(ink, pieces, probabilities))]
        if (surplus := _surplus(lines)) > most:
            # An earlier look is likelier, so another must be clearly better.
            best, most = lines, surplus + _BETTER
        if look > 0 and _certainty(best) >= _ENOUGH:
            break
    return best


def _certainty(lines: list[list[Digit]]) -> float:
    """The mean confidence; 0 without digits."""
    return float(np.mean([digit.confidence for line in lines for digit in line] or [0]))


def _surplus(lines: list[list[Digit]]) -> float:
    """By how many digits there are more good ones than poor ones."""
    return sum(digit.confidence - 0.5 for line in lines for digit in line)


def _window(image: Image.Image, probabilities: Probabilities) -> Box | None:
    """Left, top, right, bottom of where in a picture the digits are, such as on a note; None if nowhere."""
    parts = list(search(image, _SEARCHED))
    if not parts:
        return None
    sure = probabilities(np.stack([part.pixels for part in parts])).max(axis=1) >= _SURE_PART
    boxes = np.array([part.box for part, is_sure in zip(parts, sure, strict=True) if is_sure]).reshape(-1, 4)
    if not len(boxes):
        return None
    # Digits of one number are about equally tall.
    heights = boxes[:, 3]
    near = np.abs(np.log(heights[:, None] / heights)) < np.log(1.6)
    boxes = boxes[near[near.sum(axis=1).argmax()]]
    room = round(0.4 * float(np.median(boxes[:, 3])))
    left, top = boxes[:, :2].min(axis=0) - room
    right, bottom = (boxes[:, :2] + boxes[:, 2:]).max(axis=0) + room
    return max(int(left), 0), max(int(top), 0), min(int(right), image.width), min(int(bottom), image.height)


def candidates(image: Image.Image) -> Iterator[tuple[Box, NDArray[np.uint8]]]:
    """Everything in a picture, mode L or RGB, that `read_many` asks the classifier about: digits, parts of
    digits, and digits run together; to train one that tells them apart.

    Yields left, top, right, bottom in pixels of the picture, the last two exclusive, and (28, 28) uint8.
    """
    for _, ink in inks(image):
        for line in _lines(ink):
            for start, end in _spans(line):
                pixels, box = _as_digit(ink, line.pieces[start:end])
                yield ink.on_picture(box), pixels
        return


@dataclass(frozen=True)
class _Piece:
    """Part of a digit, or a whole one.

    part: the component that it is of. cluster: tells which components are so near to each other that they
    are likely one broken stroke. box: where it is; mask: which pixels in there, (height, width).
    crossed: the ink that was cut through at its left, in widths of the pen; 0 if it begins there.
    """

    part: int
    cluster: int
    box: Box
    mask: NDArray[np.bool_]
    crossed: float


@dataclass(frozen=True)
class _Line:
    """Pieces from left to right, and how tall the digits of the line are, in pixels."""

    pieces: list[_Piece]
    height: float


def _lines(ink: Ink) -> list[_Line]:
    parts = find_components(ink.mask)
    chosen = on_page(parts, ink.mask.shape, several=True)
    if not chosen.any():
        return []
    pen = stroke_width(parts.mask(chosen))
    chosen &= ~_is_around(parts, chosen, pen)
    if not chosen.any():
        return []
    page = parts.mask(chosen)
    margin = round(_GAP / 2 * pen)
    clusters = find_components(_grown_by(page, margin))
    boxes = clusters.boxes
    own_heights = np.maximum(boxes[:, 3] - boxes[:, 1] - 2 * margin, 1)
    # Small parts, such as the bar of a 5, follow the digits that they are near.
    by_height = np.argsort(own_heights)
    ink_below = np.cumsum(clusters.areas[by_height])
    usual = own_heights[by_height[np.searchsorted(ink_below, ink_below[-1] / 2)]]
    tall = own_heights >= 0.45 * usual
    rows: list[list[int]] = []
    for cluster in sorted(np.flatnonzero(tall).tolist(), key=lambda cluster: int(boxes[cluster, 0])):
        overlaps = [_overlap(boxes[row[-1]], boxes[cluster]) for row in rows]
        if overlaps and max(overlaps) > 0.35:
            rows[int(np.argmax(overlaps))].append(cluster)
        else:
            rows.append([cluster])
    heights = [max(1.0, float(np.percentile(own_heights[row], 75))) for row in rows]
    for cluster in np.flatnonzero(~tall).tolist():
        distances = [min(_distance(boxes[other], boxes[cluster]) for other in row) for row in rows]
        nearest = int(np.argmin(distances))
        if distances[nearest] < 0.35 * heights[nearest]:
            rows[nearest].append(cluster)
    # Any pixel of a part tells its cluster.
    cluster_of = np.zeros(len(parts) + 1, np.intp)
    cluster_of[parts.labels[page]] = clusters.labels[page]
    lines = []
    for row, height in sorted(zip(rows, heights, strict=True), key=lambda each: _middle(boxes[each[0]])):
        pieces = [
            piece
            for cluster in row
            for part in np.flatnonzero(chosen & (cluster_of[1:] == cluster + 1)).tolist()
            for piece in _pieces(parts, part, cluster, height, pen)
        ]
        pieces.sort(key=lambda piece: piece.box[0] + piece.box[2])
        if len(pieces) <= _MOST_IN_LINE:
            lines.append(_Line(pieces, height))
    return lines


def _is_around(parts: Components, chosen: NDArray[np.bool_], pen: float) -> NDArray[np.bool_]:
    """Which parts are no digits but drawn round them or below them: rings and underlines; (n,)."""
    left, top, right, bottom = parts.boxes.T
    width, height = right - left, bottom - top
    usual = np.median(height[chosen & (height >= 0.3 * height[chosen].max(initial=0))])
    index = np.flatnonzero(chosen)
    inside = (
        (left[index, None] < left[index])
        & (top[index, None] < top[index])
        & (right[index, None] > right[index])
        & (bottom[index, None] > bottom[index])
        & (height[index] >= 0.25 * height[index, None])
    )
    rings = np.zeros(len(parts), bool)
    if inside.any():
        rings[index] = inside.any(axis=1) & (
            height[index] >= 1.25 * np.median(height[index[inside.any(axis=0)]])
        )
    lines = (width >= 1.5 * usual) & (width >= 5 * height) & (parts.areas <= 1.8 * pen * width)
    return np.asarray(chosen & (rings | lines))


def _middle(boxes: NDArray[np.intp]) -> float:
    """The mean height at which boxes (n, 4) are."""
    return float(boxes[:, [1, 3]].mean())


def _grown_by(mask: NDArray[np.bool_], steps: int) -> NDArray[np.bool_]:
    for _ in range(steps):
        mask = grown(mask)
    return mask


def _overlap(a: NDArray[np.intp], b: NDArray[np.intp]) -> float:
    """How much of the lower of two boxes lies beside the other, 0-1."""
    shared = min(a[3], b[3]) - max(a[1], b[1])
    return float(shared / min(a[3] - a[1], b[3] - b[1]))


def _distance(a: NDArray[np.intp], b: NDArray[np.intp]) -> float:
    """Between two boxes; 0 where they overlap."""
    return float(np.hypot(*np.maximum(np.maximum(a[:2], b[:2]) - np.minimum(a[2:], b[2:]), 0)))


def _pieces(parts: Components, part: int, cluster: int, height: float, pen: float) -> list[_Piece]:
    """A component in pieces, cut where digits may touch."""
    left, top, right, bottom = (int(each) for each in parts.boxes[part])
    mask = parts.labels[top:bottom, left:right] == part + 1
    pieces = []
    for each in cut(mask, height, pen) if right - left > _NARROWEST_PAIR * height else [Part(mask)]:
        x, y, x_end, y_end = box_of(each.mask)
        box = (left + x, top + y, left + x_end, top + y_end)
        pieces.append(_Piece(part, cluster, box, each.mask[y:y_end, x:x_end], each.crossed))
    return pieces


def _read_line(ink: Ink, line: _Line, probabilities: Probabilities) -> list[Digit]:
    """The best way to put the pieces of a line together, by dynamic programming over where digits end."""
    pieces = line.pieces
    spans = _spans(line)
    found = [_as_digit(ink, pieces[start:end]) for start, end in spans]
    confidences = probabilities(np.stack([pixels for pixels, _ in found]))
    rows = expecting(_WRONG, confidences)
    # For each place between pieces: the score of the best way to there, where its last group begins, and
    # which candidate that is, None if no digit.
    best: list[tuple[float, int, int | None]] = [(0.0, -1, None), *[(-np.inf, -1, None)] * len(pieces)]
    for index, (start, end) in enumerate(spans):
        as_digit = best[start][0] + _log(rows[index].max()) - _penalty(pieces[start:end], line.height)
        as_nothing = best[start][0] + _log(1 - rows[index].sum()) - _SKIPPED
        if as_digit > best[end][0]:
            best[end] = (as_digit, start, index)
        if as_nothing > best[end][0] and _size(pieces[start:end]) < _SMALL * line.height:
            best[end] = (as_nothing, start, None)
    digits = []
    likely = []
    end = len(pieces)
    while end > 0:
        _, start, chosen = best[end]
        if chosen is not None:
            likely.append(float(rows[chosen].sum()))
            pixels, box = found[chosen]
            left, top, right, bottom = ink.on_picture(box)
            digit = int(rows[chosen].argmax())
            confidence = float(confidences[chosen][digit])
            digits.append(Digit(digit, confidence, (left, top, right - left, bottom - top), pixels))
        end = start
    # Among digits, what looks like none is a poor digit; a line of such is something else.
    return digits[::-1] if likely and np.mean(likely) >= _LIKELY else []


def _log(probability: np.float32) -> float:
    return math.log(max(float(probability), _LEAST))


def _size(pieces: list[_Piece]) -> int:
    """The longer side of what pieces cover together."""
    boxes = np.array([piece.box for piece in pieces])
    return int((boxes[:, 2:].max(axis=0) - boxes[:, :2].min(axis=0)).max())


def _spans(line: _Line) -> list[tuple[int, int]]:
    """Which neighbouring pieces, from index start to before end, may be one digit."""
    return [
        (start, end)
        for start in range(len(line.pieces))
        for end in range(start + 1, min(start + MOST_PIECES, len(line.pieces)) + 1)
        if end == start + 1 or _width(line.pieces[start:end]) <= 1.6 * line.height
    ]


def _width(pieces: list[_Piece]) -> int:
    return max(piece.box[2] for piece in pieces) - min(piece.box[0] for piece in pieces)


def _penalty(pieces: list[_Piece], height: float) -> float:
    """How unlikely, as a negative log probability, it is from their sizes that pieces are one digit."""
    tops, bottoms = [piece.box[1] for piece in pieces], [piece.box[3] for piece in pieces]
    own_height = max(bottoms) - min(tops)
    width = _width(pieces)
    penalty = 0.0
    # Of each component the first piece tells whether it was cut off from what stands before.
    for crossed in {piece.part: piece.crossed for piece in reversed(pieces)}.values():
        if crossed:
            penalty += _CUT * (0.7 + crossed)
    penalty += _WIDE * max(0.0, width / max(own_height, 1) - 0.9)
    penalty += 10 * max(0.0, 0.6 - max(own_height, width) / height)
    penalty += 10 * max(0.0, own_height / height - 1.4)
    for before, after in pairwise(pieces):
        shared = min(before.box[2], after.box[2]) - max(before.box[0], after.box[0])
        narrower = min(before.box[2] - before.box[0], after.box[2] - after.box[0])
        if before.part == after.part or shared >= 0.5 * narrower:
            continue
        # Separate parts side by side are digits of their own if both are as tall as digits.
        shorter = min(before.box[3] - before.box[1], after.box[3] - after.box[1]) / height
        if before.cluster == after.cluster:
            penalty += 8 * max(0.0, shorter - 0.6)
        else:
            penalty += 1 + 4 * max(0.0, shorter - 0.4) + 3 * max(0.0, -shared / height)
    return penalty


def _as_digit(ink: Ink, pieces: list[_Piece]) -> tuple[NDArray[np.uint8], Box]:
    boxes = np.array([piece.box for piece in pieces])
    left, top = (int(each) for each in boxes[:, :2].min(axis=0))
    right, bottom = (int(each) for each in boxes[:, 2:].max(axis=0))
    height, width = ink.mask.shape
    window = (max(left - 1, 0), max(top - 1, 0), min(right + 1, width), min(bottom + 1, height))
    area = np.s_[window[1] : window[3], window[0] : window[2]]
    mask = np.zeros((window[3] - window[1], window[2] - window[0]), bool)
    for piece in pieces:
        x, y, x_end, y_end = piece.box
        mask[y - window[1] : y_end - window[1], x - window[0] : x_end - window[0]] |= piece.mask
    digit = Ink(ink.strength[area], ink.mask[area]).only(mask)
    left_inside, top_inside, right_inside, bottom_inside = box_of(mask)
    cut_out = digit.strength[top_inside:bottom_inside, left_inside:right_inside]
    return centre_by_mass(fit_in_20x20(even_strokes(cut_out))), (left, top, right, bottom)
