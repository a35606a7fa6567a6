"""Connected components of a mask."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Components:
    """The connected parts of a mask.

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
        mask: NDArray[np.bool_] = np.take(np.concatenate([[False], chosen]), self.labels)
        return mask


def find_components(mask: NDArray[np.bool_]) -> Components:
    """The parts of a mask (height, width) that touch by an edge or a corner."""
    # In the order of their first pixels, row by row; OpenCV's default goes by blocks of 2x2, so that of parts
    # alike another would be the first one pixel further on.
    _, labels, stats, _ = cv2.connectedComponentsWithStatsWithAlgorithm(
        mask.view(np.uint8), 8, cv2.CV_32S, cv2.CCL_WU
    )
    boxes, areas = np.split(stats[1:].astype(np.intp), [4], axis=1)
    boxes[:, 2:] += boxes[:, :2]
    return Components(np.asarray(labels, np.int32), areas[:, 0], boxes)
