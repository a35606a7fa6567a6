"""How well a network that has seen only synthetic digits reads MNIST's test set.

    python benchmarks/synthetic_alone.py --data mnist --count 60000 --epochs 5

MNIST's training digits were looked at to find out which styles of writing exist; no network trains on
them here, and its test digits chose nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from pathlib import Path

from digitcli.data import synthetic
from digitcli.data.digits import DataSet
from digitcli.data.load import load
from digitcli.training.config import configure
from digitcli.training.run import train

RESULTS = Path(__file__).parent / "results" / "synthetic_alone.json"


def main() -> None:
    """Trains, tests, prints one table and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", default="mnist", help="where MNIST is: as for digitcli train --data")
    parser.add_argument("--preset", default="cnn")
    parser.add_argument("--count", type=int, default=60_000, help="synthetic digits to train on")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    mnist = load(arguments.data)
    assert mnist.test is not None, f"{mnist.origin} has no test part"
    start = time.perf_counter()
    digits = synthetic.generate(arguments.count, arguments.seed)
    drawing = time.perf_counter() - start
    config = configure(arguments.preset, seed=arguments.seed, recipe={"epochs": arguments.epochs})
    with tempfile.TemporaryDirectory() as scratch:
        run = train(config, DataSet(digits, mnist.test, "synthetic digits alone"), Path(scratch) / "run")
    test = run.test
    assert test is not None

    print("digit\trecall")
    for scores in test.digits:
        print(f"{scores.digit}\t{scores.recall:.4f}")
    print(f"all\t{test.accuracy:.4f}")
    result = {
        "accuracy": test.accuracy,
        "recall": [scores.recall for scores in test.digits],
        "test_sha256": mnist.test.sha256,
        "test_images": test.count,
        "synthetic_digits": arguments.count,
        "drawing_seconds": round(drawing, 1),
        "preset": arguments.preset,
        "epochs": arguments.epochs,
        "training_seconds": round(run.seconds, 1),
        "seed": arguments.seed,
        "cpu_cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
