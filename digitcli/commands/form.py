"""`digitcli form`: forms to read the fields of."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from digitcli.commands import options

app = typer.Typer(help="Describe a form, for predict --form.", no_args_is_help=True)


@app.command()
def draft(
    blank: Annotated[Path, typer.Argument(help="A picture of the empty form.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="TOML", help="Default: beside it, .toml.")
    ] = None,
    force: options.Force = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Find the boxes and rows of cells on a blank form, and write a file to correct.

    Beside it goes a copy of the blank with each of them and its name. Name the
    fields, leave out those that hold no number, and say what is known of each.

    [bold]Example[/bold]

      digitcli form draft blank.png
    """
    from digitcli.reading.draft import write_draft

    out = options.output("form draft", json, quiet, verbose, debug)
    written = write_draft(blank, output or blank.with_suffix(".toml"), force=force)
    rows = [[name, *each.box, each.cells] for name, each in written.fields.items()]
    out.table(["field", "left", "top", "width", "height", "cells"], rows)
    out.note(f"Wrote {written.path}, and {written.picture} to look at.")
    out.document(
        {
            "form": str(written.path),
            "picture": str(written.picture),
            "fields": [
                {"name": name, "box": list(each.box), "cells": each.cells}
                for name, each in written.fields.items()
            ],
        }
    )
