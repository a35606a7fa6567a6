"""How fast `digitcli predict` reads thousands of pictures, and in how much memory.

    python benchmarks/batch.py [--pngs 10000] [--photos 2000] [--numbers 400] [--many 100000]
                               [--keras 300] [--before PYTHON]

- PNGs of 28x28, synthetic digits, all different, with the bundled model, against a loop of Keras's
  `model.predict` over single pictures with the default network. Keras's import and start are not counted,
  ours are. And --many of them against what Pillow takes to decode the same files.
- Photos of 3000x4000, JPEGs as phones make them, against what Pillow takes to decode the same files in draft
  mode, at the same scale. To spare the disk, few of them differ; the others are hard links to these, so all
  come from the file cache, for both sides. Pillow, too, works in as many processes as there are cores.
- Pictures of 640x480 with a number of five digits, of the simulator's kinds, with `--many`; and by another
  digitcli, the one of --before's Python, in the same run.
- The peak memory of `digitcli predict` and its processes together, for --pngs and for --many pictures, the
  latter hard links to the former.

Every other figure is of a whole process, from start to end; results go to a CSV file. Prints one table, and
writes the figures with their conditions to benchmarks/results/batch.json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from cold_start import conditions, train_small_run
from PIL import Image, ImageFilter, ImageOps

from digitcli.data import synthetic
from digitcli.reading.prediction import LEAST_SIDE
from digitcli.runs import BUNDLED, KERAS_MODEL
from digitcli.simulator import KINDS, picture

HERE = Path(__file__).parent
PACKAGES = ("digitcli", "ai-edge-litert", "keras", "tensorflow", "numpy", "pillow")
PHOTO, NUMBER = (3000, 4000), (640, 480)

KERAS_LOOP = """\
import sys, time
from pathlib import Path

import keras
import numpy as np
from PIL import Image

model = keras.models.load_model(sys.argv[1])
paths = sorted(Path(sys.argv[2]).iterdir())[: int(sys.argv[3])]

def read(path):
    pixels = np.asarray(Image.open(path), dtype="float32").reshape(1, 28, 28, 1) / 255
    return model.predict(pixels, verbose=0)[0].argmax()

read(paths[0])
start = time.perf_counter()
for path in paths:
    read(path)
print(time.perf_counter() - start)
"""

PILLOW = """\
import os, sys
from multiprocessing import Pool
from pathlib import Path

from PIL import Image

