"""Fuzzes each target in a process of its own: `python tests/fuzz [--seconds 600] [TARGET ...]`.

Prints how many inputs were tried, the slowest one and the peak of memory. The exit code is 1 if a target
crashed, hung or took too much; the input that did it is kept in build/fuzz/TARGET.crash.
"""

from __future__ import annotations

import argparse
import json
import pkgutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
KEPT = Path("build/fuzz")
TARGETS = sorted(module.name for module in pkgutil.iter_modules([str(HERE / "targets")]))


def main() -> None:
    """As above."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("targets", nargs="*", choices=[*TARGETS, []], default=[])
    options = parser.parse_args()
    print(f"{'target':10} {'inputs':>10} {'slowest':>9} {'memory':>8}", flush=True)
    failed = False
    for name in options.targets or TARGETS:
        failed = not fuzz(name, options.seconds) or failed
    sys.exit(failed)


def fuzz(name: str, seconds: float) -> bool:
    """Whether all went well for so long."""
    with tempfile.TemporaryDirectory(prefix="digitcli-fuzz-") as folder:
        command = [sys.executable, HERE / "session.py", name, str(seconds), folder]
        try:
            done = subprocess.run(
                command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=seconds + 120
            )
            end = "\n".join(line for line in done.stdout.splitlines() if not line.startswith("INFO"))[-3000:]
        except subprocess.TimeoutExpired:
            end = "It hung."
        report = Path(folder, "report.json")
        if report.exists():
            figures = json.loads(report.read_text())
            print(
                f"{name:10} {figures['inputs']:10,} {figures['slowest']:7.2f} s {figures['peak'] >> 20:5} MB",
                flush=True,
            )
            return True
        KEPT.mkdir(parents=True, exist_ok=True)
        kept = KEPT / f"{name}.crash"
        last = Path(folder, "last").read_bytes() if Path(folder, "last").exists() else bytes(8)
        kept.write_bytes(last[8 : 8 + int.from_bytes(last[:8])])
        print(f"{name:10} failed on the input that is kept in {kept}:\n{end}", flush=True)
        return False


if __name__ == "__main__":
    main()
