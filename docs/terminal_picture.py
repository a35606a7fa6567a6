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

DOCS = Path(__file__).parent
COMMANDS = ("digitcli train", "digitcli predict examples", "digitcli evaluate")
WIDTH = 100
EPOCHS_SHOWN = 3


def run(command: str, folder: str) -> str:
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


def shorten(lines: list[str]) -> list[str]:
    """The first and last epochs only."""
    epochs = [number for number, line in enumerate(lines) if line.startswith("epoch ")]
    hidden = epochs[EPOCHS_SHOWN:-EPOCHS_SHOWN]
    return [*lines[: hidden[0]], "…", *lines[hidden[-1] + 1 :]] if hidden else lines


def main() -> None:
    """Runs the commands and draws."""
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "examples").symlink_to(DOCS.parent / "examples")
        for command in COMMANDS:
            console.print(f"[bold green]$[/] [bold]{command}[/]", highlight=False)
            for line in shorten(run(command, folder).splitlines()):
                console.print(Text.from_ansi(line), soft_wrap=True)
            console.print()
    console.save_svg(str(DOCS / "terminal.svg"), title="digitcli")


if __name__ == "__main__":
    main()