def decode(path):
    with Image.open(path) as image:
        scale = max(image.size) // int(sys.argv[2])
        if scale:
            image.draft("RGB", (image.width // scale, image.height // scale))
        image.load()

if __name__ == "__main__":
    with Pool(os.cpu_count()) as pool:
        for _ in pool.imap(decode, sorted(Path(sys.argv[1]).iterdir()), chunksize=int(sys.argv[3])):
            pass
"""


@dataclass(frozen=True)
class Measured:
    """One row of the table: pictures read, seconds, and the peak of memory in MB where it was watched."""

    pictures: int
    seconds: float
    peak_mb: float | None = None

    @property
    def rate(self) -> float:
        """Pictures per second."""
        return self.pictures / self.seconds


def run(command: Sequence[str | Path], pictures: int) -> Measured:
    """Runs a command to its end and watches the memory of it and its descendants together."""
    with tempfile.TemporaryFile() as messages:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=messages)
        peak = 0.0
        while process.poll() is None:
            peak = max(peak, memory_mb(process.pid))
            time.sleep(0.05)
        seconds = time.perf_counter() - start
        if process.returncode:
            messages.seek(0)
            raise SystemExit(f"{command} failed:\n{messages.read().decode()[-2000:]}")
    return Measured(pictures, round(seconds, 3), round(peak, 1))


def memory_mb(process: int) -> float:
    """Resident memory of a process and all that it started, each shared page counted once."""
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
    except OSError:  # it has just ended
        return 0.0
    own = next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return own / 1024 + sum(memory_mb(int(child)) for child in children)


def write_pngs(folder: Path, count: int) -> None:
    """Synthetic digits in MNIST's form."""
    folder.mkdir()
    for index, image in enumerate(synthetic.generate(count, seed=9).images):
        Image.fromarray(image).save(folder / f"{index:06}.png")


def write_photos(folder: Path, count: int, different: int) -> None:
    """Digits in blue ink on paper in uneven light, with a camera's noise and softness."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    width, height = PHOTO
    originals = []
    for index, digit in enumerate(synthetic.generate(different, seed=8).images):
        across, down = (rng.uniform(0.6, 1, (2, 1)) * [[1], [1]] for _ in range(2))
        light = np.linspace(*across, width).T * np.linspace(*down, height)
        page = Image.fromarray(np.uint8(235 * light)).convert("RGB")
        side = int(rng.uniform(0.3, 0.7) * width)
        ink = Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC)
        corner = tuple(int(rng.uniform(0, room - side)) for room in PHOTO)
        page.paste((30, 40, 110), corner, ink)
        grain = rng.normal(0, 5, (height, width, 1)).astype(np.float32)
        pixels = np.asarray(page.filter(ImageFilter.GaussianBlur(1.5))) + grain
        path = folder / f"{index:06}.jpg"
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path, quality=90)
        originals.append(path)
    link(originals, folder, count)


def write_numbers(folder: Path, count: int) -> None:
    """Numbers of five digits on all kinds of paper, kinds in turn."""
    folder.mkdir()
    for index in range(count):
        rng = np.random.default_rng([7, index])
        text = "".join(map(str, rng.integers(10, size=5)))
        drawn = picture(list(KINDS)[index % len(KINDS)], text, rng, tallest=NUMBER[1] / 3).image
        paper = drawn.convert("RGB").resize((1, 1)).getpixel((0, 0))
        page = ImageOps.pad(drawn.convert("RGB"), NUMBER, color=paper)
        page.save(folder / f"{index:06}.jpg", quality=90)


def link(originals: Sequence[Path], folder: Path, count: int) -> None:
    """Fills a folder up to so many pictures with hard links."""
    folder.mkdir(exist_ok=True)
    for index in range(len(list(folder.iterdir())), count):
        original = originals[index % len(originals)]
        os.link(original, folder / f"{index:06}{original.suffix}")


def measure(options: argparse.Namespace, work: Path) -> dict[str, Measured]:
    """All rows of the table."""
    run_of_keras = train_small_run(work)
    pngs, photos, many, numbers = (work / name for name in ("pngs", "photos", "many", "numbers"))
    write_numbers(numbers, options.numbers)
    write_pngs(pngs, options.pngs)
    write_photos(photos, options.photos, min(options.different, options.photos))
    link(sorted(pngs.iterdir()), many, options.many)

    def predict(folder: Path, count: int, *more: str, python: str = sys.executable) -> Measured:
        target = work / "results.csv"
        command = [python, "-P", "-m", "digitcli", "predict", folder]  # not the digitcli of this folder
        result = run([*command, "--model", BUNDLED, "--output", target, "--force", *more], count)
        assert target.read_text().count("\n") == count + 1
        return result

    for name, script in (("keras_loop.py", KERAS_LOOP), ("pillow.py", PILLOW)):
        (work / name).write_text(script)
    keras = [sys.executable, work / "keras_loop.py", run_of_keras / KERAS_MODEL, pngs, str(options.keras)]
    loop = subprocess.run(keras, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
    pillow = [sys.executable, work / "pillow.py"]
    drafts, decoding = [*pillow, photos, str(LEAST_SIDE), "4"], [*pillow, many, str(LEAST_SIDE), "64"]
    run(drafts, options.photos)  # fills the file cache
    before = (
        {"numbers before": predict(numbers, options.numbers, "--many", python=options.before)}
        if options.before
        else {}
    )
    return {
        "numbers": predict(numbers, options.numbers, "--many"),
        **before,
        "28x28 PNGs": predict(pngs, options.pngs),
        "Keras loop": Measured(options.keras, round(float(loop), 3)),
        "phone JPEGs": predict(photos, options.photos),
        "Pillow drafts": run(drafts, options.photos),
        "more PNGs": predict(many, options.many),
        "Pillow PNGs": run(decoding, options.many),
    }


def main() -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pngs", type=int, default=10_000)
    parser.add_argument("--photos", type=int, default=2_000)
    parser.add_argument("--different", type=int, default=36, help="photos that differ")
    parser.add_argument("--numbers", type=int, default=400)
    parser.add_argument("--before", help="a Python with another digitcli, to read the numbers too")
    parser.add_argument("--many", type=int, default=100_000)
    parser.add_argument("--keras", type=int, default=300, help="pictures for the Keras loop")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "batch.json")
    options = parser.parse_args()
    load = round(os.getloadavg()[0], 2)
    with tempfile.TemporaryDirectory() as work:
        results = measure(options, Path(work))

    print(f"{'':14}{'pictures':>10}{'seconds':>10}{'per second':>12}{'peak memory':>14}")
    for name, row in results.items():
        memory = f"{row.peak_mb:.0f} MB" if row.peak_mb else ""
        print(f"{name:14}{row.pictures:>10,}{row.seconds:>10.2f}{row.rate:>12,.1f}{memory:>14}")
    summary = {
        "times_the_keras_loop": round(results["28x28 PNGs"].rate / results["Keras loop"].rate, 1),
        "share_of_pillow_drafts": round(results["phone JPEGs"].rate / results["Pillow drafts"].rate, 3),
        "share_of_pillow_pngs": round(results["more PNGs"].rate / results["Pillow PNGs"].rate, 3),
        "more_mb_for_more_pngs": round(
            (results["more PNGs"].peak_mb or 0) - (results["28x28 PNGs"].peak_mb or 0), 1
        ),
    }
    print(
        f"{summary['times_the_keras_loop']} times as fast as the Keras loop,"
        f" {summary['share_of_pillow_drafts']:.0%} of the rate of Pillow's drafts,"
        f" {summary['share_of_pillow_pngs']:.0%} of that of its PNGs,"
        f" {summary['more_mb_for_more_pngs']:+} MB for {options.many:,} pictures over {options.pngs:,}."
    )

    options.output.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "benchmark": "batch",
        "conditions": {
            **conditions(PACKAGES, load),
            "different_photos": options.different,
        },
        "results": {name: {**asdict(row), "per_second": round(row.rate, 1)} for name, row in results.items()},
        **summary,
    }
    options.output.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
