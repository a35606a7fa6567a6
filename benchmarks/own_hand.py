"""What a model learns from somebody's own digits, corrected in five minutes.

    python benchmarks/own_hand.py --data FOLDER [--corrected 60] [--others 500] [--from bundled]

Draws some hands that write a few digits as nothing here was trained on, each with a slant and a pen of its
own. Of every hand, `corrected` pictures go through `predict --save-digits`, get their right labels as
`review` would give them, and are trained on with `train --from bundled --data DIR+FOLDER`. Prints, and
writes to results/own_hand.json, the errors on `others` pictures of the same hand before and after, the
accuracy on the test part of FOLDER before and after, and the seconds of the training's whole process.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digitcli.data import reviewed
from digitcli.simulator.strokes import fit_box, handwrite, split
from digitcli.simulator.styles import STYLES, Style
from digitcli.system.files import atomic_path

RESULTS = Path(__file__).parent / "results" / "own_hand.json"

HANDS: dict[str, dict[int, str]] = {
    "spirals": {
        6: "52,0 20,24 4,64 20,98 50,94 60,70 42,52 24,64 30,82 44,78",
        9: "36,44 28,34 38,22 54,32 46,54 18,54 4,26 24,0 58,8 66,44 50,100",
        0: "40,50 52,40 56,58 38,68 22,48 36,20 66,26 76,60 54,98 16,90 2,48 22,4",
    },
    "corners": {
        2: "2,4 56,4! 56,50! 4,50! 4,98! 58,98",
        5: "56,4 4,4! 4,48! 56,48! 56,98! 2,98",
        3: "2,4 56,4! 56,50! 16,50! 56,50! 56,98! 2,98",
        8: "4,4 58,4! 58,98! 4,98! 4,4! 4,50! 58,50",
    },
    "flags and roofs": {
        1: "0,62 34,0! 62,60 | 34,0 34,98",
        7: "4,30 6,2! 60,2! 60,30 | 60,2 22,98 | 2,60 56,52",
        4: "30,0 4,66! 66,66! 66,40 | 40,46 40,98",
    },
    "loops": {
        1: "30,40 16,24 30,6 42,24 36,60 30,98",
        2: "16,34 6,16 30,0 54,20 40,60 10,92 2,76 20,72 44,98 66,84 54,74 46,94",
        7: "14,20 4,10 16,0 24,12 60,6 74,2 56,40 40,60 52,66 50,50 30,98",
        5: "60,2 30,4 20,0 16,14 14,40 26,50 40,38 60,60 44,96 10,96 2,80 16,74",
    },
    "in a hurry": {
        8: "54,6 20,8 16,34 46,60 40,96 14,90 30,50 70,0",
        9: "58,20 34,2 10,20 30,46 60,24 100,40",
        4: "20,0 6,60 40,52 74,40 | 52,20 40,98",
        0: "60,14 24,6 2,50 30,92 66,70 90,30",
    },
}


def draw(hand: str, digit: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A digit in ink on white paper, (height, width)."""
    own = HANDS[hand].get(digit)
    style = Style(hand, 1, (own,)) if own else STYLES[digit][len(hand) % 3]
    path = fit_box(handwrite(style, 1, rng))[0]
    slant = (len(hand) - 10) / 25
    path[:, 0] -= slant * path[:, 1]
    strokes = [(stroke * 120).astype(np.float32) for stroke in split(path, style)]
    points = np.concatenate(strokes)
    low, span = points.min(axis=0) - 40, np.ptp(points, axis=0) + 80
    page = np.full((int(span[1]), int(span[0])), 250, np.uint8)
    lines = [np.rint((stroke - low) * 16).astype(np.int32) for stroke in strokes]
    cv2.polylines(page, lines, False, 40, 5 + len(hand) % 7, cv2.LINE_AA, 4)
    return page


def pictures(hand: str, count: int, seed: int, folder: Path) -> dict[str, int]:
    """Draws so many digits of a hand into a folder: the files with what they are."""
    rng = np.random.default_rng([seed, len(hand)])
    folder.mkdir(parents=True)
    drawn = {}
    for number, digit in enumerate(rng.permutation(np.arange(count) % 10).tolist()):
        path = folder / f"{number:04}.png"
        Image.fromarray(draw(hand, digit, rng)).save(path)
        drawn[str(path)] = digit
    return drawn


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True)
    parser.add_argument("--corrected", type=int, default=60)
    parser.add_argument("--others", type=int, default=500)
    parser.add_argument("--from", dest="start", default="bundled")
    arguments = parser.parse_args()
    before = accuracy(arguments.start, arguments.data)
    rows = []
    for hand in HANDS:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            some = pictures(hand, arguments.corrected, 1, folder / "some")
            others = pictures(hand, arguments.others, 2, folder / "others")
            mine, run = folder / "mine", folder / "run"
            digitcli("predict", *some, "--save-digits", mine, "--model", arguments.start)
            label(mine, some)
            started = time.perf_counter()
            digitcli(
                "train", "--from", arguments.start, "--data", f"{mine}+{arguments.data}", "--output", run
            )
            seconds = time.perf_counter() - started
            row = {
                "hand": hand,
                "wrong_before": wrong(others, arguments.start),
                "wrong_after": wrong(others, run),
                "of": len(others),
                "test_accuracy_before": before,
                "test_accuracy_after": accuracy(run, arguments.data),
                "seconds": round(seconds, 1),
            }
        rows.append(row)
        print(*row.values(), sep="\t", flush=True)
    with atomic_path(RESULTS, force=True) as path:
        path.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def digitcli(*arguments: object) -> str:
    """Runs digitcli and returns what it printed."""
    command = [sys.executable, "-m", "digitcli", *map(str, arguments)]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def label(mine: Path, drawn: dict[str, int]) -> None:
    """Says what each digit is, as `review` would."""
    with (mine / reviewed.LABELS).open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(reviewed.LABEL_COLUMNS)
        for row in reviewed.rows(mine / reviewed.DIGITS, reviewed.COLUMNS):
            table.writerow([row["file"], drawn[row["picture"]]])


def wrong(drawn: dict[str, int], model: object) -> int:
    """How many of the pictures are not read right, as single digits."""
    read = json.loads(digitcli("predict", *drawn, "--single", "--json", "--model", model))["results"]
    return sum(each["digit"] != digit for each, digit in zip(read, drawn.values(), strict=True))


def accuracy(model: object, data: str) -> float:
    """On the test part of the data."""
    found: float = json.loads(digitcli("evaluate", model, "--data", data, "--json"))["accuracy"]
    return found


if __name__ == "__main__":
    main()
