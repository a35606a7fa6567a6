"""How `digitcli predict --engine ray` compares with the local engine on one machine, and what a kill costs.

    python benchmarks/ray_batch.py [--pictures 200000] [--rounds 2]

The pictures are synthetic digits of 28x28 as PNG in Parquet files, 25,000 in each, all different. Both
engines read all of them as whole processes, from start to end and in turns, so that a busy moment of the
machine hits both: the local one into one Parquet file, Ray's into a folder of them. Digits are compared,
and the memory of all processes together is watched. At last Ray's is killed when half of the parts are there,
and the same command finishes what is left.

Prints one table, and writes the figures with their conditions to benchmarks/results/ray_batch.json.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
from cold_start import conditions
from PIL import Image
from pyarrow import parquet

from digitcli.data import synthetic
from digitcli.runs import BUNDLED

HERE = Path(__file__).parent
PACKAGES = ("digitcli", "ai-edge-litert", "numpy", "pillow", "pyarrow", "ray")
IN_A_FILE = 25_000
IN_A_ROW_GROUP = 1_000


def write_file(folder: Path, number: int, count: int) -> None:
    """One of the Parquet files, a row group in memory at a time."""
    schema = pa.schema({"image": pa.binary(), "label": pa.int8()})
    with parquet.ParquetWriter(folder / f"{number:05}.parquet", schema) as writer:
        for start in range(0, count, IN_A_ROW_GROUP):
            digits = synthetic.generate(
                min(IN_A_ROW_GROUP, count - start), seed=1000 * number + start // 1000
            )
            pictures = list(map(_png, digits.images))
            writer.write_table(pa.table([pictures, digits.labels.astype("int8")], schema))


def _png(pixels: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def write_pictures(folder: Path, count: int) -> None:
    """All of them."""
    folder.mkdir()
    sizes = [min(IN_A_FILE, count - start) for start in range(0, count, IN_A_FILE)]
    with ProcessPoolExecutor() as pool:
        list(pool.map(partial(write_file, folder), range(len(sizes)), sizes))


def run(command: list[str], stop: Callable[[], bool] = lambda: False) -> dict[str, float]:
    """Runs a command to its end, or until it is to be killed, and watches the memory of all its processes.

    Returns the seconds and the peak in MB, each shared page counted once.
    """
    with tempfile.TemporaryFile() as messages:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=messages)
        peak, stopped, looks = 0.0, False, 0
        while process.poll() is None:
            # Seldom, since of a dozen processes it takes a while, in which they are held up.
            if looks % 8 == 0:
                peak = max(peak, memory_mb(process.pid))
            looks += 1
            if stop():
                process.send_signal(signal.SIGKILL)
                stopped = True
            time.sleep(0.5)
        seconds = time.perf_counter() - start
        if process.returncode and not stopped:
            messages.seek(0)
            raise SystemExit(f"{command} failed:\n{messages.read().decode()[-2000:]}")
    return {"seconds": round(seconds, 2), "peak_mb": round(peak)}


def memory_mb(process: int) -> float:
    """Resident memory of a process and all that it started."""
    total = 0
    try:
        parent = psutil.Process(process)
        for each in [parent, *parent.children(recursive=True)]:
            total += each.memory_full_info().pss
    except psutil.Error:  # one has just ended
        pass
    return total / 2**20


def rows(paths: list[Path]) -> Iterator[tuple[str, str | None]]:
    """What was read: the name of each picture, and its digit or digits."""
    for path in paths:
        table = parquet.read_table(path, columns=["path", "text"])
        yield from zip(table["path"].to_pylist(), table["text"].to_pylist(), strict=True)


def measure(pictures: int, rounds: int, work: Path) -> dict[str, Any]:
    """All figures."""
    write_pictures(work / "pictures", pictures)
    words = [sys.executable, "-m", "digitcli", "predict", str(work / "pictures" / "*.parquet")]
    words += ["--model", str(BUNDLED), "--quiet"]
    local, ray = work / "local.parquet", work / "ray"
    of_ray = [*words, "--engine", "ray", "--output"]
    runs: dict[str, list[dict[str, float]]] = {"local": [], "ray": []}
    for _ in range(rounds):
        runs["local"].append(run([*words, "--output", str(local), "--force"]))
        runs["ray"].append(run([*of_ray, str(ray), "--force"]))
    parts = sorted(ray.iterdir())
    expected = list(rows([local]))
    found = list(rows(parts))
    different = sum(one != other for one, other in zip(found, expected, strict=True))

    killed = work / "killed"
    half = len(parts) // 2
    first = run([*of_ray, str(killed)], stop=lambda: len(list(killed.glob("part-*"))) >= half)
    kept = {path.name: path.stat().st_mtime_ns for path in killed.glob("part-*")}
    second = run([*of_ray, str(killed)])
    finished = sorted(killed.glob("part-*"))
    again = sum(path.stat().st_mtime_ns != kept[path.name] for path in finished if path.name in kept)
    seconds = {name: statistics.median(each["seconds"] for each in its) for name, its in runs.items()}
    return {
        "pictures": pictures,
        "parts": len(parts),
        "engines": {
            name: {
                "seconds": seconds[name],
                "seconds_of_each": [each["seconds"] for each in its],
                "per_second": round(pictures / seconds[name]),
                "peak_mb": max(each["peak_mb"] for each in its),
            }
            for name, its in runs.items()
        },
        "times_as_long_with_ray": round(seconds["ray"] / seconds["local"], 3),
        "different_answers": different,
        "killed": {
            "parts_before": len(kept),
            "parts_done_again": again,
            "seconds": [first["seconds"], second["seconds"]],
            "rows": sum(parquet.read_metadata(path).num_rows for path in finished),
            "equal_to_a_run_never_killed": list(rows(finished)) == found,
        },
    }


def main() -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pictures", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--output", type=Path, default=HERE / "results" / "ray_batch.json")
    options = parser.parse_args()
    load = round(os.getloadavg()[0], 2)
    with tempfile.TemporaryDirectory() as work:
        results = measure(options.pictures, options.rounds, Path(work))

    print(f"{'engine':8}{'pictures':>10}{'seconds':>10}{'per second':>12}{'peak memory':>14}")
    for name, row in results["engines"].items():
        numbers = f"{results['pictures']:>10,}{row['seconds']:>10.1f}{row['per_second']:>12,}"
        print(f"{name:8}{numbers}{row['peak_mb']:>11,.0f} MB")
    killed = results["killed"]
    print(
        f"Ray takes {results['times_as_long_with_ray']:.2f} times as long; {results['different_answers']} "
        f"answers differ. Killed after {killed['parts_before']} of {results['parts']} parts, it read "
        f"{killed['parts_done_again']} of them again and ended with {killed['rows']:,} rows"
        f"{', the same' if killed['equal_to_a_run_never_killed'] else ', OTHERS'} as never killed."
    )
    document = {"benchmark": "ray_batch", "conditions": conditions(PACKAGES, load), **results}
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
