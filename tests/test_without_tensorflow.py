"""Where TensorFlow is not installed all but training and exporting works, and those say what to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from digitcli.data import formats, synthetic
from digitcli.data.digits import DataSet

EXAMPLES = Path(__file__).parents[1] / "examples"
BLOCKED = Path(__file__).parent / "without_tensorflow"
SEVEN = EXAMPLES / "7-screen.png"

Done = subprocess.CompletedProcess[str]
Command = Callable[..., Done]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs `digitcli WORDS...` in a Python that has no TensorFlow. before: code that runs before it."""
    monkeypatch.setenv("PYTHONPATH", str(BLOCKED), prepend=os.pathsep)

    def run(*words: object, before: str = "") -> Done:
        program = [sys.executable, "-c", f"{before}\nfrom digitcli.__main__ import main; main()"]
        return subprocess.run([*program, *map(str, words)], capture_output=True, text=True, check=False)

    return run


@pytest.fixture
def data() -> Path:
    """Sixty synthetic digits in a file."""
    path = Path("few.npz")
    formats.get("npz").write(DataSet(synthetic.generate(20), synthetic.generate(40, seed=1), "few"), path)
    return path


def test_pictures_and_forms_are_read(command: Command) -> None:
    read = command("predict", SEVEN)
    assert (read.returncode, read.stdout.splitlines()[1].split("\t")[1]) == (0, "7"), read.stderr
    form = command("predict", EXAMPLES / "form" / "filled.jpg", "--form", EXAMPLES / "form" / "form.toml")
    assert form.returncode == 0, form.stderr


def test_the_bundled_model_is_scored(command: Command, data: Path) -> None:
    scored = command("evaluate", "--data", data, "--report", "page", "--robustness", "--json")
    assert scored.returncode == 0, scored.stderr
    assert json.loads(scored.stdout)["accuracy"] > 0.5
    assert Path("page/report.html").exists()


def test_what_was_read_is_reviewed(command: Command) -> None:
    assert command("predict", SEVEN, "--save-digits", "mine").returncode == 0
    reviewed = command("review", "mine")
    assert (reviewed.returncode, Path("mine/review.html").exists()) == (0, True), reviewed.stderr


def test_data_are_converted_and_forms_drafted(command: Command, data: Path) -> None:
    converted = command("data", "convert", data, "few.csv", "--format", "csv")
    assert converted.returncode == 0, converted.stderr
    drafted = command("form", "draft", EXAMPLES / "form" / "blank.png", "--output", "form.toml")
    assert (drafted.returncode, Path("form.toml").exists()) == (0, True), drafted.stderr


def test_the_doctor_tells_that_it_is_missing(command: Command) -> None:
    assert json.loads(command("doctor", "--json").stdout)["versions"]["tensorflow"] is None


@pytest.mark.parametrize("name", ["train", "export"])
@pytest.mark.parametrize(
    ("before", "line"),
    [
        ("", "Error: TensorFlow is not installed. Install it with: pip install 'tensorflow'"),
        (
            "import sys\n"
            "from digitcli.system import tensorflow_setup\n"
            "tensorflow_setup.UNSUPPORTED = sys.version_info[:2]",
            "Error: TensorFlow has no release for Python {}.{}. To train and to export, install digitcli for "
            "Python 3.11, 3.12 or 3.13; all else works here.".format(*sys.version_info),
        ),
    ],
    ids=["not installed", "no release"],
)
def test_training_and_exporting_say_in_one_line_what_to_do(
    command: Command, data: Path, name: str, before: str, line: str
) -> None:
    refused = command(name, "--data", data, before=before)
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1] == line
