"""Trains with several processes on this machine: the same weights, the accuracy, the time, and kills.

    python benchmarks/workers.py [--kills 10] [--data mnist] [--only weights accuracy steps kills]

weights: of 2 and 4 workers after 100 steps, compared with each other's and with those of one process.
accuracy: of whole trainings with 2 and 4 workers, on the test part.
steps: seconds a step of one process, with a whole and half a batch, and of two, each held to one core.
kills: of one of two workers at random instants; the other must end by itself, and the same command again
    must end with the weights, bit for bit, and the history of a training that was never stopped.

Prints what it found and writes benchmarks/results/workers.json after each; what does not run now keeps its
figures. Ends with 1 if anything differed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from cold_start import conditions
from kill_resume import same

from digitcli import models

RESULTS = Path(__file__).parent / "results" / "workers.json"
PACKAGES = ("digitcli", "keras", "tensorflow", "numpy")
PRESETS = ("mlp-512-64", "cnn")
STEPS = 100
TURNS = 3
KILLED = ["--preset", "mlp-512-64", "--epochs", "60"]
WHOLE = {"mlp-512-64": (2, 4), "cnn": (2,)}
DIGITCLI = [sys.executable, "-m", "digitcli", "train"]
PART = """
import sys
from pathlib import Path
from digitcli.data.digits import DataSet
from digitcli.data.formats import npz
from digitcli.data.load import load
data, count = load(sys.argv[1]), int(sys.argv[3])
npz.write(DataSet(data.train.take(slice(count)), data.test.take(slice(1000)), "a part"), Path(sys.argv[2]))
"""
# Trains for epochs of so many steps, of which the last is timed; each worker keeps its own weights.
FIT = """
import sys, time
import numpy as np
from digitcli.data.load import load
from digitcli.training.cluster import Cluster
from digitcli.training.config import configure
from digitcli.training.loop import fit
from digitcli.training.workers import connected
_, data, preset, epochs, steps, batch, out, addresses, index = sys.argv
workers, batch = addresses.split(","), int(batch)
train = load(data).train.take(slice(batch * int(steps)))
cluster = Cluster(tuple(workers), int(index)) if len(workers) > 1 else None
with connected(cluster) as together:
    config = configure(preset, recipe={"epochs": int(epochs), "val_split": 0.0, "batch_size": batch})
    seen = []
    def epoch(report):
        seen.append(report.seconds)
    fitted = fit(config, train, workers=together, on_epoch=epoch)
np.savez(out, seconds=seen[-1] / int(steps), *fitted.model.get_weights())
"""


def addresses(count: int) -> str:
    """Of this machine, with ports that are free."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("localhost", 0))
        return ",".join(f"localhost:{each.getsockname()[1]}" for each in sockets)


