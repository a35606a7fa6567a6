"""A first draft of a form: the boxes and rows of cells that are printed on a blank."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digitcli.errors import ImageError
from digitcli.images.decode import open_picture
from digitcli.reading.annotate import Mark, save_annotated
from digitcli.system.files import atomic_path, require_free

_SIDE = 2000
"""Pixels on the longer side at which boxes are looked for."""

_RECTANGULAR = 0.85
"""Share of its upright frame that a box fills."""

_LEAST, _MOST = 0.012, 0.25
"""Height of a box, as a share of the blank's longer side; what is taller is a frame round several."""

_WIDEST = 40.0
"""Width of a box, in its heights."""

_ALIKE, _GAP = 0.2, 0.6
"""By how much the sizes of cells in a row differ at most, and the gap between two, in a cell's height."""

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Drafted:
    """A box on a blank, or a row of cells. box: left, top, width, height in pixels. cells: in the row."""

    box: Box
    cells: int


@dataclass(frozen=True)
class WrittenDraft:
    """A form to correct. path: its file; picture: the blank with every field on it; fields: by name."""

    path: Path
    picture: Path
    fields: dict[str, Drafted]


def write_draft(blank: Path, path: Path, *, force: bool = False) -> WrittenDraft:
    """Finds the fields of a blank, and writes a form of them to `path` and a picture of them beside it.

    force: write over what is there.
    Raises ImageError if the blank cannot be read or has no boxes, OutputError if something is there already.
    """
    picture = path.with_name(f"{path.stem}-fields.png")
    if not force:
        require_free(path)
        require_free(picture)
    image = open_picture(blank)
    fields = {f"field{number}": each for number, each in enumerate(draft(image), 1)}
    if not fields:
        raise ImageError(
            f"{blank}: no boxes were found on it. Write the form by hand, as docs/pictures.md says."
        )
    with atomic_path(path) as temporary:
        temporary.write_text(as_toml(fields, os.path.relpath(blank, path.parent)), encoding="utf-8")
    save_annotated(image, [Mark(name, each.box) for name, each in fields.items()], picture)
    return WrittenDraft(path, picture, fields)


def draft(blank: Image.Image) -> list[Drafted]:
    """The boxes and rows of cells of a blank, mode L or RGB, from top to bottom and from left to right."""
    grey = np.asarray(blank.convert("L"))
    scale = min(1.0, _SIDE / max(grey.shape))
    small = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    boxes = _insides(np.asarray(small, np.uint8))
    return [Drafted(_on_blank(row, scale), len(row)) for row in _rows(boxes)]


def as_toml(fields: Mapping[str, Drafted], blank: str) -> str:
    """The form to correct, as `reading.forms.read_form` takes it. blank: its picture, beside the file."""
    lines = [f"blank = {json.dumps(blank, ensure_ascii=False)}"]  # whose strings are TOML's as well
    for name, each in fields.items():
        lines += ["", "[[field]]", f'name = "{name}"', f"box = {list(each.box)}"]
        lines += [f"length = {each.cells}"] if each.cells > 1 else []
    return "\n".join(lines) + "\n"


def _insides(grey: NDArray[np.uint8]) -> list[Box]:
    """The white insides of frames."""
    dark = cv2.adaptiveThreshold(grey, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, 31, 10)
    contours, nested = cv2.findContours(dark, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    longest = max(grey.shape)
    found = []
    for contour, (_, _, _, parent) in zip(contours, nested[0] if nested is not None else (), strict=True):
        left, top, width, height = cv2.boundingRect(contour)
        if (
            parent >= 0
            and _LEAST * longest <= height <= _MOST * longest
            and height / 2 <= width <= _WIDEST * height
            and cv2.contourArea(contour) >= _RECTANGULAR * width * height
        ):
            found.append((left, top, width, height))
    return found


def _rows(boxes: list[Box]) -> list[list[Box]]:
    """Cells side by side that are alike, as one row each; top to bottom, left to right."""
    rows: list[list[Box]] = []
    for box in sorted(boxes):
        row = next((row for row in rows if _goes_on(row[-1], box)), None)
        if row is None:
            rows.append([box])
        else:
            row.append(box)
    return sorted(rows, key=lambda row: (row[0][1] + row[0][3] // 2, row[0][0]))


def _goes_on(cell: Box, box: Box) -> bool:
    left, top, width, height = cell
    gap = box[0] - (left + width)
    return (
        0 <= gap <= _GAP * height
        and width < 2 * height
        and abs(box[1] - top) <= _ALIKE * height
        and abs(box[2] - width) <= _ALIKE * width + 1
        and abs(box[3] - height) <= _ALIKE * height + 1
    )


def _on_blank(row: list[Box], scale: float) -> Box:
    left, top = min(box[0] for box in row), min(box[1] for box in row)
    right, bottom = max(box[0] + box[2] for box in row), max(box[1] + box[3] for box in row)
    left, top, width, height = (round(each / scale) for each in (left, top, right - left, bottom - top))
    return left, top, width, height
