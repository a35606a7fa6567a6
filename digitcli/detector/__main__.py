"""Makes the networks that read pictures: `python -m digitcli.detector boxes|lines|close-ups OUTPUT`.

Each takes an hour or an hour and a half on two cores.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from digitcli.data.digits import Digits
from digitcli.data.load import load
from digitcli.detector import (
    close_up_training,
    line_network,
    line_training,
    network,
    training,
)
from digitcli.detector.blocks import in_8_bits
from digitcli.errors import DataError, DigitcliError
from digitcli.output import Output
from digitcli.system.files import atomic_path, write_durably

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
    out = Output("detector")
    real = _real(data)
    with out.progress("Drawing pages") as on_progress:
        drawn = training.draw(real, seed, pages, on_progress)
    with out.progress("Training") as on_progress:
        model = training.train(drawn, seed, steps, on_progress)
    _write(output, network.to_litert(model), out)


@app.command()
def lines(
    output: File,
    data: Data = "mnist",
    count: Annotated[int, typer.Option(min=1, help="Of lines that are drawn.")] = line_training.LINES,
    steps: Steps = line_training.STEPS,
    seed: int = 0,
) -> None:
    """Draws lines of writing, and trains the network that reads these."""
    out = Output("detector")
    real = _real(data)
    with out.progress("Drawing lines") as on_progress:
        drawn = line_training.draw(real, seed, count, on_progress)
    with out.progress("Training") as on_progress:
        model = line_training.train(drawn, seed, steps, on_progress)
    _write(output, line_network.to_litert(model), out)


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
    out = Output("detector")
    real = _real(data)
    with out.progress("Drawing pictures") as on_progress:
        drawn = close_up_training.draw(real, seed, count, on_progress)
    with out.progress("Training") as on_progress:
        model = close_up_training.train(drawn, seed, steps, on_progress)
    _write(output, in_8_bits(model), out)


def _real(data: str) -> Digits:
    real = load(data).train
    if real is None:
        raise DataError(f"{data}: has no training part.")
    return real


def _write(output: Path, content: bytes, out: Output) -> None:
    with atomic_path(output) as path:
        write_durably(path, content)
    out.note(f"Wrote {output}.")


if __name__ == "__main__":
    try:
        app()
    except DigitcliError as error:
        sys.exit(str(error))
