"""Labelled Parquet scored part by part, each in one of many processes: what `evaluate --engine ray` does."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np

from digitcli import classifiers
from digitcli.cluster.ray_engine import map_unordered
from digitcli.cluster.ray_setup import ray_started, require_ray
from digitcli.data.formats import parquet
from digitcli.errors import ModelError, UsageError
from digitcli.evaluation import Scores
from digitcli.evaluation.metrics import Sums
from digitcli.sources.parts import Part, cut_parquet
from digitcli.system.progress import Progress


@dataclass(frozen=True)
class PartScore:
    """What adds up over parts. seconds: as of `Scores`."""

    sums: Sums = field(default_factory=Sums)
    seconds: float = 0.0

    def __add__(self, other: PartScore) -> PartScore:
        return PartScore(self.sums + other.sums, self.seconds + other.seconds)


def evaluate_parts(
    classifier: classifiers.Classifier,
    data: Path,
    address: str | None = None,
    on_progress: Progress = lambda done, total: None,
) -> Scores:
    """The figures of all pictures in a Parquet file or folder, on the machines of a Ray cluster.

    address: as for `ray_started`. on_progress: called with parts.
    Raises UsageError if `data` is no labelled Parquet, DataError if something in it is absent or damaged,
    ModelError if the model is not for LiteRT, MissingExtraError without Ray.
    """
    require_ray("Ray")
    if not (data.exists() and parquet.recognises(data)):
        raise UsageError(f"--engine ray scores Parquet, which '{data}' is not. Name some with --data PATH.")
    parts = list(chain.from_iterable(cut_parquet(str(file)) for file in parquet.scored(data)))
    make = partial(_Scorer, classifiers.model_bytes(classifier), classifier.views, os.getcwd())
    total = PartScore()
    with ray_started(address), closing(map_unordered(make, parts)) as done:
        for number, each in enumerate(done, 1):
            total += each
            on_progress(number, len(parts))
    return Scores.of(total.sums, total.seconds)


class _Scorer:
    """A classifier in a process that scores one part after the other."""

    def __init__(self, model: bytes, views: int, folder: str) -> None:
        """model: the content of a LiteRT file. folder: what relative paths are relative to."""
        os.chdir(folder)
        with tempfile.NamedTemporaryFile(suffix=".tflite") as file:
            file.write(model)
            file.flush()
            self._classifier = classifiers.load_our_own(Path(file.name), threads=1, views=views)

    def __call__(self, part: Part) -> PartScore:
        """Raises DataError if a picture or label is absent or damaged, ModelError for what is no number."""
        (path,) = part.paths
        digits = parquet.read_rows(Path(path), part.rows)
        started = time.perf_counter()
        probabilities = self._classifier.probabilities(digits.images)
        seconds = time.perf_counter() - started
        if not np.isfinite(probabilities).all():
            raise ModelError("The model gives probabilities that are no numbers (NaN or infinite).")
        return PartScore(Sums.of(probabilities, digits.labels), seconds)
