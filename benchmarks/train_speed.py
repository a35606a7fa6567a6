"""Training against plain Keras: time to 99 %, time and accuracy at the end, share of the matrix rate, memory.

    python benchmarks/train_speed.py [--seeds 5] [--data mnist] [--only cnn keras-convnet …]

Contestants take turns, seed by seed, each in a process of its own: `digitcli train` with the presets, and the
`fit` of Keras with its well-known simple MNIST convnet and with a dense 512-64 network, on the same images.
Seconds count from the start of the process, importing TensorFlow and reading the data included. The test set
is read from outside while they train, with the clock stopped; it stops nothing and chooses nothing.

Prints tables and writes benchmarks/results/train_speed.json.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import pty
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cold_start import conditions

RESULTS = Path(__file__).parent / "results" / "train_speed.json"
PACKAGES = ("digitcli", "keras", "tensorflow", "numpy", "opencv-python-headless")
AIM = 0.99
OURS = {
    "cnn": ["--preset", "cnn"],
    "mlp-512-64": ["--preset", "mlp-512-64"],
    "mlp-512-64 --augment": ["--preset", "mlp-512-64", "--augment"],
    "best": ["--preset", "best"],
}
KERAS = {"keras-convnet": 15, "keras-512-64": 18}
"""Epochs: those of Keras's own example, and those of our preset."""
BATCHES_BETWEEN_LOOKS = 100


class Watch:
    """Looks at the test accuracy while a contestant trains, and takes the time of looking off the clock."""

    def __init__(self, started: float) -> None:
        self._started = started
        self.looking = 0.0
        self.seconds_to_aim: float | None = None

    def seconds(self) -> float:
        """Since the process was started, without the looking."""
        return time.time() - self._started - self.looking

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """What is done in it does not count."""
        begun = time.time()
        yield
        self.looking += time.time() - begun

    def look(self, accuracy: Callable[[], float]) -> None:
        """Notes when AIM is reached first; looks no more after that."""
        if self.seconds_to_aim is not None:
            return
        with self.stopped():
            reached = accuracy()
        if reached >= AIM:
            self.seconds_to_aim = self.seconds()


def train_ours(name: str, seed: int, data: str, watch: Watch) -> dict[str, Any]:
    """`digitcli train`, in this process so that it can be watched."""
    from digitcli.cli import main
    from digitcli.data.load import load
    from digitcli.system.tensorflow_setup import import_no_more_than_needed

    import_no_more_than_needed()  # as main does, before it imports the loop
    from digitcli.training import loop

    with watch.stopped():  # `digitcli train` loads it itself
        test = load(data).test
    speeds: list[float] = []

    class Watched(loop.Trainer):
        def run_epoch(self, epoch: int, on_step: Callable[[Any], None]) -> tuple[float, float]:
            before = len(speeds)
            start = watch.seconds()

            def step(report: Any) -> None:
                on_step(report)
                watch.look(lambda: self.score(test)[1])
                speeds[before:] = [report.step * self._batch_size / (watch.seconds() - start)]

            return super().run_epoch(epoch, step)

    loop.Trainer = Watched
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        sys.argv = [
            "digitcli",
            "train",
            *OURS[name],
            "--data",
            data,
            "--seed",
            str(seed),
            "--quiet",
            "-o",
            str(run),
        ]
        try:
            main()
        except SystemExit as ended:
            if ended.code:
                raise
        record = json.loads((run / "run.json").read_text())
    return {
        "accuracy": record["metrics"]["test_accuracy"],
        "training_seconds": record["metrics"]["seconds"] - watch.looking,
        "images_per_second": statistics.median(speeds),
    }


