"""`export --format c`: a header for microcontrollers, compiled and run by TensorFlow Lite Micro."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models
from ai_edge_litert.interpreter import Interpreter
from tiny_models import DATA, IMAGES

from digitcli import exporting
from digitcli.errors import ModelError
from digitcli.exporting import micro, parity
from digitcli.exporting.formats import c, tflite_int8
from digitcli.exporting.material import Material, describe
from digitcli.models import ModelSpec, build, preset

needs_a_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")


@pytest.fixture(autouse=True)
def _random_weights_may_be_on_the_fence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(c, "BOUND", parity.Bound(0.5, 1000))


def material(network: Any, outputs: int = 10) -> Material:
    return Material(network, describe("digits", outputs, None, None, "CC0-1.0"), IMAGES)


@pytest.fixture(scope="module")
def header(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("c") / "model.h"
    c.write(material(build(ModelSpec(channels=(4, 8), no_digit=True)), 11), path)
    return path


@pytest.fixture(scope="module")
def keras_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keras") / "dense.keras"
    tiny_models.keras_model().save(path)
    return path


def test_it_is_proved_by_what_runs_on_microcontrollers(keras_file: Path, tmp_path: Path) -> None:
    (export,) = exporting.export(keras_file, "c", tmp_path / "digits.h", DATA)
    there = importlib.util.find_spec("tflite_micro")
    assert export.runtime == ("TensorFlow Lite Micro" if there else "LiteRT, reference kernels")
    assert export.parity.largest_difference < 0.1
    said = micro.Micro(tmp_path / "digits.h").probabilities(IMAGES)
    np.testing.assert_allclose(said, tiny_models.expected(), atol=0.1)


def test_without_that_it_is_proved_by_litert_s_reference_kernels(
    header: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = micro.Micro(header)
    monkeypatch.setitem(sys.modules, "tflite_micro.python.tflite_micro", None)
    without = micro.Micro(header)
    assert without.runtime == "LiteRT, reference kernels"
    # Both are the same arithmetic of whole numbers.
    np.testing.assert_allclose(without.probabilities(IMAGES), there.probabilities(IMAGES), atol=1.5 / 256)


def test_the_preset_for_microcontrollers_takes_less_than_16_kilobytes(tmp_path: Path) -> None:
    network = build(preset("tiny").model)
    c.write(material(network), tmp_path / "tiny.h")
    assert len(micro.array(tmp_path / "tiny.h")) < 16_000
    tflite_int8.write(material(network), tmp_path / "tiny.tflite")
    assert (tmp_path / "tiny.tflite").stat().st_size < 16_000


def test_what_goes_in_and_out_keeps_its_name(tmp_path: Path) -> None:
    tflite_int8.write(material(build(ModelSpec(channels=(4, 8)))), tmp_path / "small.tflite")
    network = Interpreter(str(tmp_path / "small.tflite"))
    assert "images" in network.get_input_details()[0]["name"]
    assert network.get_output_details()[0]["name"]


@needs_a_compiler
@pytest.mark.parametrize("language", ["c", "c++"])
def test_it_compiles_without_a_warning(header: Path, tmp_path: Path, language: str) -> None:
    (tmp_path / "main").write_text(f'#include "{header}"\nint main() {{ return {micro.ARRAY}[0]; }}\n')
    standard = {"c": "c11", "c++": "c++17"}[language]
    command = [
        "cc",
        "-x",
        language,
        f"-std={standard}",
        "-Wall",
        "-Wextra",
        "-pedantic",
        "-Werror",
        "-c",
        "main",
    ]
    done = subprocess.run(
        [*command, "-o", "main.o"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    # Not every use needs the length.
    assert [line for line in done.stderr.splitlines() if "error" in line and "unused" not in line] == []


@needs_a_compiler
def test_the_array_is_the_model_with_a_compiler_and_without(
    header: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = micro.array(header)
    assert compiled[4:8] == b"TFL3"
    assert f"{len(compiled)} bytes" in header.read_text()
    monkeypatch.setattr(micro, "COMPILERS", ())
    monkeypatch.delenv("CC", raising=False)
    assert micro.array(header) == compiled


def test_it_says_what_goes_in_and_comes_out(header: Path) -> None:
    text = header.read_text()
    assert "Gives       11 int8: the probability of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, no digit is" in text
    assert "CONV_2D, FULLY_CONNECTED, MAX_POOL_2D" in text
    assert "(-128), which is pixel - 128" in text


def test_a_name_or_licence_cannot_end_the_comment(keras_file: Path, tmp_path: Path) -> None:
    target = tmp_path / "m.h"
    exporting.export(keras_file, "c", target, DATA, name="a */ int main", license="*/ #error\n#error /*")
    assert target.read_text().count("*/") == 1
    micro.Micro(target)


@needs_a_compiler
def test_a_header_that_does_not_compile_is_told(header: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.h"
    broken.write_text(header.read_text().replace("};", ""))
    with pytest.raises(ModelError, match=r"broken\.h: .*cc does not compile it"):
        micro.Micro(broken)


def test_an_array_that_is_not_the_model_fails_the_proof(
    keras_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(c, "BOUND", parity.Bound(0.25, 10, 0.0005))
    wrong = material(tiny_models.keras_model(scale=-1))
    write: Callable[..., None] = c.write
    monkeypatch.setattr(c, "write", lambda made_from, path: write(wrong, path))
    with pytest.raises(ModelError, match="differs from it"):
        exporting.export(keras_file, "c", tmp_path / "out" / "m.h", DATA)
    assert list((tmp_path / "out").iterdir()) == []


def test_all_leaves_it_out_for_what_no_microcontroller_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "format_names", lambda: ["c", "tflite"])
    large: Any = build(ModelSpec(hidden=(200,)))
    large.save(tmp_path / "large.keras")
    exports = exporting.export(tmp_path / "large.keras", "all", tmp_path / "all", DATA)
    assert [each.format for each in exports] == ["tflite"]


def test_what_micro_cannot_run_says_so(tmp_path: Path) -> None:
    pytest.importorskip("tflite_micro")
    model = tiny_models.write_tf1(tmp_path / "tf1")
    with pytest.raises(ModelError, match=r"cannot be exported to c: .*lacks one of its operations"):
        exporting.export(model, "c", tmp_path / "out" / "m.h", DATA)
    assert list((tmp_path / "out").iterdir()) == []
