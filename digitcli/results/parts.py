"""Pictures in parts, each read by one of many processes: what `predict --engine ray` does."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from digitcli.classifiers import Classifier, model_bytes
from digitcli.cluster.ray_engine import map_unordered
from digitcli.cluster.ray_setup import ray_started, require_ray
from digitcli.errors import Interrupted
from digitcli.reading.expect import ANY, Expect
from digitcli.reading.prediction import predict_in
from digitcli.results.folder import Counts, ResultsFolder, write_part
from digitcli.results.layout import Layout
from digitcli.sources.pages import EVERY_PAGE, Pages
from digitcli.sources.parts import Part, cut
from digitcli.system.limits import SECONDS
from digitcli.system.parallel import Workers


@dataclass(frozen=True)
class _How:
    """How pictures are read, whatever they are.

    model: the content of a LiteRT file. folder: what relative paths are relative to. pages: as for
        `sources.expand`. The others are as for `prediction.predict_in`.
    """

    model: bytes
    folder: str
    layout: Layout
    pages: Pages
    min_confidence: float
    time_limit: float
    expect: Expect
    views: int
    has_learnt: bool

    @property
    def about(self) -> str:
        """What tells its results from those of every other."""
        model = hashlib.sha256(self.model).hexdigest()
        known = f"{self.pages.text} {self.expect} {self.has_learnt}"
        return f"{model} {self.layout} {known} {self.min_confidence} {self.time_limit} {self.views}"


@dataclass(frozen=True)
class Done:
    """parts: how many there are; read: so many of them now, the others before. counts: of all of them."""

    parts: int
    read: int
    counts: Counts


def predict_parts(
    pictures: Sequence[str],
    classifier: Classifier,
    output: Path,
    layout: Layout,
    address: str | None = None,
    *,
    pages: Pages = EVERY_PAGE,
    min_confidence: float = 0.0,
    time_limit: float = SECONDS,
    expect: Expect = ANY,
    force: bool = False,
    watched: Callable[[Iterator[Counts], int], Iterable[Counts]] = lambda counts, parts: counts,
) -> Done:
    """Reads the pictures into Parquet files in the folder `output`, but for those that are there already.

    pictures: as the command line names them. address: as for `ray_started`. force: begin again.
    watched: what the counts of the parts that are read, so many, pass through while they come.
    Raises ModelError if the model is not for LiteRT, MissingExtraError without Ray, OutputError if the folder
    holds anything else, Interrupted at Ctrl-C.
    """
    require_ray("Ray")
    how = _How(
        model=model_bytes(classifier),
        folder=os.getcwd(),
        layout=layout,
        pages=pages,
        min_confidence=min_confidence,
        time_limit=time_limit,
        expect=expect,
        views=classifier.views,
        has_learnt=classifier.has_learnt,
    )
    parts = list(cut(pictures, sys.stdin.buffer))
    with ResultsFolder(output, parts, how.about, force=force) as results:
        counts = results.done
        jobs = [(path.absolute(), part) for path, part in results.left]
        if jobs:
            try:
                with ray_started(address), closing(map_unordered(partial(_Reader, how), jobs)) as done:
                    for each in watched(done, len(jobs)):
                        counts += each
            except KeyboardInterrupt:
                raise Interrupted("What was read is kept. The same command goes on.") from None
    return Done(len(parts), len(jobs), counts)


class _Reader:
    """Reads one part after the other, in a process of its own beside this one, which a picture may kill."""

    def __init__(self, how: _How) -> None:
        os.chdir(how.folder)
        self._how = how
        # Without a name on Linux, since nothing would remove it: Ray ends its processes by killing them.
        unnamed = sys.platform == "linux"
        self._file = (tempfile.TemporaryFile if unnamed else tempfile.NamedTemporaryFile)()
        self._file.write(how.model)
        self._file.flush()
        self._model = Path(f"/proc/{os.getpid()}/fd/{self._file.fileno()}" if unnamed else self._file.name)
        self._workers = Workers(1).__enter__()

    def __call__(self, job: tuple[Path, Part]) -> Counts:
        path, part = job
        how = self._how
        predictions = predict_in(
            self._workers,
            part.sources(how.pages),
            self._model,
            views=how.views,
            mode=how.layout.mode,
            min_confidence=how.min_confidence,
            time_limit=how.time_limit,
            expect=how.expect,
            has_learnt=how.has_learnt,
        )
        with closing(predictions):
            return write_part(predictions, how.layout, path)
