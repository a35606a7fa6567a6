"""Labelled Parquet scored part by part, each in one of many processes: what `evaluate --engine ray` does."""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from digitcli import classifiers
from digitcli.data.formats.parquet import read_rows
from digitcli.errors import ModelError
from digitcli.evaluation.metrics import Sums
from digitcli.sources.parts import Part


@dataclass(frozen=True)
class PartScore:
    """What adds up over parts. seconds: as of `Scores`."""

    sums: Sums = field(default_factory=Sums)
    seconds: float = 0.0

    def __add__(self, other: PartScore) -> PartScore:
        return PartScore(self.sums + other.sums, self.seconds + other.seconds)


class Scorer:
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
        digits = read_rows(Path(path), part.rows)
        started = time.perf_counter()
        probabilities = self._classifier.probabilities(digits.images)
        seconds = time.perf_counter() - started
        if not np.isfinite(probabilities).all():
            raise ModelError("The model gives probabilities that are no numbers (NaN or infinite).")
        return PartScore(Sums.of(probabilities, digits.labels), seconds)
