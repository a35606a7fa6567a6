from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models
from PIL import Image
from tiny_models import DATA, IMAGES, material

from digitcli import classifiers, exporting
from digitcli.data import synthetic
from digitcli.errors import MissingExtraError, ModelError, OutputError, UsageError
from digitcli.exporting import parity
from digitcli.exporting.formats import onnx, tflite, tflite_int8
from digitcli.models import PRESETS, build, ensemble

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
    names = ["c", "html", "keras", "onnx", "savedmodel", "tflite", "tflite-fp16", "tflite-int8"]
    assert printed == f"{names} False\n"


RUNTIMES = {"keras": "Keras", "onnx": "ONNX Runtime", "savedmodel": "TensorFlow", "tflite": "LiteRT"}


@pytest.mark.parametrize("format", RUNTIMES)
@pytest.mark.parametrize("source", ["keras", "h5", "tf2", "tf1"])
def test_every_kind_of_model_is_written_and_proved(
    models: Models, tmp_path: Path, source: str, format: str
) -> None:
    if format == "keras" and source.startswith("tf"):
        pytest.skip("a SavedModel cannot become a Keras model")
    target = tmp_path / f"out{exporting.suffix(format)}"
    (export,) = exporting.export(models[source], format, target, DATA)
    assert (export.path, export.format, export.runtime) == (target, format, RUNTIMES[format])
    assert export.bytes > 784 * 10 * 4
    assert export.accuracy == accuracy_of_weights()
    assert export.milliseconds > 0
    assert export.images_per_second > 0
    assert (export.parity.pictures, export.parity.same_digits) == (1000, 1000)
    assert export.parity.largest_difference <= 1e-4
    written = classifiers.load(target)
    assert not written.gives_logits
    np.testing.assert_allclose(written.probabilities(IMAGES), tiny_models.expected(), atol=1e-5)


