"""`digitcli review`: a page to correct what was read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from digitcli.commands import options


def review(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What predict --save-digits kept.")],
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Make a page on which a key corrects each digit, the least sure first.

    The page lies in the folder and works from disk, without network. What it
    saves, labels.csv, belongs into the folder too; then the digits are data to
    train on.

    [bold]Example[/bold]

      digitcli predict --save-digits mine scans/

      digitcli review mine && xdg-open mine/review.html

      mv ~/Downloads/labels.csv mine/

      digitcli train --from bundled --data mine+mnist
    """
    from digitcli.review.page import write

    out = options.output("review", json, quiet, verbose, debug)
    page, digits, labelled = write(folder)
    out.note(f"Wrote {page}. Open it in a browser.")
    out.table(["page", "digits", "labelled"], [[page, digits, labelled]], right=["digits", "labelled"])
    out.document({"page": str(page), "digits": digits, "labelled": labelled})
