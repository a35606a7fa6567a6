"""Kills trainings and batches at random instants, resumes them, and compares what comes out.

    python benchmarks/kill_resume.py [--kills 100] [--batch-kills 20] [--data mnist] [--only cnn …]

Trainings: `mlp-512-64` and `cnn` on a part of the data, killed by SIGKILL again and again until a run is
finished; its weights, bit for bit, and its history must be those of a run that was never stopped. The kills
are drawn evenly over the time that a whole process takes, its start included.
Batches: `predict --output` over 20,000 pictures, resumed with --resume, must have each picture exactly once.

Prints what it found and writes benchmarks/results/kill_resume.json; ends with 1 if anything differed.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import h5py
from cold_start import conditions

RESULTS = Path(__file__).parent / "results" / "kill_resume.json"
PACKAGES = ("digitcli", "keras", "tensorflow", "numpy")
TRAININGS = {
    "mlp-512-64": ["--preset", "mlp-512-64", "--epochs", "40"],
    "cnn": ["--preset", "cnn", "--epochs", "4"],
}
IMAGES = 6_000
PICTURES = 20_000
DIGITCLI = [sys.executable, "-m", "digitcli"]


def timed(command: list[str], folder: Path) -> float:
    """Seconds that a command takes that is not killed."""
    start = time.perf_counter()
    subprocess.run([*DIGITCLI, *command, "--quiet"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def killed(command: list[str], folder: Path, after: float) -> bool:
    """Whether the command was still at work after so many seconds, and was killed."""
    # In a group of its own, which is killed as a whole, as by a power cut.
    process = subprocess.Popen(
        [*DIGITCLI, *command, "--quiet"], cwd=folder, stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        code = process.wait(timeout=after)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.wait()
        return True
    if code:
        raise SystemExit(f"{command} ended with {code}")
    return False


def history(run: Path) -> list[dict[str, str]]:
    """Its epochs, without their seconds."""
    with (run / "history.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def weights(run: Path) -> dict[str, bytes]:
    """Those of its Keras model, without TensorFlow, which takes seconds to import."""
    arrays: dict[str, bytes] = {}
    with (
        zipfile.ZipFile(run / "model.keras") as archive,
        h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file,
    ):
        file.visititems(
            lambda name, item: arrays.update(
                {name: item[()].tobytes()} if isinstance(item, h5py.Dataset) else {}
            )
        )
    return arrays


def same(run: Path, whole: Path) -> bool:
    """Whether weights, bit for bit, and history are the same."""
    return weights(run) == weights(whole) and history(run) == history(whole)


def trainings(name: str, kills: int, data: Path, folder: Path, rng: random.Random) -> dict[str, Any]:
    """Kills runs of one preset until there were so many kills; how many runs that took and were right."""
    begin = ["train", *TRAININGS[name], "--data", str(data), "-o"]
    seconds = timed([*begin, "whole"], folder)
    done, runs, right, resumed_from = 0, 0, 0, []
    while done < kills:
        runs += 1
        run = folder / f"run-{runs}"
        command, finished = [*begin, run.name], False
        started, undisturbed = time.perf_counter(), True
        while not finished:
            if done < kills:
                finished = not killed(command, folder, rng.uniform(0, seconds))
                done += not finished
            else:
                finished = not killed(command, folder, 60 * seconds)
            unfinished = run.with_name(f"{run.name}.unfinished")
            finished |= (run / "run.json").exists() and not unfinished.exists()  # killed a moment later
            if not finished and (unfinished / "plan.json").exists():
                command = ["train", "--resume", run.name]
                resumed_from.append(len(list(unfinished.glob("*.checkpoint"))) > 0)
            undisturbed &= finished
        if undisturbed:  # the machine is quicker than it was, and kills came too late
            seconds = min(seconds, time.perf_counter() - started)
        right += same(run, folder / "whole")
        left = [path.name for path in folder.iterdir() if path.name.startswith((".", f"{run.name}."))]
        if left:
            raise SystemExit(f"{left} was left behind")
        print(f"{name}: {done} kills, {runs} runs, {right} of them right", file=sys.stderr, flush=True)
    return {
        "kills": done,
        "runs": runs,
        "wrong": runs - right,
        "resumed_from_a_checkpoint": sum(resumed_from),
        "seconds_of_a_whole_run": round(seconds, 1),
    }


def batches(kills: int, folder: Path, rng: random.Random) -> dict[str, Any]:
    """Kills `predict` over many pictures; how often each of them is in the joined outputs."""
    pictures = folder / "pictures"
    pictures.mkdir()
    code = (
        "import sys; from PIL import Image; from digitcli.data import synthetic\n"
        "for number, image in enumerate(synthetic.generate(int(sys.argv[2]), seed=1).images):\n"
        "    Image.fromarray(image).save(f'{sys.argv[1]}/{number:05}.png')\n"
    )
    subprocess.run([sys.executable, "-c", code, str(pictures), str(PICTURES)], check=True)
    command = ["predict", "pictures", "-o"]
    seconds = timed([*command, "whole.csv"], folder)
    done, batches_done, wrong = 0, 0, 0
    while done < kills:
        batches_done += 1
        finished = False
        while not finished:
            after = rng.uniform(0, seconds) if done < kills else 60 * seconds
            finished = not killed([*command, f"{batches_done}.csv", "--resume"], folder, after)
            done += not finished
        with (folder / f"{batches_done}.csv").open(newline="") as file:
            counts = Counter(row["path"] for row in csv.DictReader(file))
        wrong += sum(count != 1 for count in counts.values()) + abs(len(counts) - PICTURES)
        print(f"predict: {done} kills, {batches_done} batches, {wrong} wrong", file=sys.stderr, flush=True)
    return {
        "kills": done,
        "batches": batches_done,
        "pictures": PICTURES,
        "wrong": wrong,
        "seconds_of_a_whole_batch": round(seconds, 1),
    }


def main() -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=100, help="over both presets")
    parser.add_argument("--batch-kills", type=int, default=20)
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=[*TRAININGS, "predict"], default=[*TRAININGS, "predict"])
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    # Those that do not run now keep their figures.
    kept = arguments.output.exists()
    results: dict[str, Any] = json.loads(arguments.output.read_text())["results"] if kept else {}
    load = round(os.getloadavg()[0], 2)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        code = (
            "import sys; from digitcli.data.load import load; from digitcli.data.digits import DataSet\n"
            "from digitcli.data.formats import npz; from pathlib import Path\n"
            "data, count = load(sys.argv[1]), int(sys.argv[3])\n"
            "part = DataSet(data.train.take(slice(count)), data.test.take(slice(1000)), 'a part')\n"
            "npz.write(part, Path(sys.argv[2]))\n"
        )
        part = folder / "part.npz"
        subprocess.run([sys.executable, "-c", code, arguments.data, str(part), str(IMAGES)], check=True)
        for name in arguments.only:
            (own := folder / name).mkdir()
            if name == "predict":
                results[name] = batches(arguments.batch_kills, own, rng)
            else:
                results[name] = trainings(name, arguments.kills // len(TRAININGS), part, own, rng)
            document = {
                "benchmark": "kill_resume",
                "conditions": {**conditions(PACKAGES, load), "images": IMAGES, "seed": arguments.seed},
                "results": results,
            }
            # After each, since all of them take most of an hour.
            arguments.output.write_text(json.dumps(document, indent=2) + "\n")
    print(json.dumps(results, indent=2))
    wrong = [result["wrong"] for result in results.values()]
    sys.exit(any(wrong))


if __name__ == "__main__":
    main()
