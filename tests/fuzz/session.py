"""One target, fuzzed for some time in this process: `python session.py TARGET SECONDS FOLDER`.

Inputs come from atheris, which follows the coverage, if it is installed, else from `mutations`. FOLDER gets
`last`, the input that is being tried, and at the end `report.json`; without that, `last` ended the process.
"""

from __future__ import annotations

import importlib
import json
import mmap
import os
import resource
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

sys.path.insert(0, str(Path(__file__).parents[1]))

from fuzz.mutations import LONGEST, mutated

BOUND = 512 * 2**20
"""Bytes of memory that may be taken, with all that is imported."""

TOO_LONG = 2.5
"""Seconds of computing on one input; limits on pictures are at 2."""

COVERED = ("digitcli", "PIL", "zipfile", "tarfile", "gzip", "csv", "json", "numpy.lib")


class Session:
    """Gives inputs to a target until the time is over, and then ends the process."""

    def __init__(self, target: ModuleType, seconds: float, folder: Path) -> None:
        self._read: Callable[[bytes], None] = target.read
        self._end = time.monotonic() + seconds
        self._folder = folder
        self._inputs = 0
        self._slowest = 0.0
        self._peak, self._before = _memory()
        self._at_first, self._most = self._before, 0
        with (folder / "last").open("w+b") as file:
            file.truncate(8 + LONGEST)
            self._last = mmap.mmap(file.fileno(), 0)  # so that it is there whatever happens to the process

    def try_input(self, content: bytes) -> None:
        """Raises whatever the target lets through, and AssertionError if it costs too much."""
        self._last[: 8 + len(content)] = len(content).to_bytes(8) + content
        started = time.thread_time()
        self._read(content)
        took = time.thread_time() - started
        self._inputs += 1
        self._slowest = max(self._slowest, took)
        assert took < TOO_LONG, f"it took {took:.1f} s"
        # What was taken beyond what was there: the fuzzer itself keeps more and more.
        peak, now = _memory()
        if peak > self._peak:
            self._most = max(self._most, self._at_first + peak - self._before)
        self._peak, self._before = peak, now
        assert self._most < BOUND, f"it took {self._most // 2**20} MB"
        if time.monotonic() > self._end:
            report = {"inputs": self._inputs, "slowest": self._slowest, "peak": self._most or self._peak}
            (self._folder / "report.json").write_text(json.dumps(report))
            sys.stderr.flush()
            os._exit(0)  # which atheris leaves no other way to


def main() -> None:
    """As above."""
    name, seconds, folder = sys.argv[1:]
    Path(folder).mkdir(parents=True, exist_ok=True)
    if find_spec("atheris"):
        import atheris

        with atheris.instrument_imports(include=list(COVERED)):
            target = importlib.import_module(f"fuzz.targets.{name}")
        session = Session(target, float(seconds), Path(folder))
        corpus = Path(folder, "corpus")
        corpus.mkdir(exist_ok=True)
        for number, seed in enumerate(target.seeds()):
            (corpus / f"seed-{number}").write_bytes(seed)
        options = [
            "-timeout=30",
            "-rss_limit_mb=0",
            f"-max_len={LONGEST}",
            "-verbosity=0",
            "-print_final_stats=0",
        ]
        atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={folder}/", str(corpus)], session.try_input)
        atheris.Fuzz()
    else:
        target = importlib.import_module(f"fuzz.targets.{name}")
        session = Session(target, float(seconds), Path(folder))
        for content in mutated(target.seeds()):
            session.try_input(content)


def _memory() -> tuple[int, int]:
    """Bytes of memory that this process has taken at most, and has now."""
    if sys.platform == "linux":  # where rusage begins with the peak of the process that started this one
        status = Path("/proc/self/status").read_text()
        peak, now = (int(status.partition(f"{name}:")[2].split()[0]) * 1024 for name in ("VmHWM", "VmRSS"))
        return peak, now
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return peak, peak


if __name__ == "__main__":
    main()
