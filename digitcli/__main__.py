"""Starts digitcli, as `digitcli` and as `python -m digitcli`, in whatever state the process is.

Imports next to nothing before signals are heeded, so that Ctrl-C during the imports leaves no traceback.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Literal, TextIO


def main() -> None:
    """Entry point of the `digitcli` command."""
    _replace_closed_streams()
    _end_as_by_ctrl_c("SIGTERM", "SIGHUP")
    try:
        from digitcli import cli

        cli.main()
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        sys.exit(130)


def _replace_closed_streams() -> None:
    # Else their numbers would go to the files that are opened next, and with them what is printed.
    if sys.stdin is None:
        sys.stdin = _nowhere(os.O_RDONLY, "r")
    if sys.stdout is None:
        sys.stdout = _nowhere(os.O_RDONLY, "w")  # writing fails, so that no result is lost silently
    if sys.stderr is None:
        sys.stderr = _nowhere(os.O_WRONLY, "w")


def _nowhere(flags: int, mode: Literal["r", "w"]) -> TextIO:
    number = os.open(os.devnull, flags)
    os.set_inheritable(number, True)
    return open(number, mode, closefd=False)


def _end_as_by_ctrl_c(*names: str) -> None:
    """Makes signals raise KeyboardInterrupt, which cleans up. Ignored ones, as by nohup, stay so."""
    for name in names:
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)


if __name__ == "__main__":
    main()
