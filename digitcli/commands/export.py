"""`digitcli export`: a model in another format, proved equal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from digitcli import exporting
from digitcli.commands import options

FORMATS = exporting.format_names()


def export(
    source: Annotated[
        Path | None, typer.Argument(metavar="[MODEL]", help="A run or model file, as with --model.")
    ] = None,
    model: options.Model = None,
    format: Annotated[
        str, typer.Option("--format", "-f", metavar="|".join(FORMATS), help="What to write.")
    ] = "savedmodel",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="The file or folder to write. Default: the run's or model's name, here."
        ),
    ] = None,
    force: options.Force = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Write a model in another format, and prove that it gives the same answers.

    What was written is loaded again in its own runtime and run beside the
    original on a thousand pictures. If a digit differs, or a probability by
    more than 0.0001, nothing is left behind.

    Every export takes 28x28x1 float32 in 0-1, ink 1 on paper 0, and gives ten
    probabilities.

    [bold]Examples[/bold]

      digitcli export --format savedmodel --output served/1

      digitcli export old-model.h5 --format tflite
    """
    from digitcli import runs
    from digitcli.errors import UsageError

    if source and model:
        raise UsageError(f"Two models are named, {source} and {model}. Leave one of them out.")
    out = options.output("export", json, quiet, verbose, debug)
    suffix = exporting.suffix(format)
    found = runs.find_model(source or model, prefer=runs.KERAS_MODEL)
    out.note(f"Model: {found.description}.")
    target = output or Path((found.run.name if found.run else found.path.stem) + suffix)
    with out.progress("Exporting") as progress:
        result = exporting.export(found.path, format, target, force=force, on_progress=progress)
    parity = result.parity
    out.table(
        ["path", "format", "runtime", "bytes", "pictures", "same_digits", "largest_difference"],
        [
            [
                result.path, result.format, result.runtime, result.bytes,
                parity.pictures, parity.same_digits, f"{parity.largest_difference:.1e}",
            ]
        ],
        right=["bytes", "pictures", "same_digits", "largest_difference"],
    )  # fmt: skip
    out.document(
        {
            "model": str(found.path),
            "path": str(result.path),
            "format": result.format,
            "runtime": result.runtime,
            "bytes": result.bytes,
            "parity": vars(parity),
        }
    )
