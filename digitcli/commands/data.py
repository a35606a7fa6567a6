"""`digitcli data`: where the data set is, and getting, checking and converting it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from digitcli.commands import options
from digitcli.data import formats

app = typer.Typer(
    help="Find, download, check and convert the data set.", no_args_is_help=True, rich_markup_mode="rich"
)


@app.command()
def status(
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Show where MNIST is looked for and what is there.

    The first place that has it is used. DIGITCLI_DATA may name a folder or file of your own.

    [bold]Example[/bold]

      digitcli data status
    """
    from digitcli.data import download, load

    out = options.output("data status", json, quiet, verbose, debug)
    places = load.places()
    used = next((place for place in places if place.found), None)
    out.document(
        {
            "places": [
                {
                    "name": place.name,
                    "path": str(place.path) if place.path else None,
                    "found": str(place.found) if place.found else None,
                    "state": place.state,
                    "used": place is used,
                }
                for place in places
            ],
            "mirrors": list(download.mirrors()),
        }
    )
    out.table(
        ["place", "path", "state", "used"],
        (
            [place.name, place.found or place.path, place.state, "yes" if place is used else ""]
            for place in places
        ),
        title="MNIST",
    )
    if used is None:
        out.note("MNIST would be downloaded when it is first needed. Do it now: digitcli data fetch")


@app.command()
def fetch(
    to: Annotated[
        Path | None, typer.Option("--to", metavar="DIR", help="The folder. Default: the user's cache.")
    ] = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Download MNIST: 11 MB, resumed if cut off, and checked by SHA-256.

    DIGITCLI_MIRROR may name the URL of a folder to download from instead of the known mirrors.

    [bold]Example[/bold]

      digitcli data fetch --to MNIST
    """
    from digitcli.data import download, load

    out = options.output("data fetch", json, quiet, verbose, debug)
    folder = to or load.cache_folder()
    with out.progress("Downloading MNIST", unit="B") as progress:
        files = download.fetch(folder, progress, out.note)
    out.document(
        {
            "folder": str(folder),
            "files": [{"path": str(file.path), "mirror": file.mirror} for file in files],
        }
    )
    out.table(["file", "from"], ([file.path, file.mirror or "was here already"] for file in files))
    out.note("All files are genuine.")


@app.command()
def verify(
    path: Annotated[
        Path | None, typer.Argument(help="A data set. Default: the MNIST that would be used.")
    ] = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Read a whole data set and compare it with MNIST, whatever its format.

    Exit code 1 if it is damaged; a sound data set that is not MNIST is no error.

    [bold]Example[/bold]

      digitcli data verify digits.npz
    """
    from digitcli.data import load, mnist

    out = options.output("data verify", json, quiet, verbose, debug)
    with out.progress("Reading data", unit="B") as progress:
        dataset, comparison = load.verify(path, progress)
    genuine = {
        name: None if value is None else value == mnist.SHA256[name]
        for name, value in comparison.sha256.items()
    }
    out.document(
        {
            "origin": dataset.origin,
            "train": len(dataset.train) if dataset.train else 0,
            "test": len(dataset.test) if dataset.test else 0,
            "verdict": comparison.describe(),
            "genuine": comparison.is_genuine,
            "damaged": comparison.is_damaged,
            "files": [
                {"name": name, "sha256": value, "genuine": genuine[name]}
                for name, value in comparison.sha256.items()
            ],
        }
    )
    words = {None: "missing", True: "genuine", False: "differs"}
    out.table(
        ["content of", "compared with MNIST", "sha256"],
        ([name, words[genuine[name]], value] for name, value in comparison.sha256.items()),
        title=dataset.origin,
    )
    out.note(f"{dataset.origin}: {comparison.describe()}.")
    if comparison.is_damaged:
        raise typer.Exit(1)


@app.command()
def convert(
    source: Annotated[str, typer.Argument(help="mnist, synthetic, or the path of a data set.")],
    target: Annotated[Path, typer.Argument(help="The file (npz) or folder (all others) to write.")],
    format_name: Annotated[
        str, typer.Option("--format", "-f", metavar="NAME", help=f"One of: {', '.join(formats.names())}.")
    ],
    force: options.Force = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Write a data set in another format.

    [bold]Examples[/bold]

      digitcli data convert mnist csv-files --format csv

      digitcli data convert csv-files mnist.npz --format npz
    """
    from digitcli.data import load

    out = options.output("data convert", json, quiet, verbose, debug)
    with out.progress("Reading data", unit="B") as progress:
        dataset = load.convert(
            source, target, format_name, force=force, on_progress=progress, on_note=out.note
        )
    counts = {
        "train": len(dataset.train) if dataset.train else 0,
        "test": len(dataset.test) if dataset.test else 0,
    }
    out.document({"source": dataset.origin, "target": str(target), "format": format_name, "images": counts})
    out.note(f"Data: {dataset.origin}")
    out.table(
        ["target", "format", "training images", "test images"],
        [[target, format_name, counts["train"], counts["test"]]],
        right=["training images", "test images"],
    )
