from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models
from tiny_models import IMAGES

from digitcli import classifiers, exporting
from digitcli.data import synthetic
from digitcli.errors import ModelError, OutputError, UsageError
from digitcli.exporting import parity
from digitcli.exporting.formats import tflite

Models = dict[str, Path]


@pytest.fixture(autouse=True)
def _drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic, "generate", tiny_models.draw_once)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    """One model of each kind that can be exported."""
    folder = tmp_path_factory.mktemp("models")
    # The harder kinds: they take other shapes and give logits, which no export does.
    tiny_models.keras_model((784,), activation=None).save(folder / "model.keras")
    tiny_models.keras_model((28, 28)).save(folder / "model.h5")
    return {
        "keras": folder / "model.keras",
        "h5": folder / "model.h5",
        "tf2": tiny_models.write_tf2(folder / "tf2"),
        "tf1": tiny_models.write_tf1(folder / "tf1", softmax=False),
        "tflite": tiny_models.write_tflite(folder / "model.tflite"),
    }


def test_formats_are_the_modules_of_the_package_and_listed_without_importing_them() -> None:
    code = (
        "import sys; from digitcli import exporting; print(exporting.format_names(), 'numpy' in sys.modules)"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed == "['keras', 'savedmodel', 'tflite'] False\n"


@pytest.mark.parametrize("format", ["keras", "savedmodel", "tflite"])
@pytest.mark.parametrize("source", ["keras", "h5", "tf2", "tf1"])
def test_every_kind_of_model_is_written_and_proved(
    models: Models, tmp_path: Path, source: str, format: str
) -> None:
    if format == "keras" and source.startswith("tf"):
        pytest.skip("a SavedModel cannot become a Keras model")
    target = tmp_path / f"out{exporting.suffix(format)}"
    export = exporting.export(models[source], format, target)
    assert (export.path, export.format) == (target, format)
    assert export.runtime == {"keras": "Keras", "savedmodel": "TensorFlow", "tflite": "LiteRT"}[format]
    assert export.bytes > 784 * 10 * 4
    assert (export.parity.pictures, export.parity.same_digits) == (1000, 1000)
    assert export.parity.largest_difference <= 1e-4
    written = classifiers.load(target)
    assert not written.gives_logits
    np.testing.assert_allclose(written.probabilities(IMAGES), tiny_models.expected(), atol=1e-5)


def test_the_converters_chatter_is_not_heard(
    models: Models, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    exporting.export(models["keras"], "tflite", tmp_path / "m.tflite")
    assert capfd.readouterr() == ("", "")


def test_progress_ends_complete(models: Models, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    exporting.export(
        models["tflite"], "tflite", tmp_path / "m.tflite", on_progress=lambda *step: seen.append(step)
    )
    assert seen[0] == (0, 4)
    assert seen[-1] == (4, 4)


def test_plain_tensorflow_serves_the_saved_model(models: Models, tmp_path: Path) -> None:
    import tensorflow as tf

    exporting.export(models["keras"], "savedmodel", tmp_path / "served")
    signature = tf.saved_model.load(str(tmp_path / "served")).signatures["serving_default"]
    (name, taken), *others = signature.structured_input_signature[1].items()
    assert (name, taken.shape.as_list(), taken.dtype, others) == ("images", [None, 28, 28, 1], tf.float32, [])
    probabilities = signature(images=tiny_models.pixels().reshape(-1, 28, 28, 1))["probabilities"]
    assert probabilities.shape == (len(IMAGES), 10)
    np.testing.assert_allclose(probabilities, tiny_models.expected(), atol=1e-5)


def test_plain_keras_loads_the_keras_file(models: Models, tmp_path: Path) -> None:
    import keras

    exporting.export(models["keras"], "keras", tmp_path / "m.keras")
    model = keras.saving.load_model(tmp_path / "m.keras")
    assert model.input_shape == (None, 28, 28, 1)
    assert model.output_shape == (None, 10)


def test_the_tflite_takes_any_number_of_pictures_and_names_its_signature(
    models: Models, tmp_path: Path
) -> None:
    from ai_edge_litert.interpreter import Interpreter

    exporting.export(models["keras"], "tflite", tmp_path / "m.tflite")
    interpreter = Interpreter(str(tmp_path / "m.tflite"))
    assert interpreter.get_signature_list() == {
        "serving_default": {"inputs": ["images"], "outputs": ["probabilities"]}
    }
    assert interpreter.get_input_details()[0]["shape_signature"].tolist() == [-1, 28, 28, 1]


def test_weights_are_inside_the_tflite_of_a_network_with_normalisation_and_dropout(tmp_path: Path) -> None:
    import keras

    keras.utils.set_random_seed(0)
    network = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Conv2D(4, 3),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(10, "softmax"),
        ]
    )
    tflite.write(network, tmp_path / "m.tflite")
    written = classifiers.load(tmp_path / "m.tflite")
    pixels = tiny_models.pixels().reshape(-1, 28, 28, 1)
    np.testing.assert_allclose(written.probabilities(IMAGES), network(pixels), atol=1e-5)


def test_a_tflite_is_copied(models: Models, tmp_path: Path) -> None:
    exporting.export(models["tflite"], "tflite", tmp_path / "copy.tflite")
    assert (tmp_path / "copy.tflite").read_bytes() == models["tflite"].read_bytes()


@pytest.mark.parametrize("format", ["keras", "savedmodel"])
def test_a_tflite_cannot_become_anything_else(models: Models, tmp_path: Path, format: str) -> None:
    with pytest.raises(ModelError, match=r"model\.tflite cannot become"):
        exporting.export(models["tflite"], format, tmp_path / "out")
    assert list(tmp_path.glob("*out*")) == []


def test_a_saved_model_cannot_become_a_keras_file(models: Models, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="only be made from a Keras model"):
        exporting.export(models["tf1"], "keras", tmp_path / "out")


def test_an_unknown_format_is_told_with_the_nearest(models: Models, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Did you mean tflite"):
        exporting.export(models["keras"], "tflight", tmp_path / "out")


def test_what_exists_stays_unless_forced(models: Models, tmp_path: Path) -> None:
    target = tmp_path / "m.tflite"
    target.write_text("mine")
    with pytest.raises(OutputError, match="--force"):
        exporting.export(models["tflite"], "tflite", target)
    assert target.read_text() == "mine"
    exporting.export(models["tflite"], "tflite", target, force=True)
    assert target.read_bytes() == models["tflite"].read_bytes()


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.write_tflite(tmp_path_factory.mktemp("other") / "m.tflite", scale=1.01)


class TestABrokenConverter:
    @pytest.fixture(params=["other weights", "rubbish", "crash"])
    def broken(self, request: pytest.FixtureRequest, other: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def write(network: Any, path: Path) -> None:
            if request.param == "crash":
                raise RuntimeError("the converter has crashed")
            path.write_bytes(other.read_bytes() if request.param == "other weights" else b"rubbish")

        monkeypatch.setattr(tflite, "write", write)

    @pytest.mark.usefixtures("broken")
    def test_fails_and_leaves_nothing(self, models: Models, tmp_path: Path) -> None:
        folder = tmp_path / "exports"
        with pytest.raises(ModelError, match=r"model\.keras"):
            exporting.export(models["keras"], "tflite", folder / "m.tflite")
        assert list(folder.iterdir()) == []

    @pytest.mark.usefixtures("broken")
    def test_leaves_what_was_there(self, models: Models, tmp_path: Path) -> None:
        target = tmp_path / "m.tflite"
        target.write_text("mine")
        with pytest.raises(ModelError):
            exporting.export(models["keras"], "tflite", target, force=True)
        assert target.read_text() == "mine"


class Stub:
    """A classifier that gives the same row for every picture."""

    path = Path("stub")

    def __init__(self, *row: float) -> None:
        self.row = np.array([*row, *[0.0] * (10 - len(row))], np.float32)

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        return np.tile(self.row, (len(images), 1))


def compare(original: Stub, other: Stub) -> parity.Parity:
    return parity.compare(original, other)  # type: ignore[arg-type]


class TestParity:
    def test_holds_for_the_same_answers(self) -> None:
        assert compare(Stub(0.7, 0.3), Stub(0.7, 0.3)) == parity.Parity(1000, 1000, 0.0)

    def test_fails_when_a_probability_moves_beyond_the_bound(self) -> None:
        result = compare(Stub(0.7, 0.3), Stub(0.6998, 0.3002))
        assert result.same_digits == 1000
        assert not result.holds

    def test_lets_a_tie_fall_either_way(self) -> None:
        assert compare(Stub(0.50002, 0.49998), Stub(0.49999, 0.50001)).holds

    def test_counts_other_digits(self) -> None:
        assert compare(Stub(0.7, 0.3), Stub(0.3, 0.7)).same_digits == 0

    def test_fails_on_what_is_no_number(self) -> None:
        assert not compare(Stub(0.7, 0.3), Stub(float("nan"), 0.3)).holds
