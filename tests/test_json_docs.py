"""Every document that a command prints is as its schema in docs/schemas/ says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from PIL import Image

from digitcli.data import formats, synthetic
from digitcli.data.digits import DataSet

SCHEMAS = Path(__file__).parents[1] / "docs" / "schemas"

Document = Callable[..., dict[str, Any]]


def schema(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    return loaded


@pytest.fixture
def data() -> Path:
    """Sixty synthetic digits in a file."""
    digits = synthetic.generate(60)
    path = Path("few.npz")
    formats.get("npz").write(DataSet(digits.take(slice(40)), digits.take(slice(40, 60)), "few"), path)
    return path


@pytest.fixture
def valid(digitcli: Callable[..., Any]) -> Document:
    """Runs a command with --json and holds what it printed against a schema."""

    def run(name: str, *arguments: object, exit_code: int = 0) -> dict[str, Any]:
        result = digitcli(*arguments, "--json")
        assert result.exit_code == exit_code, result.stderr
        document: dict[str, Any] = json.loads(result.stdout)
        jsonschema.validate(document, schema(name), jsonschema.Draft202012Validator)
        assert " ".join(map(str, arguments)).startswith(document["command"])
        return document

    return run


def test_documents_about_data(valid: Document, data: Path) -> None:
    valid("data-status", "data", "status")
    valid("data-verify", "data", "verify", data)
    valid("data-convert", "data", "convert", data, "few", "--format", "idx")


def test_document_about_the_installation(valid: Document) -> None:
    document = valid("doctor", "doctor")
    assert document["versions"]["numpy"]
    assert document["extras"]["pdf"] == []


@pytest.mark.usefixtures("tensorflow")
def test_documents_about_models(valid: Document, data: Path) -> None:
    valid("train", "train", "--preset", "mlp-512", "--epochs", "1", "--data", data, "--output", "run")
    valid("evaluate", "evaluate", "run", "--data", data)
    reported = valid("evaluate", "evaluate", "run", "--data", data, "--robustness", "--report", "page")
    assert reported["robustness"]
    assert reported["report"]
    several = valid("evaluate-several", "evaluate", "run", "run", "--data", data)
    assert several["models"][1]["against_first"]["p"] == 1
    valid("export", "export", "run", "--format", "keras", "--data", data)


@pytest.mark.usefixtures("tensorflow")
def test_the_document_of_a_tuning(valid: Document, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from trials_here import MadeUp, replace_ray  # which starts TensorFlow

    replace_ray(monkeypatch, MadeUp({1: 0.5, 2: 0.6, 3: "It diverged"}))
    words = [
        "train",
        "--preset",
        "mlp-512",
        "--tune",
        3,
        "--engine",
        "ray",
        "--data",
        data,
        "--output",
        "run",
    ]
    document = valid("train-tune", *words)
    assert [trial["state"] for trial in document["trials"]] == ["finished", "finished", "failed"]
    assert document["kept"] == 2


def test_documents_about_pictures(valid: Document) -> None:
    digits = synthetic.generate(4)
    Path("pictures").mkdir()
    for n, image in enumerate(digits.images):
        Image.fromarray(255 - image).resize((90, 90)).save(f"pictures/{n}.png")
    page = Image.new("L", (300, 100), 255)
    for n in range(2):
        page.paste(Image.open(f"pictures/{n}.png"), (5 + 150 * n, 5))
    page.save("pictures/two.png")
    Image.new("L", (60, 60), 255).save("pictures/blank.png")
    valid("predict", "predict", "pictures")
    valid("predict", "predict", "pictures", "--single")
    valid("predict", "predict", "pictures", "--many")
    Path("pictures/broken.png").write_bytes(b"no picture")
    read = valid("predict", "predict", "pictures", exit_code=1)
    assert [result["error"] is None for result in read["results"]].count(False) == 1


def test_lines_are_the_results_of_the_document(digitcli: Callable[..., Any]) -> None:
    Image.new("L", (60, 60), 255).save("blank.png")
    line = json.loads(digitcli("predict", "blank.png", "--format", "jsonl").stdout)
    result = schema("predict")["properties"]["results"]["items"]
    jsonschema.validate(line, result)


def test_the_list_of_presets(valid: Document) -> None:
    assert valid("train-list-presets", "train", "--list-presets")["presets"]


def test_an_error(valid: Document) -> None:
    valid("error", "evaluate", "--data", "synthetic", "--model", "absent", exit_code=1)
    without_mnist = valid("error", "data", "verify", exit_code=1)
    assert without_mnist["error"]["kind"] == "DataError"


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*.json")), ids=lambda path: path.stem)
def test_a_schema_is_one_and_leaves_no_key_open(path: Path) -> None:
    loaded = schema(path.stem)
    jsonschema.Draft202012Validator.check_schema(loaded)

    def check(part: Any, where: str) -> None:
        if isinstance(part, dict) and "properties" in part:
            assert part["additionalProperties"] is False, where
            # Which keys a result has depends on what was asked for.
            if where != "results":
                assert set(part["required"]) == set(part["properties"]), where
        for key, inner in part.items() if isinstance(part, dict) else ():
            check(inner, where if key in ("items", "properties") else key)

    check(loaded, path.stem)
