"""Every document that a command prints has the keys that docs/json.md gives it, no fewer and no more."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from digitcli.data import formats, synthetic
from digitcli.data.digits import DataSet

DOCS = Path(__file__).parents[1] / "docs" / "json.md"
ENVELOPE = {"schema", "command"}


def documented(section: str) -> set[str]:
    """The keys in the first column of a section's table, `a.b` for a key b in the object a."""
    sections = re.split(r"^#+ ", DOCS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    (body,) = (part for part in sections if part.startswith(f"{section}\n"))
    first_cells = [line.split("|")[1] for line in body.splitlines() if line.startswith("| `")]
    return set(re.findall(r"`([^`]+)`", " ".join(first_cells)))


def keys(document: dict[str, Any]) -> set[str]:
    found = set()
    for key, value in document.items():
        inner = keys(value) if isinstance(value, dict) else set()
        found |= {f"{key}.{name}" for name in inner} or {key}
    return found


@pytest.fixture
def data() -> Path:
    """Sixty synthetic digits in a file."""
    digits = synthetic.generate(60)
    path = Path("few.npz")
    formats.get("npz").write(DataSet(digits.take(slice(40)), digits.take(slice(40, 60)), "few"), path)
    return path


@pytest.fixture
def document(digitcli: Callable[..., Any]) -> Callable[..., dict[str, Any]]:
    """Runs a command with --json and returns what it printed, less the keys that all documents have."""

    def run(*arguments: object, exit_code: int = 0) -> dict[str, Any]:
        result = digitcli(*arguments, "--json")
        assert result.exit_code == exit_code, result.stderr
        printed = json.loads(result.stdout)
        assert printed["schema"] == 1
        assert " ".join(map(str, arguments)).startswith(printed["command"])
        return {key: value for key, value in printed.items() if key not in ENVELOPE}

    return run


def test_every_document_has_the_envelope() -> None:
    assert documented("The JSON documents") == ENVELOPE


def test_documents_about_data_are_as_documented(document: Callable[..., dict[str, Any]], data: Path) -> None:
    assert keys(document("data", "status")) == documented("data status")
    assert keys(document("data", "verify", data)) == documented("data verify")
    converted = document("data", "convert", data, "few", "--format", "idx")
    assert keys(converted) == documented("data convert")


def test_documents_about_models_are_as_documented(
    document: Callable[..., dict[str, Any]], data: Path
) -> None:
    trained = document("train", "--preset", "mlp-512", "--epochs", "1", "--data", data, "--output", "run")
    assert keys(trained) == documented("train")
    assert keys(document("evaluate", "run", "--data", data)) == documented("evaluate")
    several = document("evaluate", "run", "run", "--data", data)
    assert {"models"} | {key for key in keys(several) if key.startswith("data.")} == keys(several)
    assert keys(several["models"][1]) == documented("evaluate with several models")
    assert keys(document("export", "run", "--format", "tflite")) == documented("export")
    document("data", "convert", data, "pictures", "--format", "folders")
    read = document("predict", "pictures", "--model", "run")
    assert keys(read) == documented("predict")
    assert keys(read["results"][0]) == documented("A result")


def test_the_list_of_presets_is_as_documented(document: Callable[..., dict[str, Any]]) -> None:
    presets = document("train", "--list-presets")["presets"]
    assert keys(presets[0]) == documented("train --list-presets")


def test_an_error_is_as_documented(document: Callable[..., dict[str, Any]]) -> None:
    error = document("evaluate", "--data", "synthetic", "--model", "absent", exit_code=1)
    assert keys(error) == documented("When something fails")
