"""Run directories: written whole, found again."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

import pytest

from digitcli import runs
from digitcli.errors import ModelError
from digitcli.runs import history


def make_run(name: str, finished: int = 0, files: tuple[str, ...] = ("model.keras", "model.tflite")) -> Path:
    directory = runs.RUNS / name
    directory.mkdir(parents=True)
    runs.write_record(directory, {"name": name})
    for file in files:
        (directory / file).touch()
    os.utime(directory / runs.RECORD, (finished, finished))
    return directory


def test_record_comes_back():
    directory = make_run("a")
    assert runs.read_record(directory) == {"name": "a"}


@pytest.mark.parametrize("text", ["", "{", "[1]", "[" * 10_000])
def test_damaged_record_is_an_error_that_names_the_file(text):
    directory = make_run("a")
    (directory / runs.RECORD).write_text(text)
    with pytest.raises(ModelError, match=r"run\.json"):
        runs.read_record(directory)


@pytest.mark.parametrize("text", ["member\nx\n", 'member\n"' + "x" * 200_000, "member\n\0\n"])
def test_damaged_history_is_an_error_that_names_the_file(text):
    Path("history.csv").write_text(text)
    with pytest.raises(ModelError, match=r"history\.csv is not the history of a run"):
        history.read(Path("history.csv"))


def test_newest_run_is_the_one_finished_last():
    make_run("b", finished=2)
    last = make_run("a", finished=3)
    make_run("c", finished=1)
    assert runs.newest() == last
    assert runs.find_model().run == last


def test_taken_names_are_passed_over():
    make_run("a")
    make_run("a-3")
    names = (directory.name for directory in runs.free_directories("a"))
    assert list(islice(names, 3)) == ["a-2", "a-4", "a-5"]


def test_litert_file_of_a_run_is_preferred_and_the_other_can_be_asked_for():
    run = make_run("a")
    assert runs.find_model(run).path == run / "model.tflite"
    assert runs.find_model(run, prefer=runs.KERAS_MODEL).path == run / "model.keras"


def test_run_with_one_model_file_gives_that_one():
    run = make_run("a", files=("model.keras",))
    assert runs.find_model(run).path == run / "model.keras"


def test_run_without_model_files_is_an_error():
    run = make_run("a", files=())
    with pytest.raises(ModelError, match="lost its model files"):
        runs.find_model(run)


def test_model_file_knows_the_run_it_is_part_of():
    run = make_run("a")
    assert runs.find_model(run / "model.keras").run == run


def test_without_any_run_the_bundled_model_is_taken():
    found = runs.find_model()
    assert found.path == runs.BUNDLED
    assert found.path.stat().st_size < 1_000_000
    assert found.run == runs.BUNDLED.parent
    assert found.name == "bundled"
    keras = runs.find_model(Path("bundled"), prefer=runs.KERAS_MODEL).path
    assert keras == runs.BUNDLED.with_name("model.keras")
    assert keras.exists()
    assert found.description == "the one that comes with digitcli"


def test_absent_model_is_named():
    with pytest.raises(ModelError, match=r"no\.keras"):
        runs.find_model(Path("no.keras"))


@pytest.mark.parametrize(
    ("record", "went_on"),
    [({"config": {"start": "bundled"}}, True), ({"config": {"start": None}}, False), ({}, False)],
)
def test_a_run_that_went_on_from_another_is_known(record: dict[str, object], went_on: bool) -> None:
    directory = make_run("a")
    runs.write_record(directory, record)
    assert runs.went_on(directory / runs.LITERT_MODEL) is went_on


def test_a_model_without_a_run_went_on_from_none(tmp_path: Path) -> None:
    assert not runs.went_on(tmp_path / "model.tflite")
