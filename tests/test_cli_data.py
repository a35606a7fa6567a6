from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from mirror import mirror
from some_digits import assert_same, some_data

from digitcli.data import formats, mnist
from digitcli.data.load import load

Run = Callable[..., Any]


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGITCLI_MIRROR", "http://127.0.0.1:9/")  # where nothing listens


@pytest.fixture
def data(tmp_path: Path) -> Callable[[str], Path]:
    """Writes twelve training and seven test digits in a format and returns where."""

    def write(name: str) -> Path:
        path = tmp_path / f"digits-{name}"
        formats.get(name).write(some_data(), path)
        return path

    return write


def edit(path: Path, line: int, old: str, new: str) -> None:
    lines = path.read_text().split("\n")
    lines[line - 1] = lines[line - 1].replace(old, new, 1)
    path.write_text("\n".join(lines))


def assert_fails(result: Any, *parts: str, code: int = 1) -> None:
    assert result.exit_code == code
    assert result.stdout == ""
    for part in parts:
        assert part in result.stderr
    assert len(result.stderr.splitlines()) <= 2


def test_status_shows_every_place_and_the_one_that_is_used(digitcli: Run) -> None:
    formats.get("idx").write(some_data(), Path("MNIST"))
    result = digitcli("data", "status")
    assert result.exit_code == 0
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert rows[:3] == [
        ["place", "path", "state", "used"],
        ["MNIST/", "MNIST", "idx", "yes"],
        ["$DIGITCLI_DATA", "", "not set", ""],
    ]


def test_status_as_json_is_one_document(digitcli: Run, tmp_path: Path) -> None:
    cache = str(tmp_path / "cache" / "digitcli" / "mnist")
    assert json.loads(digitcli("data", "status", "--json").stdout) == {
        "schema": 1,
        "command": "data status",
        "places": [
            {"name": "MNIST/", "path": "MNIST", "found": None, "state": "does not exist", "used": False},
            {"name": "$DIGITCLI_DATA", "path": None, "found": None, "state": "not set", "used": False},
            {"name": "the cache", "path": cache, "found": None, "state": "does not exist", "used": False},
        ],
        "mirrors": ["http://127.0.0.1:9/"],
    }


