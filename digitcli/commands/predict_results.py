"""What `digitcli predict` prints: its results in any format, tables and what the network saw."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from digitcli.output import Output, printable, tab_separated, to_json
from digitcli.results import formats
from digitcli.results.layout import Layout, note

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from digitcli.classifiers import Classifier
    from digitcli.reading.digit import Digit
    from digitcli.reading.prediction import Prediction
    from digitcli.results.parts import Done

TABLE_ROWS = 500
"""Rows of a table on the terminal, which are kept until it is drawn. More begin another one."""

BESIDE = 40
"""Columns of a terminal that has room for bars beside a picture."""


def print_results(
    results: Iterable[Prediction],
    format: formats.Format | None,
    layout: Layout,
    model: Mapping[str, str],
    out: Output,
) -> None:
    """Prints them as they come; without a format, as tables on a terminal, as lines with a header elsewhere.

    model: what a JSON document says of it.
    """
    if format is None and out.is_terminal:
        cells = map(layout.row, results)
        while some := list(islice(cells, TABLE_ROWS)):
            out.table(layout.columns, some, right=("confidence",))
        return
    module = formats.get(format or "plain")
    if isinstance(module, formats.Printed):
        texts = module.pieces((to_json(layout.as_dict(result)) for result in results), model)
    else:
        assert isinstance(module, formats.Rows), "what cannot be printed is written to a file"
        header = module.header(layout) if format else tab_separated(layout.columns) + "\n"
        texts = formats.rows(results, module, layout, header)
    for text in texts:
        sys.stdout.write(text)
        sys.stdout.flush()


def show_parts(done: Done, folder: Path, classifier: Classifier, out: Output) -> None:
    """Tells what was read into a folder, in parts."""
    if not done.read:
        out.note(f"{folder} has all results already.")
    out.note(f"Wrote {folder}: {done.counts.pictures} pictures.")
    out.document(
        {
            "model": {"path": str(classifier.path), "runtime": classifier.runtime},
            "output": str(folder),
            "parts": done.parts,
            **vars(done.counts),
        }
    )


def draw(results: Iterable[Prediction], out: Output) -> None:
    """Draws on the terminal what the network saw of each picture, and how sure it is."""
    from rich.text import Text

    for result in results:
        if result.error:
            out.chart(Text(printable(result.error), style="red"))  # which names the picture
        else:
            parts = [
                (printable(result.path), "bold"),
                ((result.full or "").replace("\n", " "), "bold cyan"),
                (note(result), "yellow"),
            ]
            out.chart(Text("  ").join(Text(*part) for part in parts if part[0]))
        if result.image is not None:
            _draw_one(result.image, result.probabilities, out)
        for line in result.lines:
            _draw_line(line, out)
        out.chart("")


def _draw_one(pixels: NDArray[np.uint8], probabilities: Sequence[float], out: Output) -> None:
    """What was classified, beside the bars of the ten probabilities, or above them if there is no room."""
    from rich.table import Table

    from digitcli.charts import Bars, Picture

    shares = {str(digit): share for digit, share in enumerate(probabilities)}
    if out.width < BESIDE:
        out.chart(Picture(pixels))
        out.chart(Bars(shares))
        return
    beside = Table.grid(padding=(0, 1))
    beside.add_column(vertical="middle", no_wrap=True)  # so that a narrow terminal shortens the bars
    beside.add_column(vertical="middle")
    beside.add_row(Picture(pixels), Bars(shares))
    out.chart(beside)


def _draw_line(line: Sequence[Digit], out: Output) -> None:
    """The digits side by side, as many as fit, each above what was read."""
    from rich.columns import Columns
    from rich.console import Group
    from rich.text import Text

    from digitcli.charts import Picture

    captions = [Text(f"{digit.digit}  {digit.confidence:.0%}", justify="center") for digit in line]
    drawn = (Group(Picture(digit.pixels), caption) for digit, caption in zip(line, captions, strict=True))
    out.chart(Columns(drawn, padding=(0, 1)))