def train_keras(name: str, seed: int, data: str, watch: Watch) -> dict[str, Any]:
    """Plain `fit`, with a tenth held out for validation as in Keras's example."""
    import keras
    import numpy as np
    from keras import layers

    from digitcli.data.load import load

    keras.utils.set_random_seed(seed)
    digits = load(data)
    x, xt = (part.images[..., None].astype("float32") / 255 for part in (digits.train, digits.test))
    y = keras.utils.to_categorical(digits.train.labels, 10)
    network = {
        "keras-convnet": [
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.5),
        ],
        "keras-512-64": [
            layers.Flatten(),
            layers.Dense(512, activation="relu"),
            layers.Dense(64, activation="relu"),
        ],
    }[name]
    model = keras.Sequential([keras.Input((28, 28, 1)), *network, layers.Dense(10, activation="softmax")])
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])

    def accuracy() -> float:
        parts = [np.asarray(model(xt[n : n + 1000], training=False)) for n in range(0, len(xt), 1000)]
        return float((np.concatenate(parts).argmax(1) == digits.test.labels).mean())

    def batch_end(batch: int, logs: object) -> None:
        if batch % BATCHES_BETWEEN_LOOKS == BATCHES_BETWEEN_LOOKS - 1:
            watch.look(accuracy)

    watcher = keras.callbacks.LambdaCallback(
        on_train_batch_end=batch_end, on_epoch_end=lambda epoch, logs: watch.look(accuracy)
    )
    start = watch.seconds()
    model.fit(x, y, batch_size=128, epochs=KERAS[name], validation_split=0.1, verbose=0, callbacks=[watcher])
    seconds = watch.seconds() - start
    return {
        "accuracy": accuracy(),
        "training_seconds": seconds,
        "images_per_second": 0.9 * len(x) * KERAS[name] / seconds,
    }