def test_fetch_downloads_what_train_then_finds(
    digitcli: Run, data: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {f"{path.name}.gz": path.read_bytes() for path in data("idx").iterdir()}
    for name, value in mnist.compare(some_data()).sha256.items():
        monkeypatch.setitem(mnist.SHA256, name, value)
    with mirror(files) as served:
        monkeypatch.setenv("DIGITCLI_MIRROR", served.url)
        result = digitcli("data", "fetch", "--to", "MNIST", "--json")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    schema = Path(__file__).parents[1] / "docs" / "schemas" / "data-fetch.json"
    jsonschema.validate(document, json.loads(schema.read_text()))
    assert document["folder"] == "MNIST"
    assert [file["path"] for file in document["files"]] == [f"MNIST/{name}.gz" for name in mnist.SHA256]
    assert {file["mirror"] for file in document["files"]} == {served.url}
    assert_same(load("mnist"), some_data())


def test_fetch_without_a_network_lists_the_mirrors(digitcli: Run) -> None:
    result = digitcli("data", "fetch")
    assert_fails(result, "could not be downloaded", "http://127.0.0.1:9/train-images-idx3-ubyte.gz")


def test_verify_tells_what_is_genuine(
    digitcli: Run, data: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = data("npz")
    result = digitcli("data", "verify", path)
    assert (result.exit_code, "not MNIST" in result.stderr) == (0, True)
    for name, value in mnist.compare(some_data()).sha256.items():
        monkeypatch.setitem(mnist.SHA256, name, value)
    result = digitcli("data", "verify", path, "--json")
    document = json.loads(result.stdout)
    assert result.exit_code == 0
    assert (document["verdict"], document["train"], document["test"]) == ("MNIST, verified", 12, 7)
    assert all(file["genuine"] for file in document["files"])


def test_verify_fails_if_one_file_of_mnist_differs(
    digitcli: Run, data: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in mnist.compare(some_data()).sha256.items():
        monkeypatch.setitem(mnist.SHA256, name, value)
    path = data("idx")
    labels = path / "t10k-labels-idx1-ubyte"
    labels.write_bytes(labels.read_bytes()[:-1] + b"\x09")
    result = digitcli("data", "verify", path)
    assert result.exit_code == 1
    assert "t10k-labels-idx1-ubyte\tdiffers" in result.stdout
    assert "damaged MNIST, altered in t10k-labels-idx1-ubyte" in result.stderr


def test_convert_writes_a_folder_and_says_what(digitcli: Run, data: Callable[[str], Path]) -> None:
    source = data("npz")
    result = digitcli("data", "convert", source, "new", "--format", "csv", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        "schema": 1,
        "command": "data convert",
        "source": f"NumPy archive {source} (not MNIST)",
        "target": "new",
        "format": "csv",
        "images": {"train": 12, "test": 7},
    }
    assert_same(load("new"), some_data())


def test_convert_does_not_overwrite_without_force(digitcli: Run, data: Callable[[str], Path]) -> None:
    Path("there.npz").write_text("precious")
    arguments = ("data", "convert", data("idx"), "there.npz", "--format", "npz")
    assert_fails(digitcli(*arguments), "there.npz exists already", "--force")
    assert Path("there.npz").read_text() == "precious"
    assert digitcli(*arguments, "--force").exit_code == 0
    assert_same(load("there.npz"), some_data())


def test_convert_to_an_unknown_format_is_wrong_usage(digitcli: Run, data: Callable[[str], Path]) -> None:
    result = digitcli("data", "convert", data("idx"), "x", "--format", "nbz")
    assert_fails(result, "no data format called 'nbz'", "Did you mean npz?", code=2)


def test_a_path_that_does_not_exist(digitcli: Run) -> None:
    assert_fails(digitcli("data", "verify", "nowhere"), "nowhere does not exist")
    assert_fails(digitcli("data", "convert", "nowhere", "x", "-f", "npz"), "no data set 'nowhere'")


def test_a_file_that_is_no_data_set(digitcli: Run) -> None:
    Path("letter.txt").write_text("Dear reader")
    for result in (
        digitcli("data", "verify", "letter.txt"),
        digitcli("data", "convert", "letter.txt", "x", "-f", "npz"),
    ):
        assert_fails(result, "letter.txt is not a data set", "IDX", "NumPy", "CSV", "folders of pictures")


def test_idx_with_a_wrong_magic_number(digitcli: Run, data: Callable[[str], Path]) -> None:
    path = data("idx") / "train-images-idx3-ubyte"
    path.write_bytes(b"\0\0\x0d\x03" + path.read_bytes()[4:])
    for target in (path, path.parent):
        assert_fails(digitcli("data", "verify", target), str(path), "0x00000d03", "0x00000803")


def test_idx_of_a_wrong_length(digitcli: Run, data: Callable[[str], Path]) -> None:
    path = data("idx") / "t10k-images-idx3-ubyte"
    path.write_bytes(path.read_bytes() + b"\0")
    assert_fails(
        digitcli("data", "verify", path.parent),
        f"{path} names 7 images of 28x28 = 5504 bytes, but the file holds 5505",
    )


def test_csv_with_a_ragged_row_names_the_line(digitcli: Run, data: Callable[[str], Path]) -> None:
    path = data("csv") / "digit_xtrain.csv"
    edit(path, 9, "0,", "")
    assert_fails(digitcli("data", "verify", path.parent), f"{path}: line 9 has 783 values, the first has 784")


def test_csv_with_a_letter_names_line_and_column(digitcli: Run, data: Callable[[str], Path]) -> None:
    path = data("csv") / "digit_xtest.csv"
    edit(path, 4, "0,", "x,")
    assert_fails(
        digitcli("data", "convert", path.parent, "x", "-f", "npz"),
        f"{path}: line 4, column 1: 'x' is not a number",
    )
    assert not Path("x").exists()


@pytest.mark.parametrize("name", ["idx", "csv", "folders"])
def test_labels_outside_0_to_9(digitcli: Run, data: Callable[[str], Path], name: str) -> None:
    path = data(name)
    if name == "idx":
        labels = path / "train-labels-idx1-ubyte"
        labels.write_bytes(labels.read_bytes()[:-1] + b"\x0c")
    elif name == "csv":
        edit(path / "digit_ytrain.csv", 12, "1", "12")
    else:
        (path / "train" / "9").rename(path / "train" / "12")
    assert_fails(digitcli("data", "verify", path), "12", "not a digit 0-9")


def test_images_and_labels_of_unequal_count(digitcli: Run, data: Callable[[str], Path]) -> None:
    path = data("csv")
    labels = path / "digit_ytrain.csv"
    labels.write_text(labels.read_text() + "3\n")
    assert_fails(digitcli("data", "verify", path), "digit_xtrain.csv: 12 images but 13 labels")


def test_empty_picture_folders(digitcli: Run) -> None:
    Path("empty").mkdir()
    assert_fails(digitcli("data", "verify", "empty"), "empty is an empty folder")
    Path("empty/3").mkdir()
    assert_fails(digitcli("data", "verify", "empty"), "empty holds no pictures")


@pytest.mark.parametrize("command", ["status", "fetch", "verify", "convert"])
def test_every_command_has_an_example_in_its_help(digitcli: Run, command: str) -> None:
    result = digitcli("data", command, "--help")
    assert result.exit_code == 0
    assert f"digitcli data {command}" in result.stdout
