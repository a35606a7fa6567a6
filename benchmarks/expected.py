"""How much what is known of a number helps to read it: numbers of every kind of picture, held-out ones too.

    python benchmarks/expected.py [--count 2] [--seed 11] [--model MODEL]

Draws card numbers of 16 digits and article numbers (EAN) of 13 as all kinds of pictures, with right check
digits, and reads each three times: with nothing known, with its length, and with its length and its check
digit. Prints how many are misread, and misread without a mark; writes benchmarks/results/expected.json.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from stdnum import ean, luhn

import digitcli
from digitcli.runs import BUNDLED
from digitcli.simulator import HELD_OUT, KINDS, picture
from digitcli.system.files import atomic_path

RESULTS = Path(__file__).parent / "results" / "expected.json"
CHECKS = {"luhn": (16, luhn.calc_check_digit), "ean": (13, ean.calc_check_digit)}
TALLEST = 80
"""Pixels of a digit: some long numbers would be pictures of a hundred megapixels otherwise."""


def main() -> None:
    """Draws, reads, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--count", type=int, default=2, help="numbers of each kind and check")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--model", help="a run; otherwise the bundled model")
    arguments = parser.parse_args()
    model = digitcli.load(arguments.model or BUNDLED)
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for check, (length, digit) in CHECKS.items():
            drawn: dict[Path, str] = {}
            for kind in [kind for kind in KINDS if KINDS[kind].height[0] <= TALLEST]:
                for index in range(arguments.count):
                    rng = np.random.default_rng([arguments.seed, index, *check.encode(), *kind.encode()])
                    text = "".join(map(str, rng.integers(10, size=length - 1)))
                    text += digit(text)
                    path = Path(folder) / f"{check}-{len(drawn):05}.png"
                    picture(kind, text, rng, tallest=TALLEST).image.save(path, compress_level=1)
                    drawn[path] = text
            known: dict[str, dict[str, Any]] = {
                "nothing known": {},
                "length": {"length": length},
                "length and check": {"length": length, "check": check},
            }
            found[check] = {"pictures": len(drawn)}
            for name, expected in known.items():
                found[check][name] = misread(drawn, expected, model)
                print(f"{check:5} {name:18} {found[check][name]} of {len(drawn)}", flush=True)
    with atomic_path(RESULTS, force=True) as path:
        report = {"held_out_kinds": len(HELD_OUT), "seed": arguments.seed, "misread": found}
        path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def misread(drawn: dict[Path, str], expected: dict[str, Any], model: digitcli.Model) -> dict[str, int]:
    """How many pictures are not read right, and how many of these without a mark."""
    known = digitcli.Expect(**expected)
    results = (
        (model.read(path, mode="many", expect=known, time_limit=60), text) for path, text in drawn.items()
    )
    wrong = [result for result, text in results if result.text != text]
    unseen = sum(each.text is not None and not each.uncertain for each in wrong)
    return {"misread": len(wrong), "unseen": unseen}


if __name__ == "__main__":
    main()