def contest(name: str, seed: int, data: str) -> dict[str, Any]:
    """One training in a process of its own."""
    command = [sys.executable, __file__, "--child", name, str(seed), data, repr(time.time())]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def child(name: str, seed: int, data: str, started: float) -> None:
    """Trains and prints the figures as JSON."""
    watch = Watch(started)
    figures = (train_ours if name in OURS else train_keras)(name, seed, data, watch)
    print(
        json.dumps(
            {
                **figures,
                "seconds": watch.seconds(),
                "seconds_to_aim": watch.seconds_to_aim,
                "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
    )


def matmul_rate() -> float:
    """Float32 multiply-adds per second, of all cores, that TensorFlow reaches on large matrices."""
    code = (
        "import time\n"
        "from digitcli.system.tensorflow_setup import import_tensorflow\n"
        "tf = import_tensorflow()\n"
        "a = tf.random.normal((2048, 2048)); f = tf.function(lambda: tf.matmul(a, a)); f(); f()\n"
        "t = []\n"
        "for _ in range(10):\n"
        "    s = time.perf_counter(); f().numpy(); t.append(time.perf_counter() - s)\n"
        "print(2048**3 / sorted(t)[5])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True)
    return float(done.stdout)


def multiply_adds(name: str) -> int:
    """Of one training step for one image: forward, to the weights, to all inputs but the picture."""
    from digitcli import models

    total = 0
    layers = [
        layer
        for layer in models.build(models.preset(name.partition(" ")[0]).model).layers
        if hasattr(layer, "kernel")
    ]
    for layer in layers:
        places = math.prod(layer.output.shape[1:-1])
        forward = math.prod(layer.kernel.shape) * places
        total += forward * (2 if layer is layers[0] else 3)
    return total


def seconds_to_see(data: str) -> tuple[float, float]:
    """From starting `digitcli train` on a terminal to its progress line, and to the first steps in it."""
    with tempfile.TemporaryDirectory() as folder:
        main, terminal = pty.openpty()
        command = [sys.executable, "-m", "digitcli", "train", "--data", data, "-o", str(Path(folder) / "run")]
        start = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=terminal, stderr=terminal, env={**os.environ, "COLUMNS": "120"}
        )
        os.close(terminal)
        seen, line, steps = "", 0.0, 0.0
        while not steps:
            seen += os.read(main, 4096).decode(errors="replace")
            now = time.perf_counter() - start
            line = line or (bool(re.search(r"epoch +1/", seen)) and now)
            steps = bool(re.search(r"[1-9][\d,]* images/s", seen)) and now
        process.terminate()
        process.wait()
        os.close(main)
    return line, steps


def summary(name: str, rows: list[dict[str, Any]], rate: float) -> dict[str, Any]:
    """Mean and spread of the accuracy, medians of the rest, and each seed's own figures.

    rate: multiply-adds per second of large matrices, of which our own networks' share is told.
    """
    accuracies = [100 * row["accuracy"] for row in rows]
    to_aim = [row["seconds_to_aim"] for row in rows if row["seconds_to_aim"] is not None]
    speed = statistics.median(row["images_per_second"] for row in rows)
    used = {"share_of_matmul_rate": round(multiply_adds(name) * speed / rate, 3)} if name in OURS else {}
    return {
        "accuracy_mean": round(statistics.mean(accuracies), 3),
        "accuracy_spread": round(statistics.stdev(accuracies), 3) if len(rows) > 1 else None,
        "reached_aim": len(to_aim),
        "median_seconds_to_aim": round(statistics.median(to_aim), 2) if to_aim else None,
        **{
            f"median_{key}": round(statistics.median(row[key] for row in rows), 2)
            for key in ("seconds", "training_seconds", "images_per_second", "peak_mb")
        },
        **used,
        "seeds": rows,
    }


def main() -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--only", nargs="+", choices=[*OURS, *KERAS], default=[*OURS, *KERAS])
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()

    kept = json.loads(arguments.output.read_text())["results"] if arguments.output.exists() else {}
    load = round(os.getloadavg()[0], 2)
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in arguments.only}
    rates, seen = [], []
    for seed in range(arguments.seeds):
        rates.append(matmul_rate())
        seen.append(seconds_to_see(arguments.data))
        for name in arguments.only:
            rows[name].append(contest(name, seed, arguments.data))
            print(f"{name} seed {seed}: {rows[name][-1]}", file=sys.stderr, flush=True)
        rate = statistics.median(rates)
        document = {
            "benchmark": "train_speed",
            "conditions": {**conditions(PACKAGES, load), "seeds": seed + 1, "aim": AIM},
            "matmul_gflops": round(2 * rate / 1e9, 1),
            "seconds_to_progress_line": round(statistics.median(line for line, _ in seen), 2),
            "seconds_to_first_steps": round(statistics.median(steps for _, steps in seen), 2),
            # Contestants that do not run now keep their figures.
            "results": {**kept, **{name: summary(name, some, rate) for name, some in rows.items()}},
        }
        # After each seed, since all of them take hours.
        arguments.output.write_text(json.dumps(document, indent=2) + "\n")
    show(document)


def show(document: dict[str, Any]) -> None:
    """Prints the figures as a table."""
    print(f"{'':22}{'accuracy':>16}{'to 99 %':>10}{'whole':>9}{'images/s':>10}{'of matmul':>11}{'memory':>9}")
    for name, r in document["results"].items():
        spread = f" ± {r['accuracy_spread']:.2f}" if r["accuracy_spread"] is not None else ""
        share = f"{r['share_of_matmul_rate']:.0%}" if "share_of_matmul_rate" in r else ""
        to_aim = f"{r['median_seconds_to_aim']:.1f} s" if r["reached_aim"] else ""
        print(
            f"{name:22}{r['accuracy_mean']:>8.2f}{spread} %{to_aim:>10}"
            f"{r['median_seconds']:>7.0f} s{r['median_images_per_second']:>10,.0f}{share:>11}"
            f"{r['median_peak_mb']:>6.0f} MB"
        )
    print(
        f"large matrices: {document['matmul_gflops']:.0f} GFLOPS; progress line after "
        f"{document['seconds_to_progress_line']} s, first steps after {document['seconds_to_first_steps']} s"
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], int(sys.argv[3]), sys.argv[4], float(sys.argv[5]))
    else:
        main()
