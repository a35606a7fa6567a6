"""Makes the detector: `python -m digitcli.detector OUTPUT`. It takes an hour and a half on two cores."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from digitcli.data.load import load
from digitcli.detector import network, training
from digitcli.errors import DataError, DigitcliError
from digitcli.files import atomic_path, write_durably
from digitcli.output import Output


def main(
    output: Annotated[Path, typer.Argument(help="The file of LiteRT that is written.")],
    data: Annotated[str, typer.Option(help="Handwritten digits, as for digitcli train.")] = "mnist",
    pages: Annotated[int, typer.Option(min=1, help="That are drawn.")] = training.PAGES,
    steps: Annotated[int, typer.Option(min=1, help="Of training.")] = training.STEPS,
    seed: int = 0,
) -> None:
    """Draws pages with digits, and trains the network that finds these."""
    out = Output("detector")
    real = load(data).train
    if real is None:
        raise DataError(f"{data}: has no training part.")
    with out.progress("Drawing pages") as on_progress:
        drawn = training.draw(real, seed, pages, on_progress)
    with out.progress("Training") as on_progress:
        model = training.train(drawn, seed, steps, on_progress)
    with atomic_path(output) as path:
        write_durably(path, network.to_litert(model))
    out.note(f"Wrote {output}.")


if __name__ == "__main__":
    try:
        typer.run(main)
    except DigitcliError as error:
        sys.exit(str(error))
