"""Ruled lines, grids, plot axes and frames: found as long straight runs, and taken out of a mask of ink."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from digitcli.images.components import find_components

Mask = NDArray[np.bool_]

_STEEPEST = 0.12
"""Of a line's slope: a page is photographed about so straight."""

_THICKEST = 0.05
"""Of a line, as a share of the longer side of the picture."""

_LEAST_COVER = 0.5
"""Of the picture's width that a line must cover with ink."""

_ACROSS = 0.85
"""Of the picture's width that both of two lines cover; the sides of an angular 0 cover less."""

_SMALLEST = 12
"""Of a frame's shorter side, in pixels."""

_FLATTEST = 0.3
"""Of a frame's shorter side, against the longer; flatter ones are bars of a program's window."""

_WHOLE = 0.5
"""Of the picture that a flatter frame covers all the same, as around a line of digits; what lies beside a
page covers less."""

_FILLED = 0.65
"""Of a box that ink of one colour covers: then it is a page in that colour, with something on it."""

_CROSSED = 0.7
"""Of the way through a frame that its own strokes may go on; the bar of an angular 8 goes all the way."""

_ALIKE = 0.85
"""Of the longest line's length that parallel ones have; the bar of a digit on them is shorter."""

_GAP = 50
"""A line may be broken for this part of the picture's width."""

_SAMPLE = 2000
"""Pixels of ink that tell at which slope lines may be."""

_LONGER = 2.5
"""How many times longer than the largest thing that is left a line is, unless it runs from edge to edge."""


def without_lines(mask: Mask) -> Mask:
    """The mask (height, width) without lines that are no part of a digit; the same if there are none.

    A long straight stroke is a line only if it runs from edge to edge, or if there are several and what is
    left is much smaller, so that neither the bar of a 7 nor the stem of a 1 counts. Strokes that cross a line
    stay whole.
    """
    across, lines_across = _without_rows(mask)
    both, lines_down = _without_rows(across.T)
    down = _without_rows(mask.T)[0] if lines_across and lines_down else both
    for cleaned, *lines in ((both.T, lines_across, lines_down), (across, lines_across), (down.T, lines_down)):
        if any(lines) and _are_no_strokes(mask, cleaned, lines):
            return cleaned
    return mask


