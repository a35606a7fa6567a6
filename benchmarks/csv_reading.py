"""How fast CSV is read, and in how much memory, beside numpy.loadtxt.

Writes all 70,000 MNIST images as CSV, once with integers 0-255 and once with floats 0-1, then reads
each with digitcli and with `numpy.loadtxt(path, delimiter=",")`, every time in a process of its own.

    python benchmarks/csv_reading.py --data mnist --repeats 3
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np

RESULTS = Path(__file__).parent / "results" / "csv_reading.json"
T = TypeVar("T")
READERS = ("digitcli", "numpy.loadtxt")


def main() -> None:
    """Measures, prints one table and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", default="mnist", help="where MNIST is: as for digitcli train --data")
    parser.add_argument("--repeats", type=int, default=3, help="runs of which the median counts")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for form in ("integers 0-255", "floats 0-1"):
            folder = Path(scratch) / form.split()[0]
            images = in_child(write_csv, arguments.data, folder, form.startswith("floats"))
            row: dict[str, object] = {
                "form": form,
                "images": images,
                "text_mb": round(text_bytes(folder) / 1e6),
            }
            # In turns, so that whatever else the machine does slows both.
            runs = [
                (reader, in_child(measure, reader, folder))
                for _ in range(arguments.repeats)
                for reader in READERS
            ]
            for reader in READERS:
                row[reader] = {
                    "seconds": round(
                        statistics.median(run["seconds"] for of, run in runs if of == reader), 2
                    ),
                    "peak_mb": round(statistics.median(run["peak_mb"] for of, run in runs if of == reader)),
                }
            rows.append(row)
    conditions = {
        "cpu_cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "repeats": arguments.repeats,
    }
    show(rows)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"conditions": conditions, "results": rows}, indent=2) + "\n")


def write_csv(source: str, folder: Path, floats: bool) -> int:
    """Writes the four files and returns the number of images."""
    from digitcli.data import formats
    from digitcli.data.load import load

    dataset = load(source)
    formats.get("csv").write(dataset, folder)
    parts = {"train": dataset.train, "test": dataset.test}
    if floats:
        import polars

        for part, digits in parts.items():
            assert digits is not None
            pixels = digits.images.reshape(len(digits), -1) / np.float32(255)
            polars.from_numpy(pixels).write_csv(folder / f"digit_x{part}.csv", include_header=False)
    return sum(len(digits) for digits in parts.values() if digits)


def text_bytes(folder: Path) -> int:
    """The size of all files."""
    return sum(path.stat().st_size for path in folder.iterdir())


def in_child(function: Callable[..., T], *arguments: object) -> T:
    """Calls it in a fresh process, since a process's peak memory never falls, and children inherit it."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def measure(reader: str, folder: Path) -> dict[str, float]:
    """Reads the folder once: seconds, and peak memory less that of the imports."""
    import polars  # noqa: F401  so that its import is not timed

    from digitcli.data import formats

    csv = formats.get("csv")
    before = peak_mb()
    start = time.perf_counter()
    if reader == "digitcli":
        csv.read(folder, lambda done, total: None)
    else:
        arrays = [np.loadtxt(path, delimiter=",") for path in sorted(folder.iterdir())]
        assert len(arrays) == 4
    return {"seconds": time.perf_counter() - start, "peak_mb": peak_mb() - before}


def peak_mb() -> float:
    """The most memory this process has held so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def show(rows: list[dict[str, object]]) -> None:
    """Prints the table."""
    print(
        f"{'form':<16}{'reader':<16}{'seconds':>9}{'peak MB':>9}{'text MB':>9}{'time':>8}{'memory/text':>13}"
    )
    for row in rows:
        slow = row["numpy.loadtxt"]
        for reader in READERS:
            run = row[reader]
            assert isinstance(run, dict)
            assert isinstance(slow, dict)
            assert isinstance(row["text_mb"], int)
            print(
                f"{row['form']:<16}{reader:<16}{run['seconds']:>9.2f}{run['peak_mb']:>9}{row['text_mb']:>9}"
                f"{run['seconds'] / slow['seconds']:>7.1%}{run['peak_mb'] / row['text_mb']:>13.2f}"
            )


if __name__ == "__main__":
    main()
