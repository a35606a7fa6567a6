from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models

from digitcli import runs
from digitcli.data.digits import Digits


@pytest.fixture(scope="module")
def dot_reader(tensorflow: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LiteRT model that reads the digit n where pixel n of the top row is lit, rather sure of it."""
    import keras

    from digitcli.exporting.formats import tflite

    model = keras.Sequential(
        [keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
    )
    weights = np.zeros((784, 10), np.float32)
    weights[range(10), range(10)] = 5
    model.set_weights([weights, np.zeros(10, np.float32)])
    path = tmp_path_factory.mktemp("model") / "dots.tflite"
    tflite.write(tiny_models.material(model), path)
    return path


def dots(labels: list[int], lit: list[int]) -> tuple[np.ndarray, np.ndarray]:
    images = np.zeros((len(labels), 28, 28), np.uint8)
    images[np.arange(len(labels)), 0, lit] = 255
    return images, np.array(labels, np.uint8)


TRAIN = dots([1, 2, 3], [1, 2, 3])
TEST = dots([4, 4, 4, 9, 0], [4, 4, 9, 9, 0])


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Three training images, and five for the test of which a 4 is lit like a 9."""
    path = tmp_path / "dots.npz"
    np.savez(path, x_train=TRAIN[0], y_train=TRAIN[1], x_test=TEST[0], y_test=TEST[1])
    return path


def finished_run(
    dot_reader: Path, train: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray]
) -> Path:
    run = runs.RUNS / "dots"
    run.mkdir(parents=True)
    (run / runs.LITERT_MODEL).write_bytes(dot_reader.read_bytes())
    parts = {"train": {"sha256": Digits(*train, "").sha256}, "test": {"sha256": Digits(*test, "").sha256}}
    runs.write_record(run, {"schema": 1, "data": {"origin": "dots on paper", **parts}})
    return run


def test_tables_are_tab_separated_when_piped(
    digitcli: Callable[..., Any], dot_reader: Path, archive: Path
) -> None:
    result = digitcli("evaluate", dot_reader, "--data", archive)
    assert result.exit_code == 0
    measures, digits, confusion = (
        [line.split("\t") for line in table.splitlines()] for table in result.stdout.split("\n\n")
    )
    assert ["accuracy", "0.8000"] in measures
    assert ["images", "5"] in measures
    assert ["wrong", "1"] in measures
    assert digits[0] == ["digit", "precision", "recall", "f1", "support"]
    assert digits[1 + 4] == ["4", "1.0000", "0.6667", "0.8000", "3"]
    assert digits[1 + 7] == ["7", "", "", "", "0"]
    assert confusion[0] == ["true", *(f"read_{digit}" for digit in range(10))]
    assert confusion[1 + 4] == ["4", "0", "0", "0", "0", "2", "0", "0", "0", "0", "1"]


