"""Every recipe of docs/shell.md is run as it stands there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from digitcli.data import formats, synthetic
from digitcli.data.digits import DataSet

PAGE = Path(__file__).parents[1] / "docs" / "shell.md"
RECIPES = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
TOOLS = ("jq", "parallel", "xargs")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve pictures in scans/, of which one is blank and one is broken, and a data set."""
    scans = tmp_path / "scans"
    scans.mkdir()
    digits = synthetic.generate(1300, seed=6)
    for n in range(11):
        image = Image.fromarray(255 - digits.images[n]) if n else Image.new("L", (28, 28), 255)
        image.resize((84, 84)).save(scans / f"{n}.png")
        os.utime(scans / f"{n}.png", (n, n))
    (scans / "broken.jpg").write_bytes(b"no picture")
    data = DataSet(digits.take(slice(1000)), digits.take(slice(1000, 1300)), "few")
    formats.get("npz").write(data, tmp_path / "digits.npz")
    return tmp_path


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.split("\n")[0][:60])
def test_recipe(recipe: str, folder: Path) -> None:
    missing = [tool for tool in TOOLS if f"{tool} " in recipe and not shutil.which(tool)]
    if missing and not os.environ.get("CI"):
        pytest.skip(f"needs {missing[0]}")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "HOME": str(folder)}
    done = subprocess.run(
        ["bash", "-euc", recipe], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    # A recipe may end with 1 where it reads the broken picture, but for no other reason.
    told = done.stderr.strip().splitlines()
    told_of_broken = any(word in done.stdout + done.stderr for word in ("broken.jpg", "1 of 12 pictures"))
    assert done.returncode == 0 or (done.returncode in (1, 123) and told_of_broken), told
    assert not [line for line in told if "rror" in line and "broken.jpg" not in line], told
    target = re.search(r"(?:> |--output )([\w.-]+\.(?:csv|jsonl|txt))", recipe)
    if target:
        assert (folder / target[1]).stat().st_size > 0
    else:
        assert done.stdout or (folder / "sorted").exists()


def test_the_page_has_a_recipe_for_each_tool() -> None:
    assert all(any(f"{tool} " in recipe for recipe in RECIPES) for tool in TOOLS)
