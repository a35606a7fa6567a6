from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models
from PIL import Image, ImageDraw

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A .tflite that was never trained: what it reads is of no matter here."""
    return tiny_models.write_tflite(tmp_path_factory.mktemp("model") / "m.tflite")


@pytest.fixture
def pictures() -> None:
    """one.png, seven.jpg and blank.png in the current folder, which is empty otherwise."""
    for name, line in (("one.png", [(20, 5), (20, 35)]), ("seven.jpg", [(8, 5), (32, 5), (18, 35)])):
        image = Image.new("L", (40, 40), 255)
        ImageDraw.Draw(image).line(line, fill=0, width=4)
        image.save(name)
    Image.new("L", (40, 40), 255).save("blank.png")


@pytest.fixture
def broken(pictures: None) -> str:
    Path("broken.png").write_bytes(Path("one.png").read_bytes()[:60])
    return "broken.png"


def rows(text: str) -> list[list[str]]:
    return [line.split("\t") for line in text.splitlines()]


@pytest.mark.usefixtures("pictures")
def test_piped_results_are_tab_separated_with_a_header(digitcli: Run, model: Path) -> None:
    result = digitcli("predict", "one.png", "seven.jpg", "--model", model)
    assert result.exit_code == 0
    header, one, seven = rows(result.stdout)
    assert header == ["path", "digit", "confidence", "note"]
    assert (one[0], seven[0]) == ("one.png", "seven.jpg")
    assert one[1] in "0123456789"
    assert 0 < float(one[2]) <= 1


@pytest.mark.usefixtures("pictures")
def test_the_model_used_is_said_on_stderr(digitcli: Run, model: Path) -> None:
    assert f"Model: {model}, through LiteRT." in digitcli("predict", "one.png", "-m", model).stderr
    assert digitcli("predict", "one.png", "-m", model, "--quiet").stderr == ""


@pytest.mark.usefixtures("pictures")
def test_plain_has_no_header(digitcli: Run, model: Path) -> None:
    result = digitcli("predict", "one.png", "-m", model, "--format", "plain")
    assert [row[0] for row in rows(result.stdout)] == ["one.png"]


def test_csv_quotes_what_needs_it(digitcli: Run, model: Path, pictures: None) -> None:
    Path("one.png").rename('a, "b".png')
    result = digitcli("predict", 'a, "b".png', "-m", model, "--format", "csv", "--top-k", 2)
    header, row = csv.reader(io.StringIO(result.stdout))
    assert header == ["path", "digit", "confidence", "top", "note"]
    assert row[0] == 'a, "b".png'
    first, second = row[3].split(" ")
    assert first.startswith(f"{row[1]}:")
    assert float(second.split(":")[1]) <= float(row[2])


@pytest.mark.parametrize("words", [["--json"], ["--format", "json"]])
def test_json_is_one_document(digitcli: Run, model: Path, broken: str, words: list[str]) -> None:
    result = digitcli("predict", "one.png", broken, "blank.png", "-m", model, "-k", 2, *words)
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    one = document["results"][0]
    assert document == {
        "schema": 1,
        "command": "predict",
        "model": {"path": str(model), "runtime": "LiteRT"},
        "results": [
            {
                "path": "one.png",
                "digit": one["top"][0]["digit"],
                "confidence": one["top"][0]["probability"],
                "top": one["top"],
                "reason": None,
                "error": None,
            },
            {
                "path": "broken.png",
                "digit": None,
                "confidence": None,
                "top": [],
                "reason": None,
                "error": document["results"][1]["error"],
            },
            {
                "path": "blank.png",
                "digit": None,
                "confidence": None,
                "top": [],
                "reason": "no ink",
                "error": None,
            },
        ],
    }
    assert len(one["top"]) == 2
    assert "broken.png is damaged" in document["results"][1]["error"]


@pytest.mark.usefixtures("pictures")
def test_jsonl_has_one_object_per_line(digitcli: Run, model: Path) -> None:
    result = digitcli("predict", ".", "-m", model, "--format", "jsonl")
    read = [json.loads(line) for line in result.stdout.splitlines()]
    assert [each["path"] for each in read] == ["./blank.png", "./one.png", "./seven.jpg"]


def test_a_broken_picture_fails_at_the_end_and_the_others_are_read(
    digitcli: Run, model: Path, broken: str
) -> None:
    result = digitcli("predict", broken, "one.png", "gone.png", "-m", model)
    assert result.exit_code == 1
    _, first, second, third = rows(result.stdout)
    assert first[1] == ""
    assert "damaged" in first[3]
    assert second[1] != ""
    assert third[3] == "gone.png: no such file."
    assert "2 of 3 pictures could not be read" in result.stderr


@pytest.mark.usefixtures("pictures")
def test_a_blank_picture_is_no_failure(digitcli: Run, model: Path) -> None:
    result = digitcli("predict", "blank.png", "-m", model)
    assert result.exit_code == 0
    assert rows(result.stdout)[1] == ["blank.png", "", "", "no ink"]


@pytest.mark.usefixtures("pictures")
def test_an_unsure_model_gives_no_digit(digitcli: Run, model: Path) -> None:
    result = digitcli("predict", "one.png", "-m", model, "--min-confidence", 1)
    assert result.exit_code == 0
    _, row = rows(result.stdout)
    assert row[1] == ""
    assert row[3].startswith("not sure enough (")


@pytest.mark.usefixtures("pictures")
def test_stdin_takes_paths_or_a_picture(digitcli: Run, model: Path) -> None:
    listed = digitcli("predict", "-", "-m", model, input="one.png\nseven.jpg\n")
    assert [row[0] for row in rows(listed.stdout)] == ["path", "one.png", "seven.jpg"]
    piped = digitcli("predict", "-", "-m", model, input=Path("one.png").read_bytes())
    assert rows(piped.stdout)[1][0] == "-"
    assert rows(piped.stdout)[1][1:] == rows(listed.stdout)[1][1:]


def test_a_folder_without_pictures_is_an_error(digitcli: Run, model: Path) -> None:
    Path("empty").mkdir()
    result = digitcli("predict", "empty", "-m", model, "--json")
    assert result.exit_code == 1
    assert "No pictures in empty" in result.stderr
    assert json.loads(result.stdout)["error"]["kind"] == "ImageError"


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["a.png", "--format", "xml"],
        ["a.png", "--top-k", "11"],
        ["a.png", "--min-confidence", "1.5"],
        ["a.png", "--json", "--format", "csv"],
    ],
)
def test_wrong_usage_has_exit_code_2(digitcli: Run, words: list[str]) -> None:
    assert digitcli("predict", *words).exit_code == 2


@pytest.mark.usefixtures("pictures")
def test_without_a_model_it_says_how_to_get_one(digitcli: Run) -> None:
    result = digitcli("predict", "one.png", "--model", "nowhere.tflite")
    assert result.exit_code == 1
    assert "nowhere.tflite" in result.stderr


@pytest.mark.usefixtures("pictures")
def test_predicting_imports_neither_tensorflow_nor_keras(model: Path) -> None:
    program = (
        "import sys\n"
        "from digitcli.cli import app\n"
        "try: app()\n"
        "except SystemExit as end: code = end.code\n"
        "print(code, sorted({'tensorflow', 'keras', 'matplotlib', 'polars'} & set(sys.modules)))\n"
    )
    words = ["predict", "one.png", "-m", str(model)]
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 []"


def test_every_example_can_be_read() -> None:
    from digitcli.images.decode import open_picture
    from digitcli.images.preprocess import to_mnist

    examples = Path(__file__).parent.parent / "examples"
    paths = [path for path in sorted(examples.iterdir()) if path.suffix in (".png", ".jpg")]
    assert {path.name[0] for path in paths} == set("0123456789")
    for path in paths:
        assert np.count_nonzero(to_mnist(open_picture(path))) > 20
    assert sum(path.stat().st_size for path in paths) < 300_000