def test_a_terminal_gets_a_headline_and_the_shaded_confusion_matrix(
    digitcli: Callable[..., Any], dot_reader: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # which makes Rich take anything for a terminal
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    drawn = re.sub(r"\x1b\[[0-9;]*m", "", digitcli("evaluate", dot_reader, "--data", archive).stdout)
    assert "Accuracy 80.00%, 1 of 5 wrong" in drawn
    assert "│ 0.6667 │" in drawn
    assert drawn.splitlines()[-6].split() == ["4", *"····", "2", *"····", "1"]


def test_json_is_one_document_with_every_figure(
    digitcli: Callable[..., Any], dot_reader: Path, archive: Path
) -> None:
    result = digitcli("evaluate", "--model", dot_reader, "--data", archive, "--json")
    document = json.loads(result.stdout)
    assert document.pop("loss") == pytest.approx(0.06 + 5 / 5, abs=0.01), "five sure readings, one wrong"
    assert document.pop("images_per_second") > 0
    assert document.pop("confusion")[4] == [0, 0, 0, 0, 2, 0, 0, 0, 0, 1]
    digits = document.pop("digits")
    assert digits[7] == {"digit": 7, "precision": None, "recall": None, "f1": None, "support": 0}
    assert [scores["support"] for scores in digits] == [1, 0, 0, 0, 3, 0, 0, 0, 0, 1]
    assert document == {
        "schema": 1,
        "command": "evaluate",
        "model": {"path": str(dot_reader), "runtime": "LiteRT"},
        "data": {"name": f"{archive} (test)", "sha256": Digits(*TEST, "").sha256, "images": 5},
        "accuracy": 0.8,
        "calibration_error": pytest.approx(0.143, abs=0.001),  # 94 % sure, 80 % right
        "wrong": 1,
        "robustness": None,
        "report": None,
    }


def test_several_models_are_shown_side_by_side_against_the_first(
    digitcli: Callable[..., Any], dot_reader: Path, archive: Path
) -> None:
    words = ["evaluate", dot_reader, runs.BUNDLED, "--data", archive]
    scores, tests = (
        [line.split("\t") for line in table.splitlines()] for table in digitcli(*words).stdout.split("\n\n")
    )
    assert scores[0] == ["model", "accuracy", "95 % interval", "wrong", "loss", "kB", "images/s"]
    assert scores[1][:4] == [str(dot_reader), "80.00%", "37.55-96.38", "1"]
    assert tests[0] == ["against the first", "only first right", "only this right", "p"]
    document = json.loads(digitcli(*words, "--json").stdout)
    one, other = document["models"]
    assert one["against_first"] is None
    against = other["against_first"]
    assert against["only_first"] - against["only_second"] == other["wrong"] - one["wrong"]
    assert 0 < against["p"] <= 1
    (told,) = tests[1:]
    assert told == [
        str(runs.BUNDLED), str(against["only_first"]), str(against["only_second"]), f"{against['p']:.4f}",
    ]  # fmt: skip


def test_robustness_is_a_table_of_its_own(
    digitcli: Callable[..., Any], dot_reader: Path, archive: Path
) -> None:
    words = ["evaluate", dot_reader, "--data", archive, "--robustness"]
    table = digitcli(*words).stdout.split("\n\n")[-1].splitlines()
    assert table[0].split("\t") == ["distortion", "strength", "unit", "accuracy"]
    assert table[1].split("\t") == ["rotation", "0", "degrees", "0.8000"]
    (turned, *_) = json.loads(digitcli(*words, "--json").stdout)["robustness"]
    assert (turned["distortion"], turned["strengths"][0], turned["accuracies"][0]) == ("rotation", 0, 0.8)


@pytest.mark.parametrize("option", [["--report", "page"], ["--robustness"]])
def test_what_is_for_one_model_is_refused_for_several(
    digitcli: Callable[..., Any], dot_reader: Path, archive: Path, option: list[str]
) -> None:
    result = digitcli("evaluate", dot_reader, dot_reader, "--data", archive, *option)
    assert result.exit_code == 2
    assert "one model at a time" in result.stderr


def test_the_newest_run_is_scored_by_default_and_everything_used_is_told_on_stderr(
    digitcli: Callable[..., Any], dot_reader: Path, archive: Path
) -> None:
    run = finished_run(dot_reader, TRAIN, TEST)
    result = digitcli("evaluate", "--data", archive)
    assert result.exit_code == 0
    assert f"the newest run, {run}" in result.stderr
    assert "LiteRT" in result.stderr
    assert str(archive) in result.stderr
    assert "test part, 5 images" in result.stderr
    assert "other data" not in result.stderr


def test_views_are_averaged(digitcli: Callable[..., Any], dot_reader: Path, archive: Path) -> None:
    # A shifted view leaves a single dot partly between pixels, which makes the reader less sure.
    one, four = (
        json.loads(digitcli("evaluate", dot_reader, "--data", archive, "--json", *words).stdout)
        for words in ([], ["--views", "4"])
    )
    assert four["loss"] != one["loss"]
    refused = digitcli("evaluate", dot_reader, "--data", archive, "--views", "0")
    assert refused.exit_code == 2
    assert "At least one view" in refused.stderr


def test_quiet_leaves_only_the_tables(digitcli: Callable[..., Any], dot_reader: Path, archive: Path) -> None:
    result = digitcli("evaluate", dot_reader, "--data", archive, "--quiet")
    assert result.stderr == ""
    assert "accuracy" in result.stdout


def test_data_other_than_that_of_the_training_is_told(
    digitcli: Callable[..., Any], dot_reader: Path, archive: Path
) -> None:
    finished_run(dot_reader, dots([5], [5]), dots([6], [6]))
    assert "trained on other data: dots on paper" in digitcli("evaluate", "--data", archive).stderr


@pytest.mark.parametrize("data", [None, [], {}, {"origin": "", "train": 3, "test": None}])
def test_a_run_that_does_not_say_what_it_was_trained_on_is_damaged(
    digitcli: Callable[..., Any], dot_reader: Path, archive: Path, data: object
) -> None:
    run = finished_run(dot_reader, TRAIN, TEST)
    runs.write_record(run, {"schema": 1, "data": data})
    result = digitcli("evaluate", "--data", archive)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith(f"Error: {run / 'run.json'} is damaged")


def test_scoring_the_training_images_is_warned_of(
    digitcli: Callable[..., Any], dot_reader: Path, tmp_path: Path
) -> None:
    finished_run(dot_reader, TRAIN, TEST)
    np.savez(tmp_path / "same.npz", x_train=TRAIN[0], y_train=TRAIN[1])
    result = digitcli("evaluate", "--data", tmp_path / "same.npz", "--quiet")
    assert "trained on these very images" in result.stderr


def test_data_without_a_test_part_is_scored_whole_and_said_so(
    digitcli: Callable[..., Any], dot_reader: Path, tmp_path: Path
) -> None:
    np.savez(tmp_path / "one.npz", x_train=TRAIN[0], y_train=TRAIN[1])
    result = digitcli("evaluate", dot_reader, "--data", tmp_path / "one.npz")
    assert "no test part, so all 3 images" in result.stderr
    assert "accuracy\t1.0000" in result.stdout


def test_a_litert_model_is_scored_without_tensorflow(dot_reader: Path, archive: Path) -> None:
    code = """
import sys
from digitcli.cli import app
try:
    app(sys.argv[1:])
except SystemExit as done:
    assert not done.code, done.code
loaded = {name.split(".")[0] for name in sys.modules} & {"tensorflow", "keras", "matplotlib"}
assert not loaded, loaded
"""
    command = [sys.executable, "-c", code, "evaluate", str(dot_reader), "--data", str(archive)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "accuracy\t0.8000" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (("absent.tflite",), 1, "absent.tflite"),
        (("empty",), 1, "empty"),
        (("note.txt",), 1, "note.txt"),
        (("a", "--model", "b"), 2, "Two models"),
        (("--no-such-option",), 2, "--no-such-option"),
    ],
)
def test_a_wrong_model_is_one_clear_line(
    digitcli: Callable[..., Any], archive: Path, arguments: tuple[str, ...], exit_code: int, message: str
) -> None:
    Path("empty").mkdir()
    Path("note.txt").write_text("not a model")
    result = digitcli("evaluate", *arguments, "--data", archive)
    assert result.exit_code == exit_code
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert message in result.stderr
    assert len(result.stderr.splitlines()) <= 2


def test_absent_data_is_one_clear_line_and_a_document_with_json(
    digitcli: Callable[..., Any], dot_reader: Path
) -> None:
    result = digitcli("evaluate", dot_reader, "--data", "absent.npz", "--json")
    assert result.exit_code == 1
    assert "absent.npz" in result.stderr
    error = json.loads(result.stdout)["error"]
    assert error["kind"] == "DataError"
    assert "absent.npz" in error["message"]


def test_without_any_run_the_bundled_model_is_scored_and_said_so(
    digitcli: Callable[..., Any], archive: Path
) -> None:
    result = digitcli("evaluate", "--data", archive)
    assert result.exit_code == 0
    assert result.stderr.startswith("Model: the one that comes with digitcli")
