"""`digitcli predict --engine ray`: the pictures in parts, each read by one of many processes."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import typer

from digitcli.classifiers import Classifier, model_bytes
from digitcli.cluster.ray_engine import map_unordered
from digitcli.cluster.ray_setup import ray_started, require_ray
from digitcli.commands.layout import Layout
from digitcli.commands.reading_display import with_progress_of_parts
from digitcli.commands.results_folder import Counts, ResultsFolder, write_part
from digitcli.errors import Interrupted
from digitcli.output import Output
from digitcli.reading.expect import Expect
from digitcli.reading.prediction import predict_in
from digitcli.sources.pages import Pages
from digitcli.sources.parts import Part, cut
from digitcli.system.parallel import Workers


@dataclass(frozen=True)
class _How:
    """How pictures are read, whatever they are.

    model: the content of a LiteRT file. folder: what relative paths are relative to. pages: as for
        `sources.expand`. The others are as for `prediction.predict`.
    """

    model: bytes
    folder: str
    layout: Layout
    pages: Pages
    min_confidence: float
    time_limit: float
    expect: Expect
    views: int

    @property
    def about(self) -> str:
        """What tells its results from those of every other."""
        model = hashlib.sha256(self.model).hexdigest()
        known = f"{self.pages.text} {self.expect}"
        return f"{model} {self.layout} {known} {self.min_confidence} {self.time_limit} {self.views}"


def predict_parts(
    pictures: list[str],
    classifier: Classifier,
    output: Path,
    layout: Layout,
    address: str | None,
    out: Output,
    *,
    pages: Pages,
    min_confidence: float,
    time_limit: float,
    expect: Expect,
    force: bool,
) -> None:
    """Reads the pictures into Parquet files in the folder `output`, but for those that are there already.

    Raises ModelError if the model is not for LiteRT, typer.Exit if a picture could not be read.
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
    )
    parts = list(cut(pictures, sys.stdin.buffer))
    with ResultsFolder(output, parts, how.about, force=force) as results:
        counts = results.done
        if results.left:
            for each in _read(how, results.left, address, out):
                counts += each
        else:
            out.note(f"{output} has all results already.")
    out.note(f"Wrote {output}: {counts.pictures} pictures.")
    out.document(
        {
            "model": {"path": str(classifier.path), "runtime": classifier.runtime},
            "output": str(output),
            "parts": len(parts),
            **vars(counts),
        }
    )
    if counts.errors:
        out.warn(f"{counts.errors} of {counts.pictures} pictures could not be read.")
        raise typer.Exit(1)


def _read(how: _How, left: list[tuple[Path, Part]], address: str | None, out: Output) -> Iterator[Counts]:
    jobs = [(path.absolute(), part) for path, part in left]
    try:
        with ray_started(address), closing(map_unordered(partial(_Reader, how), jobs)) as done:
            yield from with_progress_of_parts(done, len(jobs), out)
    except KeyboardInterrupt:
        raise Interrupted("What was read is kept. The same command goes on.") from None


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
        )
        with closing(predictions):
            return write_part(predictions, how.layout, path)
