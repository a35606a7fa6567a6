"""How training and prediction scale past this machine: a simulation from what was measured on it.

    python benchmarks/scaling.py [--seed 0]

Takes the seconds of a step from benchmarks/results/workers.json, those of a picture from ray_batch.json, its
start-up included, and the assumptions below for what one machine cannot show: the network, storage, machines
that are slower than others, or fail. Prints two tables and writes benchmarks/results/scaling.json.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from digitcli import models
from digitcli.cluster.ray_engine import MOST_BLOCKS

RESULTS = Path(__file__).parent / "results"
WORKERS = (1, 2, 4, 8, 16, 32)
STEPS = 2000


@dataclass(frozen=True)
class Assumptions:
    """What was not measured here.

    bandwidth: bytes a second between two machines, 10 Gbit/s. latency: seconds of a message, with gRPC.
    part: core-seconds for a part beside its pictures.
    jitter: standard deviation of the logarithm of what a machine takes for the same work.
    cores: of a machine. failures: of a machine, an hour. back: seconds until it is replaced.
    listing: seconds for a thousand names from object storage. start: seconds until Ray's actors are up.
    dispatch: seconds that the driver takes for a block. price: of a core for an hour, in dollars.
    """

    bandwidth: float = 1.25e9
    latency: float = 2e-4
    part: float = 0.015
    jitter: float = 0.1
    cores: int = 32
    failures: float = 0.001
    back: float = 180.0
    listing: float = 0.15
    start: float = 60.0
    dispatch: float = 0.005
    price: float = 0.04


def bytes_a_step(spec: models.ModelSpec) -> int:
    """Those of the sums that travel: gradients and, in double precision, what normalising layers saw."""
    parameters = models.parameter_count(spec) + 2
    return parameters * (8 if spec.channels else 4)


def training(
    measured: dict[str, float], given: Assumptions, rng: np.random.Generator
) -> list[dict[str, Any]]:
    """Milliseconds of a step on so many machines, with the batch of one shared out or grown with them.

    A step takes as long as its slowest worker, and then the sums go around a ring, twice, in as many pieces
    as there are workers (Patarasu & Yuan, "Bandwidth optimal all-reduce algorithms", 2009).
    """
    rows = []
    for name in ("cnn", "mlp-512-64"):
        preset = models.preset(name)
        batch = preset.recipe.batch_size
        whole, half = measured[f"{name} one"], measured[f"{name} one, half"]
        an_image = 2 * (whole - half) / batch
        beside = max(0.0, whole - an_image * batch)
        here = measured[f"{name} two"] - half
        for workers in WORKERS:
            if batch % workers:
                continue
            slowest = np.exp(rng.normal(0, given.jitter, (STEPS, workers))).max(axis=1).mean()
            around = 2 * (workers - 1)
            sums = bytes_a_step(preset.model)
            network = around * given.latency + around / workers * sums / given.bandwidth
            shared = (beside + an_image * batch / workers) * slowest + network
            grown = whole * slowest + network
            rows.append({
                "preset": name, "workers": workers, "bytes": sums,
                "network_ms": round(1e3 * network, 2),
                "shared_ms": round(1e3 * shared, 2), "speedup": round(whole / shared, 2),
                "grown_ms": round(1e3 * grown, 2), "images_speedup": round(workers * whole / grown, 2),
            })  # fmt: skip
        rows[-1]["measured_exchange_here_ms"] = round(1e3 * here, 2)
    return rows


def prediction(
    pictures: int, in_a_file: int, machines: int, a_picture: float,
    given: Assumptions, rng: np.random.Generator,
) -> dict[str, Any]:  # fmt: skip
    """A batch of pictures in Parquet files, part by part: who is free takes the next, as Ray Data has it."""
    parts = math.ceil(pictures / 10_000)
    blocks = min(parts, MOST_BLOCKS)
    a_block = pictures / blocks * a_picture + parts / blocks * given.part
    listing = math.ceil(pictures / in_a_file / 1000) * given.listing
    cores = machines * given.cores
    speed = np.exp(rng.normal(0, given.jitter, machines))
    free = [(given.start + listing, core) for core in range(cores)]
    heapq.heapify(free)
    fails = given.start + rng.exponential(3600 / given.failures, machines)
    driver, end, lost, waiting = given.start + listing, 0.0, 0, blocks
    while waiting:
        at, core = heapq.heappop(free)
        machine = core // given.cores
        driver = max(driver, at) + given.dispatch
        done = driver + a_block * speed[machine] * math.exp(rng.normal(0, given.jitter / 2))
        if done > fails[machine] > driver:
            lost += 1
            heapq.heappush(free, (fails[machine] + given.back, core))
            if core % given.cores == given.cores - 1:
                fails[machine] += rng.exponential(3600 / given.failures)
            continue
        waiting -= 1
        end = max(end, done)
        heapq.heappush(free, (done, core))
    core_hours = cores * end / 3600
    work = pictures * a_picture / 3600
    return {
        "pictures": pictures, "files": math.ceil(pictures / in_a_file), "machines": machines, "cores": cores,
        "listing_s": round(listing, 1), "hours": round(end / 3600, 2), "core_hours": round(core_hours),
        "useful": round(work / core_hours, 2), "blocks_lost": lost,
        "dollars": round(core_hours * given.price, 2),
    }  # fmt: skip


def main() -> None:
    """Simulates, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    given = Assumptions()
    steps = json.loads((RESULTS / "workers.json").read_text())["results"]["steps"]
    batch = json.loads((RESULTS / "ray_batch.json").read_text())
    a_picture = batch["conditions"]["cores"] * batch["engines"]["ray"]["seconds"] / batch["pictures"]
    trained = training(steps, given, rng)
    small = [(10**7, in_a_file, machines) for in_a_file, machines in ((10_000, 1), (10_000, 4), (1, 4))]
    large = [(10**10, 100_000, machines) for machines in (32, 128, 512)]
    predicted = [prediction(*plan, a_picture, given, rng) for plan in small + large]
    for rows in (trained, predicted):
        names = list(rows[0])
        print("| " + " | ".join(names) + " |\n|" + "---|" * len(names))
        for row in rows:
            print("| " + " | ".join(f"{row[name]:,}" if isinstance(row[name], int) else str(row[name])
                                    for name in names) + " |")  # fmt: skip
        print()
    document = {"benchmark": "scaling", "assumptions": vars(given), "seed": arguments.seed,
                "core_seconds_a_picture": a_picture,
                "training": trained, "prediction": predicted}  # fmt: skip
    (RESULTS / "scaling.json").write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
