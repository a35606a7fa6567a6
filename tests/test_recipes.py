"""Every recipe of the pages that are made of recipes is run as it stands there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from digitcli.data import formats, synthetic
from digitcli.data.digits import DataSet

ROOT = Path(__file__).parents[1]


def recipes(page: str) -> list[str]:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return re.findall(r"```sh\n(.*?)```", text, re.DOTALL)


def named(recipe: str) -> str:
    return recipe.split("\n")[0][:60]


SHELL = recipes("shell.md")
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


def run(recipe: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    missing = [tool for tool in TOOLS if f"{tool} " in recipe and not shutil.which(tool)]
    if missing and not os.environ.get("CI"):
        pytest.skip(f"needs {missing[0]}")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "HOME": str(folder), **variables}
    return subprocess.run(
        ["bash", "-euc", recipe], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("recipe", SHELL, ids=named)
def test_shell(recipe: str, folder: Path) -> None:
    done = run(recipe, folder)
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
    assert all(any(f"{tool} " in recipe for recipe in SHELL) for tool in TOOLS)


@pytest.mark.parametrize("recipe", recipes("forms.md"), ids=named)
def test_forms(recipe: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples" / "form", tmp_path, dirs_exist_ok=True)
    (tmp_path / "sheets").mkdir()
    sheet = Image.open(tmp_path / "filled.jpg")
    struck = sheet.copy()
    ImageDraw.Draw(struck).line((420, 500, 560, 465), (30, 40, 130), 6)  # its quantity
    sheet.save(tmp_path / "sheets" / "three.tif", save_all=True, append_images=[sheet.rotate(3), struck])
    meter = Image.new("L", (400, 200), 240)
    ImageDraw.Draw(meter).text((140, 80), "120", 30, ImageFont.load_default(56))
    meter.save(tmp_path / "meter.jpg")
    done = run(recipe, tmp_path)
    assert done.returncode == 0, done.stderr
    target = re.search(r"--output ([\w.-]+)", recipe)
    told = (tmp_path / target[1]).read_text() if target else done.stdout
    # A field, the struck quantity that is told as unsure (whatever is read of it), or the box of a field.
    assert any(each in told for each in ("8061975", "120", "three.tif[3]\tquantity", "361\t141\t419\t71"))


def test_learning(folder: Path) -> None:
    """The page's recipes, one after the other, on what the page of the browser would have saved."""
    (folder / "Downloads").mkdir()
    rows = [f"{number:06}.png,{number % 10}" for number in range(1, 9)]
    (folder / "Downloads" / "labels.csv").write_text("\n".join(["file,label", *rows, ""]))
    (folder / "labels-of-others.csv").write_text("path,text\nscans/1.png,1\nscans/2.png,2\n")
    (folder / "scans" / "broken.jpg").unlink()
    data = folder / "mnist"
    formats.get("idx").write(formats.get("npz").read(folder / "digits.npz", lambda done, total: None), data)
    for recipe in recipes("learning.md"):
        done = run(recipe, folder, DIGITCLI_DATA=str(data))
        assert done.returncode in (0, 1), done.stderr  # some of the pictures hold no digit
        assert "rror" not in done.stderr
    assert (folder / "my-hand" / "model.tflite").exists()
    assert (folder / "mine" / "review.html").exists()
