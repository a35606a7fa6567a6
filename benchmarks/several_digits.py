"""Numbers for own_pictures.py: drawn, read in the usual way and by predict --many, and scored."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digitcli import classifiers
from digitcli.convention import SIDE
from digitcli.images.decode import open_picture
from digitcli.simulator import picture

LENGTHS = (2, 10)
"""Digits of a number, from to."""


@dataclass(frozen=True)
class Number:
    """A picture on disk, its kind, and the digits in it, a newline between lines."""

    path: Path
    kind: str
    text: str


def draw_numbers(kinds: Sequence[str], count: int, seed: int, folder: Path) -> Iterator[Number]:
    """`count` pictures of each kind, every third of two or three lines."""
    for kind in kinds:
        rng = np.random.default_rng([seed, 1, *kind.encode()])
        for index in range(count):
            lines = int(rng.integers(2, 4)) if index % 3 == 2 else 1
            text = "\n".join(_number(rng) for _ in range(lines))
            path = folder / f"{''.join(c if c.isalnum() else '-' for c in kind)}-{index:04}.png"
            picture(kind, text, rng).image.save(path, compress_level=1)
            yield Number(path, kind, text)


def by_contours(path: Path, model: classifiers.Classifier) -> str:
    """The usual recipe: Otsu's threshold, the boxes of contours from left to right, each resized."""
    grey = np.asarray(open_picture(path).convert("L"))
    _, mask = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    boxes = sorted(cv2.boundingRect(contour) for contour in contours)
    boxes = [box for box in boxes if box[3] >= 0.1 * len(grey)]  # not dust
    if not boxes:
        return ""
    rows = model.probabilities(np.stack([_resized(mask, box) for box in boxes]))
    return "".join(str(digit) for digit in rows.argmax(axis=1))


def by_predict(folder: Path, model: Path) -> dict[str, str]:
    """What `digitcli predict --many` reads in all pictures of a folder, by their names."""
    command = [sys.executable, "-m", "digitcli", "predict", str(folder), "--many", "--model", str(model)]
    done = subprocess.run([*command, "--quiet", "--format", "jsonl"], stdout=subprocess.PIPE, text=True)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {Path(row["path"]).name: row["text"] or "" for row in rows}


def read_numbers(numbers: Sequence[Number], folder: Path, model: Path) -> list[dict[str, str]]:
    """What each recipe reads in each picture."""
    many = by_predict(folder, model)
    classifier = classifiers.load(model)
    return [
        {
            "contours": _in_lines(by_contours(number.path, classifier), number.text),
            "predict --many": many[number.path.name],
        }
        for number in numbers
    ]


def lines_right(text: str, read: str) -> list[bool]:
    """For each line of a text whether it was read without an error, in its order among the others."""
    lines = text.split("\n")
    same = SequenceMatcher(None, lines, read.split("\n"), autojunk=False).get_matching_blocks()
    found = {index for start, _, length in same for index in range(start, start + length)}
    return [index in found for index in range(len(lines))]


def _in_lines(read: str, text: str) -> str:
    """What a recipe that knows no lines read, with the lines of the text if its digits are right."""
    return text if read == text.replace("\n", "") else read


def _number(rng: np.random.Generator) -> str:
    return "".join(map(str, rng.integers(0, 10, rng.integers(LENGTHS[0], LENGTHS[1] + 1))))


def _resized(mask: NDArray[np.uint8], box: Sequence[int]) -> NDArray[np.uint8]:
    left, top, width, height = box
    digit = Image.fromarray(mask[top : top + height, left : left + width])
    return np.asarray(digit.resize((SIDE, SIDE), Image.Resampling.LANCZOS))
