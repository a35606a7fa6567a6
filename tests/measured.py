"""A command in a process of its own, with what it cost."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

BOUND = 512 * 2**20
"""Bytes of memory that no file from a stranger may take."""


_BETWEEN = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], timeout=60)
print("", done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
"""


@dataclass(frozen=True)
class Measured:
    """What a process left behind. peak: bytes of memory that it took, at most."""

    exit_code: int
    stdout: str
    stderr: str
    peak: int


def digitcli(*words: object) -> Measured:
    """Runs `digitcli WORDS...`."""
    return python("-m", "digitcli", *words)


def python(*words: object) -> Measured:
    """Runs `python WORDS...`. It is killed if it hangs."""
    # Another process between, since one begins with the peak of the one that starts it.
    command = [sys.executable, "-c", _BETWEEN, sys.executable, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    stderr, exit_code, peak = done.stderr.rsplit(" ", 2)
    return Measured(
        int(exit_code), done.stdout, stderr, int(peak) * (1 if sys.platform == "darwin" else 1024)
    )
