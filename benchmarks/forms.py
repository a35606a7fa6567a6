"""How well photographed forms are read: sheets of the example form, filled by simulated hands.

    python benchmarks/forms.py [--count 100] [--seed 1] [--model MODEL] [--save-mistakes DIR]

Each sheet is turned by up to ten degrees, seen from one side, up to 30 % smaller or larger, in lamp light,
and read by `digitcli predict --form`. As many sheets of another form, which has the same cells in the same
places and other words, must be refused. Prints the share of the fields that is right, wrong and marked, and
wrong unseen; what is to be looked at and wrong unseen by confidence; and how many sheets a second are
read, after the first, on all cores. Writes benchmarks/results/forms.json.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from digitcli.reading.forms import read_form
from digitcli.simulator.hands import HEIGHT, Hand
from digitcli.system.files import atomic_path

RESULTS = Path(__file__).parent / "results" / "forms.json"
EXAMPLE = Path(__file__).parents[1] / "examples" / "form"
TALL, WIDE = 46, 54
"""Pixels of a digit on a blank of 1,000, and of the widest."""
LEAST = 0.8, 0.9, 0.95, 0.98, 0.99
"""Confidence below which fields are looked at."""
OTHER_WORDS = ("Meter reading", "Household number", "Gas", "Water", "Day of reading")
NOTHING = {"text": None, "uncertain": False, "confidence": 0.0}


def example() -> Any:
    """The module that drew the example form."""
    spec = importlib.util.spec_from_file_location("make", EXAMPLE / "make.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def filled(blank: Image.Image, texts: list[str], tops: list[int], rng: np.random.Generator) -> Image.Image:
    """The blank with a digit in each cell, by one hand in one colour."""
    hand = Hand(rng, None)
    hand.pen = float(np.exp(rng.uniform(np.log(3), np.log(9))))
    colour = np.array([(40, 50, 140), (30, 30, 30), (20, 90, 60)][rng.integers(3)])
    page = np.asarray(blank.convert("RGB")).astype(np.float32)
    for top, text in zip(tops, texts, strict=True):
        for column, digit in enumerate(text):
            ink = hand.digit(int(digit)).ink
            scale = min(TALL / HEIGHT, WIDE / ink.shape[1])
            ink = cv2.resize(ink, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)[:66]
            left = 361 + 60 * column + (58 - ink.shape[1]) // 2 + int(rng.integers(-2, 3))
            down = top + max(0, (71 - ink.shape[0]) // 2 + int(rng.integers(-3, 4)))
            place = page[down : down + ink.shape[0], left : left + ink.shape[1]]
            cover = ink[: place.shape[0], : place.shape[1], None] / np.float32(255)
            place[:] = place * (1 - cover) + colour * cover
    return Image.fromarray(page.astype(np.uint8))


def photographed(page: Image.Image, rng: np.random.Generator) -> Image.Image:
    """As a telephone may see it on a desk."""
    turn, scale = np.radians(rng.uniform(-10, 10)), rng.uniform(0.77, 1.3)
    corners = np.array([(0, 0), (page.width, 0), page.size, (0, page.height)], np.float32)
    middle = corners.mean(axis=0)
    turned = (corners - middle) @ np.array([(np.cos(turn), np.sin(turn)), (-np.sin(turn), np.cos(turn))])
    seen = scale * (turned + rng.uniform(-30, 30, (4, 2)))
    seen -= seen.min(axis=0) - 30
    size = (np.ceil(seen.max(axis=0)) + 30).astype(int)
    way = cv2.getPerspectiveTransform(corners, seen.astype(np.float32))
    desk = rng.uniform(50, 150, 3).tolist()
    pixels = cv2.warpPerspective(np.asarray(page.convert("RGB")), way, tuple(size.tolist()), borderValue=desk)
    light = np.linspace(rng.uniform(0.6, 1), 1, pixels.shape[1])[:, None] * rng.uniform(0.8, 1)
    noisy = pixels * light + rng.normal(0, rng.uniform(0, 5), pixels.shape)
    blurred = cv2.GaussianBlur(noisy, (0, 0), rng.uniform(0.3, 1.0))
    return Image.fromarray(blurred.clip(0, 255).astype(np.uint8))


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--save-mistakes", type=Path)
    arguments = parser.parse_args()
    form = read_form(EXAMPLE / "form.toml")
    boxes = [field.on((1000, 640)) for field in form.fields]
    tops, lengths = [box[1] for box in boxes], [field.expect.lengths[0] for field in form.fields]
    make = example()
    blank = make.blank()
    other = blank.copy()
    draw = ImageDraw.Draw(other)
    for row, words in enumerate(OTHER_WORDS):
        top = 140 + 110 * (row - 1) if row else 30
        draw.rectangle((50, top, 350, top + 60), fill=252)
        draw.text((60, top + (20 if row else 10)), words, 20, ImageFont.load_default(26 if row else 44))
    draw.rectangle((50, 580, 700, 630), fill=252)
    draw.text((60, 590), "Send this before the first of the month.", 20, ImageFont.load_default(22))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        truth: list[dict[str, str]] = []
        for number in range(arguments.count):
            rng = np.random.default_rng([arguments.seed, number])
            texts = ["".join(map(str, rng.integers(10, size=length))) for length in lengths]
            texts[-1] = f"{rng.integers(1, 32):02}"
            truth.append(dict(zip((field.name for field in form.fields), texts, strict=True)))
            for sheet, sort in ((blank, "own"), (other, "other")):
                (folder / sort).mkdir(exist_ok=True)
                page = photographed(filled(sheet, texts, tops, rng), rng)
                page.save(folder / sort / f"{number:04}.jpg", quality=int(rng.integers(60, 95)))
        first, _ = read([folder / "own" / "0000.jpg"], arguments.model)
        own, seconds = read([folder / "own"], arguments.model)
        _, start = read([folder / "own" / "0000.jpg"], arguments.model)
        others, _ = read([folder / "other"], arguments.model)
        assert len(first) == 1
        right = marked = silent = 0
        confident: list[tuple[float, bool]] = []
        for number, (result, texts) in enumerate(zip(own, truth, strict=True)):
            for field, text in texts.items():
                got = (result["fields"] or {}).get(field, NOTHING)
                confident += [(got["confidence"], got["text"] == text)] if got["text"] is not None else []
                if got["text"] == text:
                    right += 1
                    continue
                unseen = got["text"] is not None and not got["uncertain"]
                silent, marked = silent + unseen, marked + (not unseen)
                if arguments.save_mistakes:
                    arguments.save_mistakes.mkdir(parents=True, exist_ok=True)
                    page = Image.open(folder / "own" / f"{number:04}.jpg")
                    page.save(arguments.save_mistakes / f"{text} read {got['text']} {field} {number}.jpg")
        fields = sum(map(len, truth))
        found: dict[str, float] = {
            "sheets": len(truth),
            "fields": fields,
            "right": right / fields,
            "wrong_and_marked_or_without_text": marked / fields,
            "wrong_unseen": silent / fields,
            "sheets_laid": sum(not each["error"] for each in own) / len(truth),
            "others_refused": sum(bool(each["error"]) for each in others) / len(truth),
            "sheets_a_second": round((len(truth) - 1) / max(seconds - start, 1e-9), 1),
        }
        for least in LEAST:
            sure = [ok for confidence, ok in confident if confidence >= least]
            found[f"looked_at_below_{least}"] = 1 - len(sure) / fields
            found[f"wrong_unseen_if_looked_at_below_{least}"] = sure.count(False) / fields
    for key, value in found.items():
        print(f"{key:40} {value:.4f}" if isinstance(value, float) else f"{key:40} {value}")
    with atomic_path(RESULTS, force=True) as path:
        path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def read(pictures: list[Path], model: str) -> tuple[list[dict[str, Any]], float]:
    """The results of predict, and the seconds that they took."""
    command = [sys.executable, "-m", "digitcli", "predict", *map(str, pictures), "--model", model]
    started = time.perf_counter()
    done = subprocess.run(
        [*command, "--form", str(EXAMPLE / "form.toml"), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - started
    results: list[dict[str, Any]] = json.loads(done.stdout)["results"]
    return results, seconds


if __name__ == "__main__":
    main()