def frame_inside(mask: Mask) -> tuple[int, int, int, int] | None:
    """Where the picture within a picture is: left, top, right, bottom inside of a filled box or a frame.

    A page on a table, a plot within its axes, a canvas with a border: one part of the mask that lies along
    all four sides of its bounding box. Or the page beside what such a part covers along three edges of the
    picture. None if there is none.
    """
    parts = find_components(mask)
    if not len(parts):
        return None
    largest = int(parts.sides.argmax())
    left, top, right, bottom = (int(each) for each in parts.boxes[largest])
    box = parts.labels[top:bottom, left:right] == largest + 1
    if min(box.shape) < _SMALLEST or box.size < 0.1 * mask.size:
        return None
    margin = max(1, round(0.02 * min(box.shape)))
    insets: list[int] = []
    for turned in (box, box.T, box[:, ::-1], box[::-1].T):
        inset = _inset(turned, margin)
        if inset is None:
            return None
        insets.append(inset)
    from_left, from_top, from_right, from_bottom = insets
    left, top, right, bottom = left + from_left, top + from_top, right - from_right, bottom - from_bottom
    width, height = right - left, bottom - top
    share = width * height / mask.size
    page = _beside(parts.boxes[largest], mask.shape, margin)
    if page is not None and share < _WHOLE and box.mean() > _FILLED:
        return page
    if min(width, height) < _SMALLEST or share < 0.1:
        return None
    if min(width, height) < _FLATTEST * max(width, height) and share < _WHOLE:
        return None
    box = parts.labels[top:bottom, left:right] == largest + 1
    # How thick the outline is, where it is thinnest: a filled box is all outline up to its content.
    middle_row, middle_column = box[height // 2], box[:, width // 2]
    runs = (middle_row, middle_row[::-1], middle_column, middle_column[::-1])
    outline = min(_first_gap(run[margin:]) for run in runs) + 2 * margin
    filled = box.mean() > _FILLED
    if filled:
        outline = 2 * margin
    elif outline > 0.06 * min(width, height) + 2 * margin:
        return None
    if min(width, height) <= 2 * outline + 4:
        return None
    inner = box[outline:-outline, outline:-outline]
    if not filled and max(inner.any(axis=0).mean(), inner.any(axis=1).mean()) > _CROSSED:
        return None
    return left + outline, top + outline, right - outline, bottom - outline


def _beside(box: NDArray[np.intp], shape: tuple[int, ...], margin: int) -> tuple[int, int, int, int] | None:
    """The rest of a picture in which a box reaches three edges, a margin away from it; None if it does not.

    box: left, top, right, bottom. shape: the picture's.
    """
    height, width = shape
    reached = box == (0, 0, width, height)
    if reached.sum() != 3:
        return None
    left, top, right, bottom = (int(each) for each in box)
    rests = (
        (0, 0, left - margin, height),
        (0, 0, width, top - margin),
        (right + margin, 0, width, height),
        (0, bottom + margin, width, height),
    )
    return rests[int(reached.argmin())]


def _inset(box: Mask, margin: int) -> int | None:
    """How far from the left of a box (height, width) a side of a frame begins; None if none does.

    Ticks of a plot stick out of its frame. margin: how many columns a slanted side may take.
    """
    near = box[:, : box.shape[1] // 10 + margin]
    before = np.zeros((near.shape[0], near.shape[1] + 1), np.intp)
    np.cumsum(near, axis=1, out=before[:, 1:])
    cover = (before[:, margin:] > before[:, :-margin]).mean(axis=0)
    first = int((cover >= 0.9).argmax())
    return first if cover[first] >= 0.9 else None


def _first_gap(run: Mask) -> int:
    return int(run.argmin()) if not run.all() else len(run)


@dataclass(frozen=True)
class _Line:
    """length: in pixels. share: of the width or height of the picture."""

    length: int
    share: float


def _without_rows(mask: Mask) -> tuple[Mask, list[_Line]]:
    """Without long lines that are about horizontal, and what these were like."""
    height, width = mask.shape
    if min(height, width) < 8 or np.count_nonzero(mask.any(axis=0)) < _LEAST_COVER * width:
        return mask, []
    rows, columns = np.divmod(np.flatnonzero(mask), width)
    from_middle = columns.astype(np.float32) - np.float32(width / 2)
    share = -(-len(rows) // _SAMPLE)
    some_rows, some_from_middle = rows[::share], from_middle[::share]
    step = max(0.02, 2 / width)
    reach = int((_STEEPEST + step) * width / 2) + 2
    span = height + 2 * reach

    def profiles(slopes: NDArray[np.float64]) -> NDArray[np.intp]:
        """How much ink is in each row, (slopes, span), if the rows are at that slope."""
        along = (
            np.rint(some_rows - slopes.astype(np.float32)[:, None] * some_from_middle).astype(np.intp) + reach
        )
        along += np.arange(len(slopes))[:, None] * span
        return np.bincount(along.ravel(), minlength=len(slopes) * span).reshape(-1, span)

    # Lines of a page are parallel: at their slope the ink gathers in the fewest rows.
    slope = 0.0
    for slopes in (np.arange(-_STEEPEST, _STEEPEST + step / 2, step), np.linspace(-step, step, 9)):
        slopes = slopes[np.argsort(np.abs(slopes), kind="stable")] + slope
        counts = profiles(slopes)
        best = int(np.square(counts).sum(axis=1).argmax())
        slope = float(slopes[best])
    if share * (counts[best, :-2] + counts[best, 1:-1] + counts[best, 2:]).max() < _LEAST_COVER * width:
        return mask, []

    # Upright the lines: a row of `level` follows the slope.
    along = rows - np.rint(np.float32(slope) * from_middle).astype(np.intp) + reach
    level = np.zeros((span, width), bool)
    level[along, columns] = True
    # Its first and last two rows are outside the picture.
    cover = np.zeros(span, np.float32)
    cover[1:-1] = (level[:-2] | level[1:-1] | level[2:]).mean(axis=1)
    on_line = (cover >= _LEAST_COVER) & (level.mean(axis=1) >= 0.25 * cover.max())
    found = []
    edges = np.flatnonzero(on_line[1:] != on_line[:-1]) + 1
    for top, bottom in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if bottom - top > max(3, _THICKEST * max(height, width)):
            continue
        band = _rows_together(level, top - 1, bottom + 1)
        found.append((top, bottom, _longest_run(band, max(3, width // _GAP))))
    least = max([_LEAST_COVER * width, *(_ALIKE * length for _, _, length in found)])
    result = level.copy()
    lines: list[_Line] = []
    last = -height
    for top, bottom, length in found:
        if length < least:
            continue
        near = max(1, (bottom - top) // 3)
        above = _rows_together(level, max(0, top - near), top)
        below = _rows_together(level, bottom, bottom + near)
        spread = bottom - top + 1
        crossing = _widened(above, spread) & _widened(below, spread)
        # The two edges of one thick and wavy stroke are not two lines.
        if top - last > max(8, _THICKEST * max(height, width)):
            lines.append(_Line(length, length / width))
        last = bottom
        result[max(0, top - near) : bottom + near, ~crossing] = False
    if not lines:
        return mask, []
    cleaned = np.zeros_like(mask)
    cleaned[rows, columns] = result[along, columns]
    return cleaned, lines


def _rows_together(level: Mask, top: int, bottom: int) -> Mask:
    return np.asarray(level[top:bottom].any(axis=0))


def _longest_run(row: Mask, gap: int) -> int:
    """How long the longest part of a row (n,) is that has no gap longer than `gap`."""
    at = np.flatnonzero(row)
    breaks = np.flatnonzero(np.diff(at) > gap + 1)
    starts = at[np.concatenate([[0], breaks + 1])]
    ends = at[np.concatenate([breaks, [len(at) - 1]])]
    return int((ends - starts).max()) + 1


def _widened(row: Mask, by: int) -> Mask:
    """True within `by` of what is true; (n,)."""
    sums = np.concatenate([[0], np.cumsum(row)])
    at = np.arange(len(row))
    wide: Mask = sums[np.minimum(at + by + 1, len(row))] > sums[np.maximum(at - by, 0)]
    return wide


def _are_no_strokes(mask: Mask, cleaned: Mask, lines: list[list[_Line]]) -> bool:
    """Whether what was taken out of a mask are lines and not strokes. lines: of one direction or of each."""
    parts = find_components(cleaned)
    if not len(parts) or parts.areas.max() < 0.01 * mask.sum():
        return False
    largest = int(parts.sides.argmax())
    side = int(parts.sides[largest])
    if side < max(5, 0.04 * max(mask.shape)):
        return False
    longest = max(line.length for parallel in lines for line in parallel)
    several = any(
        len(parallel) > 2 or sum(line.share >= _ACROSS for line in parallel) > 1 for parallel in lines
    )
    if several and longest >= _LONGER * side:
        return True
    margin = max(1, round(0.02 * max(mask.shape)))
    left, top, right, bottom = parts.boxes[largest]
    inside = min(left, top, mask.shape[1] - right, mask.shape[0] - bottom) >= margin
    from_edge_to_edge = max(line.share for parallel in lines for line in parallel) >= 0.96
    return bool(inside and from_edge_to_edge and (several or longest >= side))