def start(command: list[str], count: int, folder: Path, *more: str) -> list[subprocess.Popen[bytes]]:
    """The same training on so many workers, the first of them first."""
    places = addresses(count)
    return [
        subprocess.Popen(
            [*command, "--workers", places, "--index", str(index), *more],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for index in range(count)
    ]


def finish(processes: list[subprocess.Popen[bytes]]) -> None:
    """Waits for all. Raises SystemExit if one fails."""
    for process in processes:
        _, messages = process.communicate()
        if process.returncode:
            raise SystemExit(messages.decode())


def fits(
    preset: str, count: int, data: str, folder: Path, *, epochs: int = 1, batch: int | None = None,
    pinned: bool = False,
) -> list[Any]:  # fmt: skip
    """What each of `count` workers came to. batch: the preset's. pinned: each on a core of its own."""
    batch = batch or models.preset(preset).recipe.batch_size
    places = addresses(count)
    outputs = [folder / f"{preset}-{count}-{index}.npz" for index in range(count)]
    processes = []
    for index, output in enumerate(outputs):
        pin = ["taskset", "-c", str(index)] if pinned else []
        words = [data, preset, str(epochs), str(STEPS), str(batch), str(output), places, str(index)]
        processes.append(subprocess.Popen([*pin, sys.executable, "-c", FIT, *words], stderr=subprocess.PIPE))
    finish(processes)
    return [dict(np.load(output)) for output in outputs]


def weights(data: str, folder: Path) -> dict[str, Any]:
    """How far the weights of several workers are from those of one, relative to these."""
    found: dict[str, Any] = {}
    for preset in PRESETS:
        (alone,) = fits(preset, 1, data, folder)
        names = [name for name in alone if name != "seconds"]
        for count in (2, 4):
            several = fits(preset, count, data, folder)
            apart = [
                float(np.linalg.norm(several[0][name] - alone[name]) / np.linalg.norm(alone[name]))
                for name in names
            ]
            found[f"{preset} {count}"] = {
                "steps": STEPS,
                "workers_equal": all((each[n] == several[0][n]).all() for each in several for n in names),
                "largest_relative_difference": max(apart),
            }
            print(preset, count, found[f"{preset} {count}"], file=sys.stderr, flush=True)
    return found


def accuracy(data: str, folder: Path) -> dict[str, Any]:
    """Of whole trainings by the presets."""
    found = {}
    for preset, counts in WHOLE.items():
        for count in counts:
            run = folder / f"{preset}-{count}"
            finish(
                start([*DIGITCLI, "--preset", preset, "--data", data, "-o", str(run), "-q"], count, folder)
            )
            metrics = json.loads((run / "run.json").read_text())["metrics"]
            found[f"{preset} {count}"] = {name: metrics[name] for name in ("test_accuracy", "seconds")}
            print(preset, count, found[f"{preset} {count}"], file=sys.stderr, flush=True)
    return found


def step_seconds(data: str, folder: Path) -> dict[str, Any]:
    """Of one process on one core, with the whole and half of a batch, and of two on a core each: medians."""
    found: dict[str, list[float]] = {}
    for _ in range(TURNS):
        for preset in PRESETS:
            whole = models.preset(preset).recipe.batch_size
            for name, count, batch in (("one", 1, whole), ("one, half", 1, whole // 2), ("two", 2, whole)):
                # The first epoch also makes the graph.
                ended = fits(preset, count, data, folder, epochs=2, batch=batch, pinned=True)
                took = float(ended[0]["seconds"])
                found.setdefault(f"{preset} {name}", []).append(took)
    return {name: statistics.median(each) for name, each in found.items()}


def kills(count: int, part: Path, folder: Path, rng: random.Random) -> dict[str, Any]:
    """Kills one of two workers, so many times, and starts both again."""
    command = [*DIGITCLI, *KILLED, "--data", str(part), "-o"]
    whole = start([*command, "whole", "-q"], 2, folder)
    seconds = _lasting(whole, folder / "whole.unfinished")
    finish(whole)
    runs, done, right, ended = 0, 0, 0, []
    while done < count:
        runs += 1
        run = folder / f"run-{runs}"
        workers = start([*command, run.name, "-q"], 2, folder)
        begun = _until_begun(run.with_name(f"{run.name}.unfinished"), workers)
        time.sleep(rng.uniform(0, seconds))
        if workers[0].poll() is not None:  # it was quicker than the first one
            seconds = min(seconds, time.perf_counter() - begun)
            finish(workers)
            continue
        victim = rng.randrange(2)
        workers[victim].kill()
        killed = time.perf_counter()
        _, messages = workers[1 - victim].communicate()
        ended.append(time.perf_counter() - killed)
        done += 1
        clean = b"has stopped, and so does this one" in messages and b"Traceback" not in messages
        workers[victim].communicate()
        if not run.exists():  # else it came when the run was written
            finish(start([*command, run.name, "-q"], 2, folder))
        right += clean and same(run, folder / "whole")
        print(f"{done} kills, {right} right, end after {ended[-1]:.1f} s", file=sys.stderr, flush=True)
    return {"kills": done, "right": right, "longest_end_s": round(max(ended), 1),
            "seconds_of_a_whole_run": round(seconds, 1)}  # fmt: skip


def _until_begun(unfinished: Path, workers: list[subprocess.Popen[bytes]]) -> float:
    while not (unfinished / "plan.json").exists():
        if any(worker.poll() for worker in workers):
            finish(workers)
        time.sleep(0.01)
    return time.perf_counter()


def _lasting(workers: list[subprocess.Popen[bytes]], unfinished: Path) -> float:
    begun = _until_begun(unfinished, workers)
    workers[0].wait()
    return time.perf_counter() - begun


def main() -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--seed", type=int, default=0)
    contents = ["weights", "accuracy", "steps", "kills"]
    parser.add_argument("--only", nargs="+", choices=contents, default=contents)
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    kept = arguments.output.exists()
    results: dict[str, Any] = json.loads(arguments.output.read_text())["results"] if kept else {}
    load = round(os.getloadavg()[0], 2)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        part = folder / "part.npz"
        subprocess.run([sys.executable, "-c", PART, arguments.data, str(part), "6000"], check=True)
        for what in arguments.only:
            (own := folder / what).mkdir()
            match what:
                case "weights":
                    results[what] = weights(arguments.data, own)
                case "accuracy":
                    results[what] = accuracy(arguments.data, own)
                case "steps":
                    results[what] = step_seconds(arguments.data, own)
                case "kills":
                    results[what] = kills(arguments.kills, part, own, random.Random(arguments.seed))
            document = {
                "benchmark": "workers",
                "conditions": {**conditions(PACKAGES, load), "seed": arguments.seed},
                "results": results,
            }
            arguments.output.write_text(json.dumps(document, indent=2) + "\n")
    print(json.dumps(results, indent=2))
    good = all(each["workers_equal"] and each["largest_relative_difference"] <= 1e-5
               for each in results.get("weights", {}).values())  # fmt: skip
    if "kills" in results:
        good &= results["kills"]["right"] == results["kills"]["kills"]
    sys.exit(not good)


if __name__ == "__main__":
    main()
