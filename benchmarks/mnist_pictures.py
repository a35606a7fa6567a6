"""MNIST's test set as picture files, read back through `digitcli predict`, in ten forms.

    python benchmarks/mnist_pictures.py --data FOLDER [--model RUN] [--count 10000]

    arrays     the pixels as they are, fed to the network alone: what the others are held against
    as is      PNG files of 28x28
    inverted   dark on light
    enlarged   10 times, each pixel a square
    corner     dark on a white page of 640x480, in one of its corners
    turned     dark on light, 112x112, by up to 15 degrees
    cut        to the ink, at its own size, and so in three more ways: inverted, 10 times, both

Prints a table and writes benchmarks/results/mnist_pictures.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digitcli import classifiers, runs
from digitcli.data.load import load

RESULTS = Path(__file__).parent / "results" / "mnist_pictures.json"
PAGE, MARGIN, TURN = (640, 480), 24, 15

Form = Callable[[Image.Image, np.random.Generator], Image.Image]


def inverted(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Dark on light."""
    return image.point(lambda level: 255 - level)


def enlarged(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Each pixel a square of 10."""
    return image.resize((280, 280), Image.Resampling.NEAREST)


def corner(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Small on a large page."""
    page = Image.new("L", PAGE, 255)
    left, top = (rng.integers(2) * (side - 28 - 2 * MARGIN) + MARGIN for side in PAGE)
    page.paste(inverted(image, rng), (int(left), int(top)))
    return page


def turned(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """By up to TURN degrees, on more paper."""
    page = Image.new("L", (40, 40))
    page.paste(image, (6, 6))
    large = page.resize((112, 112), Image.Resampling.BICUBIC)
    return inverted(large.rotate(rng.uniform(-TURN, TURN), Image.Resampling.BICUBIC), rng)


def cut(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Without any paper round the ink."""
    return image.crop(image.getbbox())


def cut_enlarged(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The same, 10 times as large."""
    small = cut(image, rng)
    return small.resize((10 * small.width, 10 * small.height), Image.Resampling.BICUBIC)


FORMS: dict[str, Form] = {
    "as is": lambda image, rng: image,
    "inverted": inverted,
    "enlarged": enlarged,
    "corner": corner,
    "turned": turned,
    "cut": cut,
    "cut, inverted": lambda image, rng: inverted(cut(image, rng), rng),
    "cut, 10 times": cut_enlarged,
    "both": lambda image, rng: inverted(cut_enlarged(image, rng), rng),
}


def accuracy(images: NDArray[np.uint8], labels: NDArray[np.uint8], form: Form, model: Path) -> float:
    """How many of the images the command reads right in that form, in percent."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        for index, pixels in enumerate(images):
            form(Image.fromarray(pixels), rng).save(Path(folder, f"{index:05}.png"), compress_level=1)
        command = [sys.executable, "-m", "digitcli", "predict", folder, "--model", str(model)]
        done = subprocess.run([*command, "--quiet", "--format", "jsonl"], stdout=subprocess.PIPE, text=True)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    read = {int(Path(row["path"]).stem): row["digit"] for row in rows}
    return round(100 * float(np.mean([read[index] == label for index, label in enumerate(labels)])), 2)


def main() -> None:
    """Draws, reads, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--model", type=Path, default=runs.BUNDLED)
    parser.add_argument("--count", type=int, default=10_000)
    options = parser.parse_args()
    model = runs.find_model(options.model).path
    test = load(options.data).test
    if test is None:
        parser.error(f"{options.data} has no test part")
    images, labels = test.images[: options.count], test.labels[: options.count]
    rows = classifiers.load(model).probabilities(images)
    results = {"arrays": round(100 * float((rows.argmax(axis=1) == labels).mean()), 2)}
    print(f"{'arrays':14}{results['arrays']:8.2f} %")
    for name, form in FORMS.items():
        results[name] = accuracy(images, labels, form, model)
        print(f"{name:14}{results[name]:8.2f} %", flush=True)
    document = {
        "benchmark": "mnist_pictures",
        "conditions": {
            "date": datetime.now(UTC).date().isoformat(),
            "pictures": len(labels),
            "model": model.name,
            "python": platform.python_version(),
            "cores": os.cpu_count(),
        },
        "accuracy": results,
    }
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
