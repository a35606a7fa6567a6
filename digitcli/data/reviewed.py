"""Digits that `predict --save-digits` kept, with the labels that `review` gave them: one's own hand."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from digitcli.convention import CLASSES, SIDE
from digitcli.data.digits import DataSet, Digits
from digitcli.errors import DataError

DIGITS, LABELS = "digits.csv", "labels.csv"
COLUMNS = ("file", "picture", "guess", "confidence")
LABEL_COLUMNS = ("file", "label")
NONE = "none"
"""The label of what is no digit."""


def recognises(path: Path) -> bool:
    """A folder with a digits.csv of these columns."""
    try:
        with (path / DIGITS).open(encoding="utf-8", errors="replace") as file:
            return tuple(file.readline().strip().split(",")) == COLUMNS
    except OSError:
        return False


def read(path: Path) -> DataSet:
    """The digits that have a label; what was labelled as none is no digit to be trained on too.

    Raises DataError if there are no labels yet, or one is none of 0-9 and none, or of no digit there.
    """
    labels = read_labels(path)
    if not labels:
        raise DataError(
            f"{path} holds digits without labels. Make a page to correct them: digitcli review {path}"
        )
    names, is_digit = list(labels), np.array([label != NONE for label in labels.values()])
    images = np.stack([_pixels(path / name) for name in names])
    if not is_digit.any():
        raise DataError(f"{path / LABELS} has no digits, only what is none.")
    digits = np.array([int(label) for label in labels.values() if label != NONE], np.uint8)
    others = images[~is_digit] if not is_digit.all() else None
    return DataSet(
        Digits(images[is_digit], digits, str(path)), None, f"digits labelled by hand in {path}",
        others=others, by_hand=True,
    )  # fmt: skip


def read_labels(path: Path) -> dict[str, str]:
    """The labels in a folder by the files of their digits; none if there are none yet.

    Raises DataError if a label makes no sense.
    """
    if not (path / LABELS).exists():
        return {}
    known = {row["file"] for row in rows(path / DIGITS, COLUMNS)}
    labels = {}
    for number, row in enumerate(rows(path / LABELS, LABEL_COLUMNS), 2):
        if row["file"] not in known:
            raise DataError(f"{path / LABELS}: line {number}: {path / DIGITS} has no {row['file']}.")
        if row["label"] not in (*map(str, range(CLASSES)), NONE):
            raise DataError(f"{path / LABELS}: line {number}: {row['label']} is neither 0-9 nor {NONE}.")
        labels[row["file"]] = row["label"]
    return labels


def rows(file: Path, columns: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """The rows of a CSV file. Raises DataError if it cannot be read or has other columns."""
    try:
        with file.open(newline="", encoding="utf-8") as stream:
            table = csv.DictReader(stream, strict=True)
            if tuple(table.fieldnames or ()) != columns:
                raise DataError(f"{file}: the columns {', '.join(columns)} expected.")
            for row in table:
                if None in row.values():
                    raise DataError(f"{file}: line {table.line_num}: a value is missing.")
                yield row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{file} cannot be read: {error}.") from error


def _pixels(file: Path) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    try:
        with Image.open(file, formats=["PNG"]) as image:
            pixels = np.asarray(image)
    except Exception as error:  # Pillow raises nearly every kind there is
        raise DataError(f"{file} cannot be read: {error}.") from error
    if pixels.shape != (SIDE, SIDE) or pixels.dtype != np.uint8:
        raise DataError(f"{file} is no grey picture of {SIDE}x{SIDE}.")
    return pixels
