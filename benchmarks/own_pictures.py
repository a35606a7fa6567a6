"""How well pictures that people make themselves are read, by kind of picture.

    python benchmarks/own_pictures.py --model RUN [--count 100] [--seed 0] [--kinds NAME...]
                                      [--numbers 30] [--save-mistakes DIR]

Draws `count` pictures of one digit of every kind with digitcli.simulator, writes them as PNG files, and
reads them in three ways with the same model:

    resized    grey, resized to 28x28, as most tutorials do
    inverted   the same, inverted where the border is light
    predict    the command `digitcli predict`

Then as many pictures without a digit go through predict, and the area under the ROC curve tells how well the
confidence separates the two. Last come `numbers` pictures of every kind with 2 to 10 digits in a line, a
third of them with two or three such lines:

    contours         Otsu's threshold, each outer contour resized to 28x28, as most tutorials do
    predict --many   the command

Such a picture counts as read if no digit in it is wrong, missing or too many. The last table has each line
for itself, as the number that it is, whatever happened to those above and below it.

Prints three tables and writes benchmarks/results/own_pictures.json. Kinds
marked * use a pen, paper, lamp or camera that nothing was tuned or trained on.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from several_digits import draw_numbers, lines_right, read_numbers

from digitcli import classifiers, runs
from digitcli.convention import CLASSES, SIDE
from digitcli.images.decode import open_picture
from digitcli.simulator import HELD_OUT, KINDS, NOT_DIGITS, not_digits, picture

RESULTS = Path(__file__).parent / "results" / "own_pictures.json"


@dataclass(frozen=True)
class Sample:
    """A picture on disk: what it shows, None if no digit, and its kind."""

    path: Path
    kind: str
    digit: int | None


@dataclass(frozen=True)
class Read:
    """What was read in a picture, None if nothing, and how sure that is, 0-1."""

    digit: int | None
    confidence: float


def draw_digits(kinds: Sequence[str], count: int, seed: int, folder: Path) -> Iterator[Sample]:
    """`count` pictures of each kind, every digit equally often."""
    for kind in kinds:
        # From the kind's name, so that the pictures of one do not change when another is added.
        rng = np.random.default_rng([seed, *kind.encode()])
        for index in range(count):
            digit = index % CLASSES
            path = folder / f"{_slug(kind)}-{index:04}-is-{digit}.png"
            picture(kind, str(digit), rng).image.save(path, compress_level=1)
            yield Sample(path, kind, digit)


def draw_others(count: int, seed: int, folder: Path) -> Iterator[Sample]:
    """`count` pictures of each kind without a digit."""
    for kind in NOT_DIGITS:
        rng = np.random.default_rng([seed, *kind.encode()])
        for index in range(count):
            path = folder / f"not-{kind}-{index:04}.png"
            not_digits(kind, rng).image.save(path, compress_level=1)
            yield Sample(path, kind, None)


def resized(path: Path) -> NDArray[np.uint8]:
    """The usual recipe: (28, 28) uint8, grey, neither inverted nor centred."""
    grey = open_picture(path).convert("L")
    return np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def inverted(path: Path) -> NDArray[np.uint8]:
    """The usual recipe, inverted if the border is light."""
    pixels = resized(path)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    return 255 - pixels if np.median(border) > 127 else pixels


def classify(images: Sequence[NDArray[np.uint8]], model: Path) -> list[Read]:
    """What the model alone reads in pictures of (28, 28)."""
    rows = classifiers.load(model).probabilities(np.stack(images))
    return [Read(int(row.argmax()), float(row.max())) for row in rows]


def predict(folder: Path, model: Path) -> dict[str, Read]:
    """What `digitcli predict` reads in all pictures of a folder, by their names."""
    command = [sys.executable, "-m", "digitcli", "predict", str(folder), "--model", str(model), "--quiet"]
    done = subprocess.run([*command, "--format", "jsonl"], stdout=subprocess.PIPE, text=True)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    # What is no digit, or too little of one to classify, has no confidence: it is as sure as can be.
    return {Path(row["path"]).name: Read(row["digit"], row["confidence"] or 0.0) for row in rows}


def auroc(positive: NDArray[np.float64], negative: NDArray[np.float64]) -> float:
    """How often a positive scores higher than a negative; ties count half."""
    order = np.sort(negative)
    below = np.searchsorted(order, positive, "left") + np.searchsorted(order, positive, "right")
    return float(below.mean() / 2 / len(order))


def save_mistakes(samples: Sequence[Sample], results: Sequence[Read], folder: Path) -> None:
    """Copies every picture that predict misread, with what it read in the name."""
    folder.mkdir(parents=True, exist_ok=True)
    for sample, read in zip(samples, results, strict=True):
        if read.digit != sample.digit:
            was = "nothing" if read.digit is None else f"{read.digit}-at-{read.confidence:.2f}"
            shutil.copy(sample.path, folder / f"{sample.path.stem}-read-{was}.png")


def shares(
    of: Sequence[tuple[str, dict[str, bool]]], groups: dict[str, Sequence[str]]
) -> dict[str, dict[str, float]]:
    """How many percent each recipe reads right of each group of kinds.

    of: for each picture its kind and, by recipe, whether it was read right.
    """
    table = {}
    for group, kinds in groups.items():
        rows = [right for kind, right in of if kind in kinds]
        if rows:
            table[group] = {name: round(100 * mean(row[name] for row in rows), 2) for name in rows[0]}
    return table


def print_table(title: str, accuracies: dict[str, dict[str, float]]) -> None:
    """Accuracy in percent: a row per group, a column per recipe."""
    recipes = list(next(iter(accuracies.values())))
    print(f"\n{title:34}" + "".join(f"{name:>16}" for name in recipes))
    for kind, row in accuracies.items():
        print(f"{kind + ' *' * (kind in HELD_OUT):34}" + "".join(f"{row[name]:>16.1f}" for name in recipes))


def main() -> None:
    """Draws, reads, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", type=Path, help="a run or a model file; default: as predict has it")
    parser.add_argument("--count", type=int, default=100, help="pictures of each kind")
    parser.add_argument("--numbers", type=int, default=30, help="pictures of several digits of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS), metavar="NAME")
    parser.add_argument("--save-mistakes", type=Path, metavar="DIR")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    model = runs.find_model(options.model)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        digits = list(draw_digits(options.kinds, options.count, options.seed, folder))
        others = list(draw_others(options.count, options.seed, folder))
        by_predict = predict(folder, model.path)
        reads = {
            "resized": classify([resized(sample.path) for sample in digits], model.path),
            "inverted": classify([inverted(sample.path) for sample in digits], model.path),
            "predict": [by_predict[sample.path.name] for sample in digits],
        }
        refusals = [by_predict[sample.path.name] for sample in others]
        if options.save_mistakes:
            save_mistakes(digits + others, reads["predict"] + refusals, options.save_mistakes)
        pages = folder / "numbers"
        pages.mkdir()
        numbers = list(draw_numbers(options.kinds, options.numbers, options.seed, pages))
        number_reads = read_numbers(numbers, pages, model.path)

    right = [
        (sample.kind, {recipe: rows[index].digit == sample.digit for recipe, rows in reads.items()})
        for index, sample in enumerate(digits)
    ]
    whole, by_lines, each_line = [], [], []
    for number, row in zip(numbers, number_reads, strict=True):
        wholly = {recipe: read == number.text for recipe, read in row.items()}
        whole.append((number.kind, wholly))
        by_lines.append(("several lines" if "\n" in number.text else "one line", wholly))
        in_lines = [lines_right(number.text, read) for read in row.values()]
        each_line += [
            (number.kind, dict(zip(row, line, strict=True))) for line in zip(*in_lines, strict=True)
        ]
    confidence = np.array([read.confidence for read in reads["predict"]])
    separation = {
        kind: auroc(
            confidence,
            np.array([r.confidence for s, r in zip(others, refusals, strict=True) if s.kind in of]),
        )
        for kind, of in {**{kind: (kind,) for kind in NOT_DIGITS}, "all": NOT_DIGITS}.items()
    }

    groups = {
        "all": options.kinds,
        "known": [kind for kind in options.kinds if kind not in HELD_OUT],
        "held out": [kind for kind in options.kinds if kind in HELD_OUT],
    }
    each = {kind: [kind] for kind in options.kinds}
    lines = {name: [name] for name in ("one line", "several lines")}
    by_kind, by_group = shares(right, each), shares(right, groups)
    numbers_by_kind = shares(whole, each)
    numbers_by_group = shares(whole, groups) | shares(by_lines, lines)
    lines_by_group = shares(each_line, groups)
    print_table("% of single digits read right", by_kind | by_group)
    print_table("% of pictures of numbers, no error", numbers_by_kind | numbers_by_group)
    print_table("% of lines read without error", lines_by_group)
    print(
        "\nAUROC of predict's confidence, digits against: "
        + ", ".join(f"{k} {v:.3f}" for k, v in separation.items())
    )

    document = {
        "benchmark": "own_pictures",
        "conditions": {
            "date": datetime.now(UTC).date().isoformat(),
            "pictures_per_kind": options.count,
            "numbers_per_kind": options.numbers,
            "seed": options.seed,
            "model": (model.run or model.path).name,
            "python": platform.python_version(),
            "cores": os.cpu_count(),
        },
        "accuracy_by_kind": by_kind,
        "accuracy": by_group,
        "numbers_by_kind": numbers_by_kind,
        "numbers": numbers_by_group,
        "lines": lines_by_group,
        "held_out": sorted(HELD_OUT.intersection(options.kinds)),
        "auroc_of_confidence": {kind: round(value, 4) for kind, value in separation.items()},
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _slug(kind: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in kind)


if __name__ == "__main__":
    main()
