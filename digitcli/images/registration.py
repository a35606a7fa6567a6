"""A photographed or shifted sheet laid on the blank of its form."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digitcli.images.ink import Box

WORKING_SIDE = 1000
"""Pixels on the longer side at which what two sheets have in common is looked for."""

_FEATURES, _SIZES = 800, 4
"""Features of a sheet, and sizes at which they are looked for; most then are of what the blank has too."""

_NEARER = 0.8
"""Distance of a feature from its nearest match, against the next one's (Lowe 2004)."""

_LEAST, _FAR = 25, 4.0
"""Matches that must agree on how the sheet lies, and pixels by which they may miss."""

_SEEN = 0.93
"""Share of the blank's parts whose print must be found on the sheet once it is laid on it."""

_PART, _PRINT, _FOUND, _NEAR = 50, 30, 0.6, 5
"""Side of such a part in pixels, pixels of print that it needs to count, the share of these that must be on
the sheet, and pixels within which they are."""

_PRINT_WIDTH = 5
"""Pixels about a printed line that are painted over, since no sheet lies quite where the blank does."""

Grey = NDArray[np.uint8]


class Blank:
    """The blank of a form, ready to lay sheets on. image: mode L or RGB."""

    def __init__(self, image: Image.Image) -> None:
        self.size = image.size
        self._whole = np.asarray(image.convert("L"))
        self._grey, self._scale = _working(image)
        self._described = cache(lambda detector: _described(self._grey, detector))

    def laid(self, sheet: Image.Image) -> Laid | None:
        """A filled sheet, mode L or RGB, where it lies on the blank.

        None if it does not fit: it is another form, or too little of it is in the picture.
        """
        grey, scale = _working(sheet)
        for detector in _detectors():
            found = self._found(grey, detector)
            if found is not None:
                whole = np.diag([1 / self._scale, 1 / self._scale, 1]) @ found @ np.diag([scale, scale, 1])
                return Laid(self, np.asarray(sheet), whole)
        return None

    @cached_property
    def printed(self) -> Grey:
        """Where the blank has print, and a little beside it."""
        wide = cv2.dilate(_ink(self._whole), np.ones((_PRINT_WIDTH, _PRINT_WIDTH), np.uint8))
        return np.asarray(wide, np.uint8)

    def _found(self, grey: Grey, detector: Any) -> NDArray[np.float64] | None:
        """How the pixels of a sheet become those of the blank: a homography (3, 3)."""
        points, features = _described(grey, detector)
        own_points, own_features = self._described(detector)
        if features is None or own_features is None:
            return None
        pairs = cv2.BFMatcher(detector.defaultNorm()).knnMatch(features, own_features, k=2)
        good = [one for one, *other in pairs if other and one.distance < _NEARER * other[0].distance]
        if len(good) < _LEAST:
            return None
        there = points[[match.queryIdx for match in good]]
        here = own_points[[match.trainIdx for match in good]]
        found, agree = cv2.findHomography(there, here, cv2.USAC_MAGSAC, _FAR)
        if found is None or int(agree.sum()) < _LEAST:
            return None
        way = np.asarray(found, float)
        if not _is_a_view(way, grey.shape[:2]):
            return None
        laid = cv2.warpPerspective(grey, way, self._grey.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
        return way if self._in_common(np.asarray(laid, np.uint8)) >= _SEEN else None

    def _in_common(self, laid: Grey) -> float:
        """The share of the blank's parts, of those with print, whose print is on the sheet."""
        print_, each = self._print_by_parts
        near = cv2.dilate(_ink(laid), np.ones((_NEAR, _NEAR), np.uint8)) > 0
        seen = _by_parts(print_ * near)
        with_print = each >= _PRINT / _PART**2
        return float((seen[with_print] >= _FOUND * each[with_print]).mean()) if with_print.any() else 0.0

    @cached_property
    def _print_by_parts(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Where the blank has print, 0 or 1, and how much of each part that is."""
        print_ = (_ink(self._grey) > 0).astype(np.float32)
        return print_, _by_parts(print_)


@dataclass(frozen=True)
class Laid:
    """A filled sheet as if it lay where its blank does; only parts that are asked for are turned.

    sheet: (height, width) or (height, width, 3). way: (3, 3), the homography from its pixels to the blank's.
    """

    blank: Blank
    sheet: NDArray[np.uint8]
    way: NDArray[np.float64]

    def part(self, box: Box) -> Image.Image:
        """Of the blank, left, top, right, bottom in its pixels: what is there on the sheet."""
        left, top, right, bottom = box
        moved = np.array([(1, 0, -left), (0, 1, -top), (0, 0, 1)]) @ self.way
        size = (right - left, bottom - top)
        pixels = cv2.warpPerspective(self.sheet, moved, size, borderMode=cv2.BORDER_REPLICATE)
        return Image.fromarray(np.asarray(pixels, np.uint8))

    def without_print(self, box: Box) -> Image.Image:
        """The same without what is printed on the blank there.

        So the wall of a cell is no leg of the digit that touches it.
        """
        left, top, right, bottom = box
        printed = self.blank.printed[top:bottom, left:right] > 0
        pixels = np.array(self.part(box))
        about = (2 * _PRINT_WIDTH + 1, 2 * _PRINT_WIDTH + 1)
        # The mean of what is not printed about each pixel: inpainting takes ten times as long.
        paper = np.where(printed, 0, 1).astype(np.float32)
        known = paper[..., None] if pixels.ndim == 3 else paper
        sums, counts = cv2.blur(pixels * known, about), cv2.blur(paper, about)
        beside = printed & (counts > 0)
        pixels[beside] = (sums[beside].T / counts[beside]).T
        return Image.fromarray(pixels)


@cache
def _detectors() -> list[Any]:
    """What finds features: each finds more than the one before, in two and then ten times the time."""
    fast = (
        cv2.ORB.create(nfeatures=times * _FEATURES, nlevels=_SIZES, scaleFactor=1.3, fastThreshold=15)
        for times in (1, 2)
    )
    return [*fast, cv2.SIFT.create(nfeatures=_FEATURES)]


def _described(grey: Grey, detector: Any) -> tuple[NDArray[np.float32], Any]:
    points, features = detector.detectAndCompute(grey, None)
    return np.array([point.pt for point in points], np.float32).reshape(-1, 2), features


def _working(image: Image.Image) -> tuple[Grey, float]:
    """Grey, at most WORKING_SIDE long, and its size in the picture's."""
    grey = np.asarray(image.convert("L"))
    scale = min(1.0, WORKING_SIDE / max(grey.shape))
    if scale < 1:
        grey = np.asarray(cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    return grey, scale


def _is_a_view(found: NDArray[np.float64], shape: tuple[int, ...]) -> bool:
    """Whether a sheet can be seen so: not mirrored, folded or far smaller at one end."""
    height, width = shape
    corners = np.array([[(0, 0), (width, 0), (width, height), (0, height)]], np.float32)
    seen = cv2.perspectiveTransform(corners, found)[0]
    sides = np.roll(seen, -1, axis=0) - seen
    after = np.roll(sides, -1, axis=0)
    turns = sides[:, 0] * after[:, 1] - sides[:, 1] * after[:, 0]
    lengths = np.linalg.norm(sides, axis=1)
    return bool((turns > 0).all() and lengths.min() > 0.2 * lengths.max() * min(shape) / max(shape))


def _by_parts(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of each square of _PART pixels."""
    parts = (-(-pixels.shape[1] // _PART), -(-pixels.shape[0] // _PART))
    return np.asarray(cv2.resize(pixels, parts, interpolation=cv2.INTER_AREA), np.float32)


def _ink(grey: Grey) -> Grey:
    dark = cv2.adaptiveThreshold(grey, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, 31, 12)
    return np.asarray(dark, np.uint8)
