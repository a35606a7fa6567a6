"""Whether digitcli's dependencies can be had for each Python that it is for, without installing them."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

PYTHONS = ("3.12", "3.13", "3.14")

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
for python in PYTHONS:
    with tempfile.TemporaryDirectory() as folder:
        options = ["--dry-run", "--quiet", "--ignore-installed", "--only-binary=:all:", "--target", folder]
        command = [sys.executable, "-m", "pip", "install", *options, "--python-version", python]
        # pip holds markers against its own Python, so they are held against this one here.
        wanted = [each.partition(";") for each in project["dependencies"]]
        packages = [name for name, _, marker in wanted if not marker or python < "3.14"]
        done = subprocess.run([*command, *packages], stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"Python {python}: {done.stderr}")
    sys.stdout.write(f"Python {python}: {len(packages)} packages and what they need can be had.\n")
