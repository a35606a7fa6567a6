"""Whole-process time and peak memory of `digitcli predict` on one picture, against a Keras script.

    python benchmarks/cold_start.py [--model RUN] [--picture IMG] [--repeats 11]

Both read the same picture with the same trained run, the one its model.tflite, the other its model.keras.
Without --model a small run is trained first. The commands take turns, so that a busy moment of the machine
hits all of them, after one round that does not count and fills the file cache. Prints one table, and writes
the figures with their conditions to benchmarks/results/cold_start.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
PACKAGES = ("digitcli", "ai-edge-litert", "keras", "tensorflow", "numpy", "pillow", "typer", "rich")

KERAS_SCRIPT = """\
import sys

import keras
import numpy as np
from PIL import Image

model = keras.models.load_model(sys.argv[1])
picture = Image.open(sys.argv[2]).convert("L").resize((28, 28))
pixels = np.asarray(picture, dtype="float32").reshape(1, 28, 28, 1) / 255
probabilities = model.predict(pixels, verbose=0)[0]
print(probabilities.argmax(), probabilities.max())
"""
"""The shortest that reads one picture, as tutorials have it: no inversion, no centring."""


@dataclass(frozen=True)
class Measured:
    """One run of a command: seconds from start to end, and its peak of resident memory in MB."""

    seconds: float
    peak_mb: float


def measure(command: Sequence[str]) -> Measured:
    """Runs a command to its end and raises SystemExit if it fails."""
    with tempfile.TemporaryFile() as messages:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=messages)
        # The peak that Linux reports is at least this process's own memory, hence no heavy import here.
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            messages.seek(0)
            raise SystemExit(f"{' '.join(command)} failed:\n{messages.read().decode()[-2000:]}")
    return Measured(seconds, usage.ru_maxrss / 1024)


def commands(run: Path, picture: Path, script: Path) -> dict[str, list[str]]:
    """What is compared, by the name that the table shows."""
    digitcli = [sys.executable, "-m", "digitcli"]
    return {
        "digitcli predict": [*digitcli, "predict", str(picture), "--model", str(run)],
        "Keras script": [sys.executable, str(script), str(run / "model.keras"), str(picture)],
        "digitcli --help": [*digitcli, "--help"],
        "digitcli --version": [*digitcli, "--version"],
    }


def train_small_run(folder: Path) -> Path:
    """A run of the default network after one epoch on synthetic digits: start-up needs no better one."""
    run = folder / "run"
    arguments = ["train", "--data", "synthetic", "--epochs", "1", "--output", str(run)]
    subprocess.run([sys.executable, "-m", "digitcli", *arguments], check=True, stdout=subprocess.DEVNULL)
    return run


def conditions(packages: Sequence[str], load: float) -> dict[str, object]:
    """What a figure was measured on. load: the machine's before the measurement."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "load_before": load,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {package: version(package) for package in packages},
    }


def processor() -> str:
    """The processor's name where Linux tells it, else its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def main() -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", type=Path, help="a run directory with model.tflite and model.keras")
    parser.add_argument("--picture", type=Path, help="default: the first of examples/")
    parser.add_argument("--repeats", type=int, default=11)
    parser.add_argument("--output", type=Path, default=HERE / "results" / "cold_start.json")
    options = parser.parse_args()
    # What is installed is compiled; a checkout would be at every start, where this is set.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    load = round(os.getloadavg()[0], 2)
    picture = options.picture or min((HERE.parent / "examples").glob("*.png"))

    with tempfile.TemporaryDirectory() as folder:
        run = options.model or train_small_run(Path(folder))
        script = Path(folder) / "keras_script.py"
        script.write_text(KERAS_SCRIPT)
        compared = commands(run, picture, script)
        rounds = [
            {name: measure(command) for name, command in compared.items()} for _ in range(options.repeats + 1)
        ][1:]
        preset = json.loads((run / "run.json").read_text())["config"]["preset"]

    results = {
        name: {
            "median_s": round(statistics.median(r[name].seconds for r in rounds), 3),
            "fastest_s": round(min(r[name].seconds for r in rounds), 3),
            "slowest_s": round(max(r[name].seconds for r in rounds), 3),
            "peak_mb": round(statistics.median(r[name].peak_mb for r in rounds), 1),
        }
        for name in compared
    }
    times_faster = results["Keras script"]["median_s"] / results["digitcli predict"]["median_s"]

    print(f"{'whole process':20}{'median':>9}{'fastest':>10}{'slowest':>10}{'peak memory':>14}")
    for name, r in results.items():
        print(
            f"{name:20}{r['median_s']:>7.3f} s{r['fastest_s']:>8.3f} s{r['slowest_s']:>8.3f} s"
            f"{r['peak_mb']:>11.0f} MB"
        )
    print(f"digitcli predict is {times_faster:.1f} times faster than the Keras script.")

    options.output.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "benchmark": "cold_start",
        "conditions": {
            **conditions(PACKAGES, load),
            "network": preset,
            "repeats": options.repeats,
        },
        "results": results,
        "times_faster": round(times_faster, 2),
    }
    options.output.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
