from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from digitcli.images.components import find_components

masks = arrays(np.bool_, st.tuples(st.integers(1, 14), st.integers(1, 14)))


def flood_fill(mask: np.ndarray) -> np.ndarray:
    labels = np.zeros(mask.shape, int)
    for start in zip(*np.nonzero(mask), strict=True):
        if labels[start]:
            continue
        name = labels.max() + 1
        waiting = [start]
        while waiting:
            y, x = waiting.pop()
            if mask[y, x] and not labels[y, x]:
                labels[y, x] = name
                rows = range(max(y - 1, 0), min(y + 2, mask.shape[0]))
                columns = range(max(x - 1, 0), min(x + 2, mask.shape[1]))
                waiting += [(row, column) for row in rows for column in columns]
    return labels


@given(masks)
@settings(max_examples=100, deadline=None)
def test_components_are_those_of_a_flood_fill_in_the_order_of_their_first_pixels(mask: np.ndarray) -> None:
    parts = find_components(mask)
    assert np.array_equal(parts.labels, flood_fill(mask))
    assert len(parts) == parts.labels.max()
    for index in range(len(parts)):
        rows, columns = np.nonzero(parts.labels == index + 1)
        assert parts.areas[index] == len(rows)
        left, top, right, bottom = parts.boxes[index]
        assert (left, top, right, bottom) == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


def test_a_spiral_is_one_part() -> None:
    spiral = np.zeros((60, 60), bool)
    low, high = 0, 59
    while low < high:
        spiral[low, low:high] = spiral[low:high, high] = spiral[high, low : high + 1] = True
        spiral[low + 2 : high, low] = True
        spiral[low + 2, low : low + 2] = True
        low, high = low + 2, high - 2
    assert len(find_components(spiral)) == 1


def test_chosen_parts_make_a_mask() -> None:
    mask = np.array([[1, 0, 1], [0, 0, 0], [0, 1, 1]], bool)
    parts = find_components(mask)
    chosen = parts.sides > 1
    assert np.array_equal(parts.mask(chosen), [[0, 0, 0], [0, 0, 0], [0, 1, 1]])
    assert sorted(parts.sides.tolist()) == [1, 1, 2]
