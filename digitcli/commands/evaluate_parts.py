"""`digitcli evaluate --engine ray`: labelled Parquet in parts, each scored by one of many processes."""

from __future__ import annotations

import os
from contextlib import closing
from functools import partial
from itertools import chain
from pathlib import Path

from digitcli.classifiers import Classifier, model_bytes
from digitcli.cluster.ray_engine import map_unordered
from digitcli.cluster.ray_setup import ray_started, require_ray
from digitcli.data.formats import parquet
from digitcli.errors import UsageError
from digitcli.evaluation import Scores
from digitcli.evaluation.parts import PartScore, Scorer
from digitcli.output import Output
from digitcli.sources.parts import cut_parquet


def evaluate_parts(classifier: Classifier, data: str, address: str | None, out: Output) -> Scores:
    """The figures of all pictures in a Parquet file or folder, on the machines of a Ray cluster.

    Raises UsageError if `data` is no labelled Parquet, DataError if something in it is absent or damaged.
    """
    require_ray("Ray")
    path = Path(data)
    if not (path.exists() and parquet.recognises(path)):
        raise UsageError(f"--engine ray scores Parquet, which '{data}' is not. Name some with --data PATH.")
    files = parquet.scored(path)
    parts = list(chain.from_iterable(cut_parquet(str(file)) for file in files))
    make = partial(Scorer, model_bytes(classifier), classifier.views, os.getcwd())
    total = PartScore()
    with (
        out.progress("Scoring") as progress,
        ray_started(address),
        closing(map_unordered(make, parts)) as done,
    ):
        for number, each in enumerate(done, 1):
            total += each
            progress(number, len(parts))
    return Scores.of(total.sums, total.seconds)
