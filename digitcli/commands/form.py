"""`digitcli form`: forms to read the fields of."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from digitcli.commands import options
from digitcli.errors import ImageError

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
    from digitcli.images.decode import open_picture
    from digitcli.reading.annotate import Mark, save_annotated
    from digitcli.reading.draft import as_toml
    from digitcli.reading.draft import draft as find
    from digitcli.system.files import atomic_path, require_free

    out = options.output("form draft", json, quiet, verbose, debug)
    form = output or blank.with_suffix(".toml")
    copy = form.with_name(f"{form.stem}-fields.png")
    if not force:
        require_free(form)
        require_free(copy)
    image = open_picture(blank)
    fields = find(image)
    if not fields:
        raise ImageError(
            f"{blank}: no boxes were found on it. Write the form by hand, as docs/pictures.md says."
        )
    names = [f"field{number}" for number in range(1, len(fields) + 1)]
    beside = os.path.relpath(blank, form.parent)
    with atomic_path(form) as path:
        path.write_text(as_toml(fields, beside), encoding="utf-8")
    marks = [Mark(name, each.box) for name, each in zip(names, fields, strict=True)]
    save_annotated(image, marks, copy)
    rows = [[name, *each.box, each.cells] for name, each in zip(names, fields, strict=True)]
    out.table(["field", "left", "top", "width", "height", "cells"], rows)
    out.note(f"Wrote {form}, and {copy} to look at.")
    out.document(
        {
            "form": str(form),
            "picture": str(copy),
            "fields": [
                {"name": name, "box": list(each.box), "cells": each.cells}
                for name, each in zip(names, fields, strict=True)
            ],
        }
    )
