"""Which models are tried first, and which are known already."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import tiny_models
from some_digits import some_data

import digitcli as package
from digitcli import classifiers, exporting, runs
from digitcli.classifiers import trial
from digitcli.errors import MissingExtraError, ModelError


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The models that have been tried."""
    paths: list[Path] = []

    def passes(path: Path, kind: str) -> bool:
        paths.append(path)
        return True

    monkeypatch.setattr(trial, "_passes", passes)
    return paths


@pytest.fixture(scope="module")
def tflite() -> bytes:
    """A model that could be anybody's, since it is not where the bundled one is."""
    return runs.BUNDLED.read_bytes()


def test_a_model_that_passed_is_not_tried_again_whatever_its_name(tflite: bytes, tried: list[Path]) -> None:
    for name in ("a.tflite", "b.tflite", "a.tflite"):
        Path(name).write_bytes(tflite)
        classifiers.load(Path(name))
    assert tried == [Path("a.tflite")]


def test_a_model_that_changed_is_tried_again(tflite: bytes, tried: list[Path]) -> None:
    for content in (tflite, tflite + b"\0"):
        Path("m.tflite").write_bytes(content)
        classifiers.load(Path("m.tflite"))
    assert tried == [Path("m.tflite")] * 2


@pytest.mark.usefixtures("tensorflow")
def test_a_folder_is_tried_again_if_any_file_in_it_changed(tried: list[Path]) -> None:
    model = tiny_models.write_tf2(Path("model"))
    for _ in range(2):
        classifiers.load(model)
    Path("model/assets/words").write_bytes(b"one")
    classifiers.load(model)
    assert tried == [model] * 2


def test_a_model_that_failed_is_tried_again(tflite: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(path: Path, kind: str) -> bool:
        raise ModelError("failed")

    monkeypatch.setattr(trial, "_passes", fails)
    Path("m.tflite").write_bytes(tflite)
    for _ in range(2):
        with pytest.raises(ModelError, match="failed"):
            classifiers.load(Path("m.tflite"))


@pytest.mark.parametrize("cache", ["file", "x" * 300])
def test_without_a_cache_a_model_is_tried_each_time(
    tflite: bytes, tried: list[Path], monkeypatch: pytest.MonkeyPatch, cache: str
) -> None:
    Path("file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(Path(cache).absolute()))
    Path("m.tflite").write_bytes(tflite)
    for _ in range(2):
        classifiers.load(Path("m.tflite"))
    assert tried == [Path("m.tflite")] * 2


def test_the_bundled_model_and_a_trusted_one_are_not_tried(tflite: bytes, tried: list[Path]) -> None:
    Path("m.tflite").write_bytes(tflite)
    package.load()
    package.load("m.tflite", trust=True)
    assert runs.find_model().path == runs.BUNDLED
    assert not tried


@pytest.mark.usefixtures("tensorflow")
def test_what_digitcli_has_made_is_not_tried(tried: list[Path]) -> None:
    from digitcli.training.config import configure
    from digitcli.training.run import train

    config = configure("mlp-512", model={"hidden": (8,)}, recipe={"epochs": 1, "val_split": 0.0})
    run = train(config, some_data(20, 10), Path("run")).directory
    exporting.export(run / "model.keras", "onnx", Path("m.onnx"), tiny_models.DATA)
    exporting.export(run / "model.keras", "savedmodel", Path("model"), tiny_models.DATA)
    for name in ("run/model.keras", "run/model.tflite", "m.onnx", "m-uint8.onnx", "model"):
        classifiers.load(Path(name))
    assert not tried


def test_a_model_that_takes_more_memory_passes_if_it_is_trusted(
    trials: None, tflite: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "MEMORY", 2**20)
    Path("m.tflite").write_bytes(tflite)
    with pytest.raises(ModelError, match=r"m\.tflite"):
        classifiers.load(Path("m.tflite"))
    package.load("m.tflite", trust=True)


def test_a_trial_that_does_not_end_is_given_up(
    trials: None, tflite: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "PATIENCE", 0.01)
    Path("m.tflite").write_bytes(tflite)
    with pytest.raises(ModelError, match=r"m\.tflite: takes more than 0\.01 s"):
        classifiers.load(Path("m.tflite"))


@pytest.mark.parametrize("end", ["abort()", "write(1, b'null') and os.abort()", "_exit(0)"])
def test_a_trial_that_crashes_is_one_error(
    trials: None, tflite: bytes, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.setattr(trial, "_PROGRAM", f"import os; os.{end}")
    Path("m.tflite").write_bytes(tflite)
    with pytest.raises(ModelError, match=r"m\.tflite: crashes what should run it"):
        classifiers.load(Path("m.tflite"))


def test_what_a_model_prints_does_not_get_into_the_answer(
    trials: None, tflite: bytes, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    loud = "import sys; sys.path[:] = {path!r}; from digitcli.classifiers import trial; run = trial._run\n"
    loud += "trial._run = lambda *model: [print('loud'), run(*model)]\ntrial.main()"
    monkeypatch.setattr(trial, "_PROGRAM", loud)
    Path("m.tflite").write_bytes(tflite)
    classifiers.load(Path("m.tflite"))
    assert capfd.readouterr() == ("", "")


def test_a_runtime_that_is_not_installed_is_told(trials: None, monkeypatch: pytest.MonkeyPatch) -> None:
    import strangers

    strangers.write_onnx(Path("m.onnx"))
    Path("path").mkdir()
    Path("path/onnxruntime.py").write_text("raise ImportError")
    monkeypatch.syspath_prepend("path")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'digitcli\[onnx\]'"):
        classifiers.load(Path("m.onnx"))


def test_no_model_is_written_into_the_cache_but_its_hash(tflite: bytes, tried: list[Path]) -> None:
    Path("m.tflite").write_bytes(tflite)
    classifiers.load(Path("m.tflite"))
    (note,) = (path for path in Path("../cache/digitcli").rglob("*") if path.is_file())
    assert (len(note.name), note.stat().st_size) == (64, 0)


def test_a_file_larger_than_the_memory_is_not_even_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "_note", lambda path: pytest.fail("it was read"))
    with Path("m.tflite").open("wb") as file:
        file.write(b"\x1c\0\0\0TFL3")
        file.truncate(2**30)
    with pytest.raises(ModelError, match=r"m\.tflite: is larger than 512 MB"):
        classifiers.load(Path("m.tflite"))
