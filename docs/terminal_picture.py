"""Draws docs/terminal.svg, the README's picture, from what the commands really print.

python docs/terminal_picture.py        (needs MNIST within reach; trains for some minutes)
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

from digitcli.data.load import places

DOCS = Path(__file__).parent
COMMANDS = ("digitcli predict examples", "digitcli evaluate", "digitcli train --preset mlp-512")
WIDTH = 100


def prepare(folder: Path) -> None:
    """The examples and MNIST where a user would have them, so that no path of this machine is shown."""
    mnist = next(place.found for place in places() if place.found)
    (folder / "MNIST").mkdir(parents=True, exist_ok=True)
    (folder / "examples").symlink_to(DOCS.parent.resolve() / "examples")
    for file in mnist.iterdir():
        (folder / "MNIST" / file.name).symlink_to(file.resolve())


def run(command: str, folder: Path) -> str:
    """What a terminal shows of a command, progress bars left out."""
    # Rich draws tables and colours as on a terminal, but nothing that moves.
    terminal = {"FORCE_COLOR": "1", "TTY_INTERACTIVE": "0", "COLUMNS": str(WIDTH), "TERM": "xterm-256color"}
    result = subprocess.run(
        [sys.executable, "-m", *command.split()],
        cwd=folder,
        env={**os.environ, **terminal},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    return result.stdout


def main() -> None:
    """Runs the commands and draws."""
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        for command in COMMANDS:
            console.print(f"[bold green]$[/] [bold]{command}[/]", highlight=False)
            for line in run(command, Path(folder)).splitlines():
                console.print(Text.from_ansi(line), soft_wrap=True)
            console.print()
    console.save_svg(str(DOCS / "terminal.svg"), title="digitcli")


if __name__ == "__main__":
    main()
