"""`digitcli export`: a model in another format, proved equal."""

from __future__ import annotations

from dataclasses import asdict
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
        str,
        typer.Option(
            "--format", "-f", metavar="FORMAT", help=f"{', '.join(FORMATS)}, or all for a folder of them."
        ),
    ] = "savedmodel",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="The file or folder to write. Default: the run's or model's name, here."
        ),
    ] = None,
    data: options.Data = "auto",
    license: Annotated[
        str, typer.Option(metavar="TEXT", help="The licence of the model, for those who get the export.")
    ] = exporting.UNSPECIFIED,
    trust: options.Trust = False,
    force: options.Force = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Write a model in another format, and prove that it gives the same answers.

    What was written is loaded again in its own runtime and run beside the
    original on a thousand pictures. If more digits differ than the format
    allows (none, for those of full precision), or a probability by more (there
    0.0001), nothing is left behind. A README beside the export tells how to run
    it. The table tells on how many of the thousand the digit is the same, how
    far a probability moved at most, the accuracy on the data's test part,
    milliseconds for one picture, and pictures per second in batches.

    Every export takes 28x28x1 float32 in 0-1, ink 1 on paper 0, and gives the
    probabilities of the ten digits, and of no digit if the model knows that;
    c is a header for microcontrollers that does so in whole numbers of 8 bits.
    savedmodel has a second signature, onnx a second file, that take uint8. html
    is a page that reads what is drawn on it, without network; its proof needs
    Chrome, Chromium or Edge. all makes a folder of all formats.

    [bold]Examples[/bold]

      digitcli export --format savedmodel --output served/1

      digitcli export old-model.h5 --format tflite

      digitcli export my-run --format html && xdg-open my-run.html

      digitcli export --format all --license CC-BY-4.0 --output exports
    """
    from digitcli import runs
    from digitcli.errors import UsageError
    from digitcli.system.files import require_free

    if source and model:
        raise UsageError(f"Two models are named, {source} and {model}. Leave one of them out.")
    out = options.output("export", json, quiet, verbose, debug)
    suffix = exporting.suffix(format)
    found = runs.find_model(source or model, prefer=runs.KERAS_MODEL)
    out.note(f"Model: {found.description}.")
    target = output or Path(found.name + (suffix or "-exports"))
    if not force:
        require_free(target)
    dataset = options.read_data(data, out)
    with out.progress("Exporting") as progress:
        results = exporting.export(
            found.path,
            format,
            target,
            dataset,
            name=found.name,
            license="Apache-2.0" if found.run == runs.BUNDLED.parent else license,
            force=force,
            trust=out.warn if trust else None,
            on_progress=progress,
        )
    left_out = sorted(set(exporting.format_names()) - {each.format for each in results})
    if format == exporting.ALL and left_out:
        out.note(f"Left out, since {found.path} cannot become such a file: {', '.join(left_out)}.")
    out.note(f"Wrote {target}, with a README.")
    # Short, since so many columns must fit into 80; a folder's name is told above, and scripts get the path.
    short = out.is_terminal and format == exporting.ALL
    out.table(
        ["path", "bytes", "same", "moved", "accuracy", "ms", "per_second"],
        [
            [
                each.path.name if short else each.path, each.bytes, each.parity.same_digits,
                f"{each.parity.largest_difference:.1e}", f"{each.accuracy:.2%}", f"{each.milliseconds:.2f}",
                round(each.images_per_second),
            ]
            for each in results
        ],
        right=["bytes", "same", "moved", "accuracy", "ms", "per_second"],
    )  # fmt: skip
    out.document(
        {
            "model": str(found.path),
            "data": {"name": dataset.scored.name, "images": len(dataset.scored)},
            "exports": [{**asdict(each), "path": str(each.path)} for each in results],
        }
    )
