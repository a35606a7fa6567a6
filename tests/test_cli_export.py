from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny_models

from digitcli import classifiers, exporting
from digitcli.data import synthetic
from digitcli.exporting.formats import tflite

Cli = Callable[..., Any]


@pytest.fixture(autouse=True)
def _few_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """What --data synthetic is here."""
    monkeypatch.setattr(synthetic, "generate", tiny_models.draw_once)
    monkeypatch.setattr(synthetic, "dataset", lambda: tiny_models.DATA)


@pytest.fixture
def digitcli(digitcli: Cli) -> Cli:
    """`digitcli`, but `digitcli export` looks for no data beyond a few digits."""

    def run(*args: object) -> Any:
        return digitcli(*args, *([] if "--help" in args else ["--data", "synthetic"]))

    return run


@pytest.fixture(scope="session")
def keras_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cli_export") / "model.keras"
    tiny_models.keras_model((784,), activation=None).save(path)
    return path


@pytest.fixture
def run(keras_file: Path) -> Path:
    """A finished run in the current folder."""
    folder = Path("MNIST/runs/mlp-lr0.1-e2")
    folder.mkdir(parents=True)
    (folder / "model.keras").write_bytes(keras_file.read_bytes())
    (folder / "run.json").write_text("{}")
    return folder


def test_the_newest_run_is_exported_under_its_name(digitcli: Cli, run: Path) -> None:
    result = digitcli("export", "--format", "keras")
    assert (result.exit_code, f"the newest run, {run}" in result.stderr) == (0, True)
    header, row = (line.split("\t") for line in result.stdout.splitlines())
    shown = dict(zip(header, row, strict=True))
    exported = Path("mlp-lr0.1-e2.keras")
    assert shown["path"] == str(exported)
    assert shown["bytes"] == str(exported.stat().st_size)
    assert shown["same"] == "1000"


def test_json_holds_size_runtime_and_parity(digitcli: Cli, keras_file: Path) -> None:
    result = digitcli("export", keras_file, "-f", "tflite", "-o", "out/m.tflite", "--json", "--quiet")
    document = json.loads(result.stdout)
    (export,) = document.pop("exports")
    assert document == {
        "schema": 1,
        "command": "export",
        "model": str(keras_file),
        "data": {"name": document["data"]["name"], "images": 20},
    }
    assert export.pop("parity").pop("largest_difference") <= 1e-4
    assert export.pop("milliseconds") > 0
    assert export.pop("images_per_second") > 0
    assert 0 <= export.pop("accuracy") <= 1
    assert export == {
        "path": "out/m.tflite",
        "format": "tflite",
        "runtime": "LiteRT",
        "bytes": Path("out/m.tflite").stat().st_size,
    }
    assert (result.exit_code, result.stderr) == (0, "")


def test_inside_a_run_its_folder_gives_the_name(
    digitcli: Cli, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(run)
    assert digitcli("export", ".", "--format", "keras").exit_code == 0
    assert Path("mlp-lr0.1-e2.keras").exists()


def test_the_default_name_ends_as_the_format_does(digitcli: Cli, keras_file: Path) -> None:
    assert digitcli("export", "--model", keras_file).exit_code == 0
    assert classifiers.load(Path("model.savedmodel")).runtime == "TensorFlow"


def test_what_exists_needs_force(digitcli: Cli, keras_file: Path) -> None:
    Path("model.keras").write_text("mine")
    refused = digitcli("export", keras_file, "--format", "keras")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr.endswith(
        "model.keras exists already. Choose another name, or overwrite it with --force.\n"
    )
    assert Path("model.keras").read_text() == "mine"
    assert digitcli("export", keras_file, "--format", "keras", "--force").exit_code == 0
    assert Path("model.keras").read_bytes()[:2] == b"PK"


def test_force_does_not_replace_a_folder_of_other_things(digitcli: Cli, keras_file: Path) -> None:
    Path("documents").mkdir()
    Path("documents/thesis.txt").touch()
    refused = digitcli("export", keras_file, "--format", "tflite", "-o", "documents", "--force")
    assert refused.exit_code == 1
    assert "documents is a folder that holds other things" in refused.stderr
    assert Path("documents/thesis.txt").exists()


def test_an_unknown_format_is_wrong_usage(digitcli: Cli, keras_file: Path) -> None:
    result = digitcli("export", keras_file, "--format", "tflight")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "There is no export format called 'tflight'. Did you mean tflite?" in result.stderr


def test_two_models_are_wrong_usage(digitcli: Cli, keras_file: Path) -> None:
    result = digitcli("export", keras_file, "--model", keras_file)
    assert result.exit_code == 2
    assert "Two models are named" in result.stderr


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("absent.keras", "no model at absent.keras"),
        ("folder", "folder: is a folder without a model"),
        ("text.keras", "text.keras: is not a model"),
        ("sizes.keras", "sizes.keras: takes (None, 32, 32, 3), digitcli gives 28x28"),
        ("classes.keras", "classes.keras: gives 5 classes, 10 expected"),
    ],
)
def test_what_is_no_fitting_model_is_told(digitcli: Cli, name: str, complaint: str) -> None:
    Path("folder").mkdir()
    Path("text.keras").write_text("not a model")
    if name == "sizes.keras":
        tiny_models.keras_model((32, 32, 3)).save(name)
    if name == "classes.keras":
        tiny_models.keras_model(classes=5).save(name)
    result = digitcli("export", name, "--output", "out", "--quiet")
    assert (result.exit_code, result.stdout) == (1, "")
    assert complaint in result.stderr
    assert result.stderr.count("\n") <= 2
    assert not Path("out").exists()


def test_without_any_run_the_bundled_model_is_exported(digitcli: Cli) -> None:
    result = digitcli("export", "--format", "tflite-fp16")
    assert result.exit_code == 0, result.stderr
    assert "the one that comes with digitcli" in result.stderr
    assert list(Path().glob("bundled*.tflite"))


def test_a_failed_proof_is_told_and_leaves_nothing(
    digitcli: Cli, keras_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = tflite.write
    wrong = tiny_models.keras_model(scale=2)
    monkeypatch.setattr(tflite, "write", lambda made_from, path: original(tiny_models.material(wrong), path))
    result = digitcli("export", keras_file, "--format", "tflite", "--output", "out/m.tflite", "--json")
    assert result.exit_code == 1
    assert "differs from it" in json.loads(result.stdout)["error"]["message"]
    assert list(Path("out").iterdir()) == []


def test_help_names_the_formats_and_gives_an_example(digitcli: Cli) -> None:
    result = digitcli("export", "--help")
    assert result.exit_code == 0
    shown = re.sub(r"[\s│]", "", result.stdout)  # since a narrow column breaks names
    assert ",".join(exporting.format_names()) in shown
    assert "digitcli export --format savedmodel" in result.stdout