def test_the_converters_chatter_is_not_heard(
    models: Models, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    exporting.export(models["keras"], "tflite", tmp_path / "m.tflite", DATA)
    assert capfd.readouterr() == ("", "")


def test_progress_ends_complete(models: Models, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    exporting.export(
        models["tflite"], "tflite", tmp_path / "m.tflite", DATA, on_progress=lambda *step: seen.append(step)
    )
    assert seen == [(0, 1), (1, 1)]


def test_plain_tensorflow_serves_the_saved_model(models: Models, tmp_path: Path) -> None:
    import tensorflow as tf

    exporting.export(models["keras"], "savedmodel", tmp_path / "served", DATA)
    signature = tf.saved_model.load(str(tmp_path / "served")).signatures["serving_default"]
    (name, taken), *others = signature.structured_input_signature[1].items()
    assert (name, taken.shape.as_list(), taken.dtype, others) == ("images", [None, 28, 28, 1], tf.float32, [])
    probabilities = signature(images=tiny_models.pixels().reshape(-1, 28, 28, 1))["probabilities"]
    assert probabilities.shape == (len(IMAGES), 10)
    np.testing.assert_allclose(probabilities, tiny_models.expected(), atol=1e-5)


def test_plain_keras_loads_the_keras_file(models: Models, tmp_path: Path) -> None:
    import keras

    exporting.export(models["keras"], "keras", tmp_path / "m.keras", DATA)
    model = keras.saving.load_model(tmp_path / "m.keras")
    assert model.input_shape == (None, 28, 28, 1)
    assert model.output_shape == (None, 10)


def test_the_tflite_takes_any_number_of_pictures_and_names_its_signature(
    models: Models, tmp_path: Path
) -> None:
    from ai_edge_litert.interpreter import Interpreter

    exporting.export(models["keras"], "tflite", tmp_path / "m.tflite", DATA)
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
    tflite.write(material(network), tmp_path / "m.tflite")
    written = classifiers.load(tmp_path / "m.tflite")
    pixels = tiny_models.pixels().reshape(-1, 28, 28, 1)
    np.testing.assert_allclose(written.probabilities(IMAGES), network(pixels), atol=1e-5)


def test_a_tflite_is_passed_on_if_it_is_as_ours_are(models: Models, tmp_path: Path) -> None:
    (export,) = exporting.export(models["tflite"], "tflite", tmp_path / "copy.tflite", DATA)
    assert export.parity.largest_difference == 0
    other = tiny_models.write_direct_tflite(tmp_path / "other.tflite", (784,))
    with pytest.raises(ModelError, match=r"other\.tflite cannot become tflite"):
        exporting.export(other, "tflite", tmp_path / "no.tflite", DATA)


@pytest.mark.parametrize("format", ["keras", "onnx", "savedmodel", "tflite-int8", "all"])
def test_a_tflite_cannot_become_anything_else(models: Models, tmp_path: Path, format: str) -> None:
    with pytest.raises(ModelError, match=r"model\.tflite cannot become"):
        exporting.export(models["tflite"], format, tmp_path / "out", DATA)
    assert list(tmp_path.glob("*out*")) == []


def test_a_saved_model_cannot_become_a_keras_file(models: Models, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="only be made from a Keras model"):
        exporting.export(models["tf1"], "keras", tmp_path / "out", DATA)


def test_an_unknown_format_is_told_with_the_nearest(models: Models, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Did you mean tflite"):
        exporting.export(models["keras"], "tflight", tmp_path / "out", DATA)


def test_what_exists_stays_unless_forced(models: Models, tmp_path: Path) -> None:
    target = tmp_path / "m.tflite"
    target.write_text("mine")
    with pytest.raises(OutputError, match="--force"):
        exporting.export(models["tflite"], "tflite", target, DATA)
    assert target.read_text() == "mine"
    exporting.export(models["tflite"], "tflite", target, DATA, force=True)
    assert classifiers.load(target).runtime == "LiteRT"


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.write_tflite(tmp_path_factory.mktemp("other") / "m.tflite", scale=1.01)


def test_the_saved_model_has_a_second_entry_for_uint8(models: Models, tmp_path: Path) -> None:
    import tensorflow as tf

    exporting.export(models["keras"], "savedmodel", tmp_path / "served", DATA)
    signature = tf.saved_model.load(str(tmp_path / "served")).signatures["serving_uint8"]
    probabilities = signature(images=tf.constant(IMAGES[..., None]))["probabilities"]
    np.testing.assert_allclose(probabilities, tiny_models.expected(), atol=1e-5)


def test_onnx_has_a_second_entry_for_uint8_in_a_file_of_its_own(models: Models, tmp_path: Path) -> None:
    import onnxruntime

    exporting.export(models["keras"], "onnx", tmp_path / "m.onnx", DATA)
    session = onnxruntime.InferenceSession(tmp_path / "m-uint8.onnx")
    (probabilities,) = session.run(["probabilities"], {"images": IMAGES[..., None]})
    np.testing.assert_allclose(probabilities, tiny_models.expected(), atol=1e-5)
    assert [(each.name, each.shape) for each in session.get_inputs()] == [("images", ["n", 28, 28, 1])]


def test_opencv_runs_the_onnx(models: Models, tmp_path: Path) -> None:
    import cv2

    exporting.export(models["keras"], "onnx", tmp_path / "m.onnx", DATA)
    network = cv2.dnn.readNetFromONNX(str(tmp_path / "m.onnx"))
    network.setInput(tiny_models.pixels()[:1].reshape(1, 28, 28, 1))
    np.testing.assert_allclose(network.forward(), tiny_models.expected()[:1], atol=1e-4)


class TestWhatIsKnownAboutAModel:
    """Labels, input convention, accuracy and licence travel inside each export."""

    @pytest.fixture
    def about(self, models: Models, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
        target = tmp_path / "digits"
        exporting.export(models["keras"], request.param, target, DATA, name="mine", license="CC0-1.0")
        return target

    def check(self, found: dict[str, Any]) -> None:
        assert found["name"] == "mine"
        assert found["labels"] == list("0123456789")
        assert "0 paper to 1 ink" in found["input"]
        assert found["accuracy"] == pytest.approx(accuracy_of_weights())
        assert found["license"] == "CC0-1.0"

    @pytest.mark.parametrize("about", ["keras"], indirect=True)
    def test_in_keras(self, about: Path) -> None:
        with zipfile.ZipFile(about) as archive:
            self.check(json.loads(archive.read("digitcli.json")))

    @pytest.mark.parametrize("about", ["savedmodel"], indirect=True)
    def test_in_a_saved_model(self, about: Path) -> None:
        self.check(json.loads((about / "assets.extra" / "digitcli.json").read_text()))

    @pytest.mark.parametrize("about", ["onnx"], indirect=True)
    def test_in_onnx(self, about: Path) -> None:
        import onnxruntime

        properties = onnxruntime.InferenceSession(about).get_modelmeta().custom_metadata_map
        found = {**properties, **{key: json.loads(properties[key]) for key in ("labels", "accuracy")}}
        self.check(found)

    @pytest.mark.parametrize("about", ["tflite"], indirect=True)
    def test_in_tflite(self, about: Path) -> None:
        from ai_edge_litert import schema_py_generated as schema

        model = schema.ModelT.InitFromPackedBuf(about.read_bytes(), 0)
        (entry,) = (each for each in model.metadata if each.name == b"digitcli")
        self.check(json.loads(bytes(model.buffers[entry.buffer].data)))

    @pytest.mark.parametrize("about", ["tflite"], indirect=True)
    def test_and_in_a_readme_beside_it(self, about: Path) -> None:
        text = about.with_name("digits.md").read_text()
        assert "# mine: a classifier" in text
        assert "Licence: CC0-1.0" in text
        assert "| `digits` | LiteRT |" in text


def accuracy_of_weights() -> float:
    flat = DATA.test.images.reshape(-1, 784).astype(np.float32) / 255
    return float(np.mean((flat @ tiny_models.WEIGHTS).argmax(1) == DATA.test.labels))


def test_all_formats_of_a_convolutional_network_are_proved(all_exports: list[exporting.Export]) -> None:
    assert [each.format for each in all_exports] == exporting.format_names()
    for each in all_exports:
        assert each.path.exists()
        assert each.accuracy >= 0.8
        if each.format not in ("c", "tflite-fp16", "tflite-int8"):
            assert each.parity.largest_difference <= 1e-4
    sizes = {each.format: each.bytes for each in all_exports}
    assert sizes["tflite-int8"] < sizes["tflite-fp16"] < sizes["tflite"]
    assert sizes["html"] < 5_000_000


@pytest.mark.parametrize("format", [name for name in exporting.format_names() if name not in ("c", "html")])
def test_the_snippet_of_the_readme_reads_a_picture(
    all_exports: list[exporting.Export], format: str, tmp_path: Path
) -> None:
    folder = tmp_path / "exports"
    shutil.copytree(all_exports[0].path.parent, folder)
    (export,) = (each for each in all_exports if each.format == format)
    readme = (folder / "README.md").read_text()
    code = readme.partition(f"### {export.path.name}\n\n```python\n")[2].partition("```")[0]
    assert 5 < len(code.splitlines()) <= 10
    digits = tiny_models.draw_once(50, 9)
    right = classifiers.load(folder / "model.tflite").probabilities(digits.images).argmax(1) == digits.labels
    chosen = int(np.flatnonzero(right)[0])
    Image.fromarray(digits.images[chosen]).save(folder / "digit.png")
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.stdout.split()[-1:] == [str(digits.labels[chosen])], done.stderr


@pytest.mark.parametrize("name", ["cnn", "best", "mlp-dropout", "tiny"])
def test_every_preset_becomes_a_page(name: str, tmp_path: Path, browser: str) -> None:
    preset = PRESETS[name]
    # An eleventh output, for what is no digit, goes the same way.
    spec = replace(preset.model, no_digit=name == "cnn")
    members = [build(spec) for _ in range(preset.members)]
    network = ensemble(members) if preset.members > 1 else members[0]
    network.save(tmp_path / "untrained.keras")
    (export,) = exporting.export(tmp_path / "untrained.keras", "html", tmp_path / "page.html", DATA)
    assert export.parity.largest_difference <= 1e-4
    assert export.bytes < 5_000_000


def test_all_leaves_out_what_a_model_from_elsewhere_cannot_become(
    models: Models, tmp_path: Path, browser: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its random weights leave many pictures on the fence, where 8 bits may fall to either side.
    monkeypatch.setattr(tflite_int8, "BOUND", parity.Bound(0.5, 1000))
    exports = exporting.export(models["tf1"], "all", tmp_path / "all", DATA)
    # It drops out at random, which microcontrollers cannot.
    assert {each.format for each in exports} == set(exporting.format_names()) - {"keras", "c"}
    assert all(each.path.exists() for each in exports)


@pytest.mark.parametrize("format", ["savedmodel", "onnx"])
def test_a_broken_second_entry_fails_the_proof(
    models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: str
) -> None:
    writer = exporting.module(format)
    serve = writer.serving_function

    def broken(network: Any, dtype: str = "float32", batch: int | None = None) -> Any:
        return serve(network if dtype == "float32" else lambda images: network(images * 0.9), dtype, batch)

    monkeypatch.setattr(writer, "serving_function", broken)
    with pytest.raises(ModelError, match="differs from it"):
        exporting.export(models["keras"], format, tmp_path / "exports" / "m", DATA)
    assert list((tmp_path / "exports").iterdir()) == []


def test_what_lies_in_the_way_of_a_companion_stays(models: Models, tmp_path: Path) -> None:
    folder = tmp_path / "exports"
    folder.mkdir()
    (folder / "m-uint8.onnx").write_text("mine")
    with pytest.raises(OutputError, match=r"m-uint8\.onnx exists already"):
        exporting.export(models["keras"], "onnx", folder / "m.onnx", DATA)
    (folder / "m-uint8.onnx").unlink()
    (folder / "m.onnx.md").mkdir()
    with pytest.raises(OutputError, match=r"m\.onnx\.md is a folder"):
        exporting.export(models["keras"], "onnx", folder / "m.onnx", DATA, force=True)
    assert [path.name for path in folder.iterdir()] == ["m.onnx.md"]


def test_a_folder_with_other_things_is_not_replaced_by_all(models: Models, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    for name in ("README.md", "thesis.txt"):
        (project / name).write_text("mine")
    with pytest.raises(OutputError, match=r"project also holds thesis\.txt"):
        exporting.export(models["keras"], "all", project, DATA, force=True)
    assert (project / "thesis.txt").read_text() == "mine"


def test_one_broken_converter_of_all_leaves_nothing(
    models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "format_names", lambda: ["keras", "onnx", "savedmodel"])
    convert = onnx.convert
    wrong = tiny_models.keras_model(scale=1.01)
    monkeypatch.setattr(onnx, "convert", lambda made_from, dtype: convert(material(wrong), dtype))
    folder = tmp_path / "exports"
    with pytest.raises(ModelError, match="differs from it"):
        exporting.export(models["keras"], "all", folder / "all", DATA)
    assert list(folder.iterdir()) == []


def test_too_much_accuracy_lost_fails_the_proof() -> None:
    bound = parity.Bound(accuracy=0.0005)
    with pytest.raises(ModelError, match=r"reads 98\.00% of 1000 images right, the original 99\.00%"):
        parity.prove_accuracy(Stub(1.0), 0.99, 0.98, 1000, bound)  # type: ignore[arg-type]
    parity.prove_accuracy(Stub(1.0), 0.99, 0.989, 1000, bound)  # type: ignore[arg-type]


def test_an_export_that_reads_fewer_images_right_is_refused(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, untrained = tflite.write, material(tiny_models.keras_model())
    monkeypatch.setattr(tflite, "write", lambda made_from, path: write(untrained, path))
    monkeypatch.setattr(tflite, "BOUND", parity.Bound(1.0, 1000, 0.0005), raising=False)
    with pytest.raises(ModelError, match="of 20 images right, the original"):
        exporting.export(trained / "model.keras", "tflite", tmp_path / "out" / "m.tflite", DATA)
    assert list((tmp_path / "out").iterdir()) == []


def test_html_without_a_browser_says_what_to_install(
    models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGITCLI_BROWSER", "no-such-browser")
    with pytest.raises(ModelError, match="Install one, or name its program in DIGITCLI_BROWSER"):
        exporting.export(models["keras"], "html", tmp_path / "page.html", DATA)
    assert not list(tmp_path.glob("page*"))


def test_an_operator_that_the_page_does_not_know_fails_its_proof(tmp_path: Path, browser: str) -> None:
    tf = tiny_models.import_tensorflow()
    module = tf.Module()
    module.weights = tf.Variable(tiny_models.WEIGHTS)
    shape = tf.TensorSpec((None, 784), tf.float32)
    module.call = tf.function(lambda x: {"scores": tf.math.erf(x @ module.weights)}, input_signature=[shape])
    tf.saved_model.save(module, str(tmp_path / "erf"), signatures=module.call)
    with pytest.raises(ModelError, match="cannot compute the operator Erf"):
        exporting.export(tmp_path / "erf", "html", tmp_path / "page.html", DATA)
    assert not list(tmp_path.glob("page*"))


def test_onnx_without_its_packages_says_what_to_install(
    models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'digitcli\[onnx\]'"):
        exporting.export(models["keras"], "onnx", tmp_path / "m.onnx", DATA)
    assert not list(tmp_path.glob("m*"))


class TestABrokenConverter:
    @pytest.fixture(params=["other weights", "rubbish", "crash"])
    def broken(self, request: pytest.FixtureRequest, other: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def write(made_from: Any, path: Path) -> None:
            if request.param == "crash":
                raise RuntimeError("the converter has crashed")
            path.write_bytes(other.read_bytes() if request.param == "other weights" else b"rubbish")

        monkeypatch.setattr(tflite, "write", write)

    @pytest.mark.usefixtures("broken")
    def test_fails_and_leaves_nothing(self, models: Models, tmp_path: Path) -> None:
        folder = tmp_path / "exports"
        with pytest.raises(ModelError, match=r"model\.keras") as caught:
            exporting.export(models["keras"], "tflite", folder / "m.tflite", DATA)
        assert ".partial" not in str(caught.value)
        assert list(folder.iterdir()) == []

    @pytest.mark.usefixtures("broken")
    def test_leaves_what_was_there(self, models: Models, tmp_path: Path) -> None:
        target = tmp_path / "m.tflite"
        target.write_text("mine")
        with pytest.raises(ModelError):
            exporting.export(models["keras"], "tflite", target, DATA, force=True)
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
        assert not result.holds()

    def test_lets_a_tie_fall_either_way(self) -> None:
        assert compare(Stub(0.50002, 0.49998), Stub(0.49999, 0.50001)).holds()

    def test_counts_other_digits(self) -> None:
        assert compare(Stub(0.7, 0.3), Stub(0.3, 0.7)).same_digits == 0

    def test_fails_on_what_is_no_number(self) -> None:
        assert not compare(Stub(0.7, 0.3), Stub(float("nan"), 0.3)).holds()
