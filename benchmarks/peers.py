"""digitcli beside Tesseract and RapidOCR, where these are installed, on whole numbers.

    python benchmarks/peers.py [--count 4] [--seed 0] [--real FOLDER] [--output FILE]

Draws `count` pictures of a number of every kind with digitcli.simulator and `count` lines close up for each
of these kinds; with --real also reads the pictures of FOLDER, whose labels.csv has the columns `text` and
either `path`, or `archive` and `member`. Compared are the digits alone: lines, spaces and signs do not count.

Tesseract is the command `tesseract`, told that there are digits only; RapidOCR the Python package
`rapidocr`, or `rapidocr_onnxruntime`. Prints a table: share of the pictures read without any error.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import io
import json
import shutil
import subprocess
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import digitcli
from digitcli.data.load import load
from digitcli.simulator import HELD_OUT, KINDS, picture
from digitcli.simulator.hands import Bank
from digitcli.simulator.lines import line

Reader = Callable[[Image.Image], str]


@dataclass(frozen=True)
class Sample:
    """A picture, the digits in it, and the group it is counted in."""

    image: Image.Image
    text: str
    group: str


def by_digitcli() -> Reader:
    """The bundled model."""
    model = digitcli.load()
    return lambda image: model.read(image, mode="many").text or ""


def by_tesseract() -> Reader | None:
    """The command, if it is there."""
    if not shutil.which("tesseract"):
        return None
    options = ["--psm", "6", "-c", "tessedit_char_whitelist=0123456789"]

    def read(image: Image.Image) -> str:
        with tempfile.NamedTemporaryFile(suffix=".png") as file:
            image.save(file.name)
            done = subprocess.run(
                ["tesseract", file.name, "-", *options], capture_output=True, text=True, check=False
            )
        return done.stdout

    return read


def by_rapidocr() -> Reader | None:
    """The package, if it is there."""
    for name in ("rapidocr_onnxruntime", "rapidocr"):
        try:
            engine = importlib.import_module(name).RapidOCR()
        except ImportError:
            continue

        def read(image: Image.Image, engine: Any = engine) -> str:
            answer = engine(np.asarray(image.convert("RGB"))[..., ::-1])
            lines = getattr(answer, "txts", None) or [each[1] for each in (answer[0] or [])]
            return "".join(lines)

        return read
    return None


def simulated(count: int, seed: int) -> Iterator[Sample]:
    """Numbers of every kind, and lines close up."""
    for index, kind in enumerate(KINDS):
        for number in range(count):
            rng = np.random.default_rng([seed, index, number])
            text = "".join(map(str, rng.integers(10, size=rng.integers(2, 9))))
            group = "simulated, held-out kinds" if kind in HELD_OUT else "simulated, known kinds"
            yield Sample(picture(kind, text, rng, tallest=200).image, text, group)
    digits = load("auto").train
    assert digits
    bank = Bank(digits.images, digits.labels)
    for number in range(count * len(KINDS)):
        drawn = line(np.random.default_rng([seed, number]), bank)
        if len(text := only_digits(drawn.text)) > 1:
            yield Sample(Image.fromarray(drawn.pixels), text, "simulated, lines close up")


def real(folder: Path) -> Iterator[Sample]:
    """Labelled pictures of a folder, in groups by archive."""
    with (folder / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        if "archive" in row:
            with zipfile.ZipFile(folder / row["archive"]) as archive:
                content = archive.read(row["member"])
        else:
            content = (folder / row["path"]).read_bytes()
        image = Image.open(io.BytesIO(content))
        yield Sample(image.convert("RGB"), only_digits(row["text"]), row.get("archive", "real"))


def only_digits(text: str) -> str:
    """Without all else."""
    return "".join(each for each in text if each in "0123456789")


def main() -> None:
    """Draws, reads, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--count", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--real", type=Path)
    parser.add_argument("--every", type=int, default=1, help="of the real pictures, read each so many-th")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "peers.json")
    options = parser.parse_args()
    made = {"digitcli": by_digitcli(), "Tesseract": by_tesseract(), "RapidOCR": by_rapidocr()}
    readers = {name: reader for name, reader in made.items() if reader}
    samples = list(simulated(options.count, options.seed))
    if options.real:
        samples += list(real(options.real))[:: options.every]
    right: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for sample in samples:
        for name, reader in readers.items():
            right[sample.group][name].append(only_digits(reader(sample.image)) == sample.text)
    table = {
        group: {"pictures": len(next(iter(row.values())))}
        | {name: round(100 * float(np.mean(each)), 1) for name, each in row.items()}
        for group, row in right.items()
    }
    print(f"{'% read without error':32}{'pictures':>10}" + "".join(f"{name:>12}" for name in readers))
    for group, row in table.items():
        print(f"{group:32}" + f"{row['pictures']:>10}" + "".join(f"{row[name]:>12}" for name in readers))
    options.output.write_text(
        json.dumps({"benchmark": "peers", "seed": options.seed, "right": table}, indent=2) + "\n"
    )


if __name__ == "__main__":
    main()
