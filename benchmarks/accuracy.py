"""Accuracy of the presets on the MNIST test set: mean and spread over seeds, and the time it takes.

    python benchmarks/accuracy.py --data mnist mlp-512-64 mlp-512 mlp-dropout cnn --seeds 5

Prints one table, writes benchmarks/results/accuracy.json and the table in README.md. Presets that are not
named keep their figures. The test set is only looked at when a training is over.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import tempfile
from datetime import date
from pathlib import Path

from digitcli import models
from digitcli.data.load import load
from digitcli.training.config import configure
from digitcli.training.run import train

RESULTS = Path(__file__).parent / "results" / "accuracy.json"
README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- accuracy: begin -->", "<!-- accuracy: end -->"


def measure(name: str, data: str, seeds: int) -> dict[str, object]:
    """Trains a preset once per seed."""
    digits = load(data)
    accuracies, seconds = [], []
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as folder:
            run = train(configure(name, seed=seed), digits, Path(folder) / "run")
        accuracies.append(round(100 * run.test.accuracy, 4))
        seconds.append(round(run.seconds, 1))
        print(f"{name} seed {seed}: {accuracies[-1]:.2f} % in {seconds[-1]:.0f} s", flush=True)
    return {
        "test_sha256": digits.test.sha256,
        "parameters": run.parameters,
        "epochs": run.config.recipe.epochs,
        "accuracies": accuracies,
        "mean": round(statistics.mean(accuracies), 4),
        "spread": round(statistics.stdev(accuracies), 4) if seeds > 1 else None,
        "median_seconds": statistics.median(seconds),
        "date": date.today().isoformat(),
        "cores": os.cpu_count(),
        "machine": platform.machine(),
    }


def table(results: dict[str, dict]) -> str:
    """The figures as a Markdown table."""
    lines = [
        "| preset | network | weights | epochs | accuracy on the MNIST test set | seeds | training time |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, preset in models.PRESETS.items():
        if row := results.get(name):
            spread = f" ± {row['spread']:.2f}" if row["spread"] is not None else ""
            lines.append(
                f"| `{name}` | {preset.summary} | {row['parameters']:,} | {row['epochs']} "
                f"| {row['mean']:.2f}{spread} % | {len(row['accuracies'])} | {row['median_seconds']:.0f} s |"
            )
    return "\n".join(lines)


def main() -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("presets", nargs="+", choices=list(models.PRESETS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--data", default="mnist")
    arguments = parser.parse_args()

    for name in arguments.presets:
        row = measure(name, arguments.data, arguments.seeds)
        # Read again each time, so that two of these at work on different presets do not undo each other.
        results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        results[name] = row
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    print(table(results))
    readme = README.read_text(encoding="utf-8")
    block = f"{BEGIN}\n{table(results)}\n{END}"
    README.write_text(re.sub(f"{BEGIN}.*?{END}", lambda match: block, readme, flags=re.S), encoding="utf-8")


if __name__ == "__main__":
    main()
