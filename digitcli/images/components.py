"""Connected components of a mask, in NumPy: importing OpenCV or SciPy takes longer than reading a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Components:
    """The connected parts of a mask, in the order in which they begin, row by row.

    labels: (height, width) int32, 0 outside the mask, else 1 + the index of the component.
    areas: (n,) pixels. boxes: (n, 4) of left, top, right, bottom, the last two exclusive.
    """

    labels: NDArray[np.int32]
    areas: NDArray[np.intp]
    boxes: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.areas)

    @property
    def sides(self) -> NDArray[np.intp]:
        """The longer side of each box; (n,)."""
        sides: NDArray[np.intp] = (self.boxes[:, 2:] - self.boxes[:, :2]).max(axis=1, initial=0)
        return sides

    def mask(self, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The pixels of the components for which `chosen` (n,) is true; (height, width)."""
        mask: NDArray[np.bool_] = np.concatenate([[False], chosen])[self.labels]
        return mask


def find_components(mask: NDArray[np.bool_]) -> Components:
    """The parts of a mask (height, width) that touch by an edge or a corner.

    Rows are cut into runs; runs of neighbouring rows that touch are joined, all at once, until each part has
    one name (hooking and pointer jumping: Shiloach & Vishkin 1982).
    """
    height, width = mask.shape
    # A false pixel behind each row, so that runs end there, and flat positions tell rows apart.
    stride = width + 1
    flat = np.zeros((height, stride), np.int8)
    flat[:, :width] = mask
    edges = np.flatnonzero(np.diff(flat.ravel(), prepend=np.int8(0)))
    starts, ends = edges[::2], edges[1::2]
    # The runs of the row above that touch run i are first[i] to last[i].
    first = np.searchsorted(ends, starts - stride, side="left")
    last = np.searchsorted(starts, ends - stride, side="right")
    counts = np.maximum(last - first, 0)
    lower = np.repeat(np.arange(len(starts)), counts)
    upper = np.arange(len(lower)) - np.repeat(np.cumsum(counts) - counts - first, counts)
    names = joined(len(starts), lower, upper)

    _, names = np.unique(names, return_inverse=True)
    count = int(names.max(initial=-1)) + 1
    lengths = ends - starts
    areas = np.bincount(names, lengths, count).astype(np.intp)
    rows, left = np.divmod(starts, stride)
    boxes = np.empty((count, 4), np.intp)
    boxes[:, :2], boxes[:, 2:] = max(height, width), 0
    np.minimum.at(boxes[:, 0], names, left)
    np.minimum.at(boxes[:, 1], names, rows)
    np.maximum.at(boxes[:, 2], names, left + lengths)
    np.maximum.at(boxes[:, 3], names, rows + 1)
    labels = np.zeros((height, width), np.int32)
    labels[mask] = np.repeat(names + 1, lengths)
    return Components(labels, areas, boxes)


def joined(count: int, a: NDArray[np.intp], b: NDArray[np.intp]) -> NDArray[np.intp]:
    """For each of `count` nodes, the least node that it is connected with by the edges a-b; (count,)."""
    parent = np.arange(count)
    while True:
        root_a, root_b = parent[a], parent[b]
        apart = root_a != root_b
        if not apart.any():
            return parent
        a, b = a[apart], b[apart]
        np.minimum.at(parent, np.maximum(root_a, root_b)[apart], np.minimum(root_a, root_b)[apart])
        while not np.array_equal(parent, jumped := parent[parent]):
            parent = jumped
