"""Makes the networks that read pictures: `python -m digitcli.detector WHAT OUTPUT`.

WHAT is boxes, lines, words, numbers or close-ups. Each takes an hour or an hour and a half on two cores.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from digitcli.data.digits import Digits
from digitcli.data.load import load
from digitcli.detector import (
    close_up_training,
    line_network,
    line_training,
    network,
    older,
    training,
)
from digitcli.detector.blocks import in_8_bits
from digitcli.detector.line_examples import Example, examples_among_words, number_examples
from digitcli.errors import DataError, DigitcliError
from digitcli.output import Output
from digitcli.system.files import atomic_path, write_durably
from digitcli.system.progress import Progress

app = typer.Typer()

File = Annotated[Path, typer.Argument(help="The file of LiteRT that is written.")]
Data = Annotated[str, typer.Option(help="Handwritten digits, as for digitcli train.")]
Steps = Annotated[int, typer.Option(min=1, help="Of training.")]


@app.command()
def boxes(
    output: File,
    data: Data = "mnist",
    pages: Annotated[int, typer.Option(min=1, help="That are drawn.")] = training.PAGES,
    steps: Steps = training.STEPS,
    seed: int = 0,
) -> None:
    """Draws pages with digits, and trains the network that finds these."""
    _make(training.draw, training.train, network.to_litert, "pages", output, data, pages, steps, seed)


@app.command()
def lines(
    output: File,
    data: Data = "mnist",
    count: Annotated[int, typer.Option(min=1, help="Of lines that are drawn.")] = line_training.LINES,
    steps: Steps = line_training.STEPS,
    seed: int = 0,
) -> None:
    """Draws lines of writing, and trains the network that reads these."""
    draw, train = line_training.draw, line_training.train
    _make(draw, train, line_network.to_litert, "lines", output, data, count, steps, seed)


@app.command()
def words(
    output: File,
    older_code: Annotated[
        Path | None, typer.Option("--older", help=f"A checkout of {older.COMMIT}, which draws other lines.")
    ] = None,
    data: Data = "mnist",
    count: Annotated[int, typer.Option(min=1, help="Of lines that are drawn.")] = line_training.AMONG_WORDS,
    steps: Steps = line_training.STEPS,
    seed: int = 0,
) -> None:
    """Draws lines in which words stand, and trains a network that reads these and the older ones."""

    def draw(
        real: Digits, seed: int, count: int, on_progress: Progress
    ) -> tuple[list[Example], list[Example]]:
        others = older.lines(older_code, data, seed, line_training.OLDER) if older_code else []
        return line_training.draw(real, seed, count, on_progress, examples_among_words), others

    def train(drawn: tuple[list[Example], list[Example]], *how: Any) -> Any:
        return line_training.train_with_older(*drawn, *how)

    _make(draw, train, line_network.to_litert, "lines", output, data, count, steps, seed)


@app.command()
def numbers(
    output: File,
    data: Data = "mnist",
    count: Annotated[int, typer.Option(min=1, help="Of numbers that are drawn.")] = line_training.NUMBERS,
    steps: Steps = line_training.STEPS_OF_NUMBERS,
    seed: int = 2,
) -> None:
    """Draws numbers only, and trains a smaller network that reads these."""
    draw = partial(line_training.draw, kind=number_examples)
    train = partial(line_training.train, context=line_network.CONTEXT_OF_NUMBERS)
    _make(draw, train, line_network.to_litert, "numbers", output, data, count, steps, seed)


@app.command()
def close_ups(
    output: File,
    data: Data = "mnist",
    count: Annotated[
        int, typer.Option(min=1, help="Of pictures that are drawn.")
    ] = close_up_training.PICTURES,
    steps: Steps = close_up_training.STEPS,
    seed: int = 0,
) -> None:
    """Draws pictures of one digit, of none and of several, and trains the network that tells which."""
    draw, train = close_up_training.draw, close_up_training.train
    _make(draw, train, in_8_bits, "pictures", output, data, count, steps, seed)


def _make(
    draw: Callable[..., Any],
    train: Callable[..., Any],
    to_litert: Callable[[Any], bytes],
    what: str,
    output: Path,
    data: str,
    count: int,
    steps: int,
    seed: int,
) -> None:
    """Draws what a network learns from, trains it, and writes it. draw, train: as in its module."""
    out = Output("detector")
    real = load(data).train
    if real is None:
        raise DataError(f"{data}: has no training part.")
    with out.progress(f"Drawing {what}") as on_progress:
        drawn = draw(real, seed, count, on_progress)
    with out.progress("Training") as on_progress:
        model = train(drawn, seed, steps, on_progress)
    with atomic_path(output) as path:
        write_durably(path, to_litert(model))
    out.note(f"Wrote {output}.")


if __name__ == "__main__":
    try:
        app()
    except DigitcliError as error:
        sys.exit(str(error))
