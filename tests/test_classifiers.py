from __future__ import annotations

import gc
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import strangers
import tiny_models
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import IMAGES

from digitcli import classifiers
from digitcli.classifiers.classifier import BATCH, softmax
from digitcli.errors import MissingExtraError, ModelError, UsageError
from digitcli.images.augmentation import views
from digitcli.system import tensorflow_setup


@pytest.fixture(scope="session")
def tflite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.write_tflite(tmp_path_factory.mktemp("litert") / "model.tflite")


@pytest.fixture(scope="session")
def keras_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keras") / "model.keras"
    tiny_models.keras_model().save(path)
    return path


def assert_gives_expected(classifier: classifiers.Classifier, atol: float = 1e-5) -> None:
    probabilities = classifier.probabilities(IMAGES)
    assert probabilities.shape == (len(IMAGES), 10)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities, tiny_models.expected(), atol=atol)


@pytest.mark.usefixtures("tensorflow")  # which makes the files
class TestLiteRT:
    def test_gives_the_networks_probabilities(self, tflite: Path) -> None:
        classifier = classifiers.load(tflite)
        assert classifier.runtime == "LiteRT"
        assert classifier.path == tflite
        assert_gives_expected(classifier)

    def test_gives_the_mean_over_several_views(self, tflite: Path) -> None:
        plain, averaged = classifiers.load(tflite), classifiers.load(tflite, views=4)
        each = [plain.probabilities(view) for view in views(IMAGES, 4)]
        np.testing.assert_allclose(averaged.probabilities(IMAGES), np.mean(each, axis=0), atol=1e-6)
        assert averaged.probabilities(IMAGES[:0]).shape == (0, 10)

    def test_less_than_one_view_is_refused(self, tflite: Path) -> None:
        with pytest.raises(UsageError, match="At least one view"):
            classifiers.load(tflite, views=0)

    @pytest.mark.parametrize("activation", ["softmax", None])
    def test_an_eleventh_output_is_the_probability_of_no_digit(
        self, tmp_path: Path, activation: str | None
    ) -> None:
        model = tiny_models.keras_model(classes=11, activation=activation)
        model.save(tmp_path / "model.keras")
        tiny_models.write_tflite(tmp_path / "model.tflite", classes=11, activation=activation)
        outputs = model(tiny_models.pixels().reshape(-1, 28, 28, 1)).numpy()
        expected = (outputs if activation else softmax(outputs))[:, :10]
        for name in ("model.tflite", "model.keras"):
            rows = classifiers.load(tmp_path / name).probabilities(IMAGES)
            np.testing.assert_allclose(rows, expected, atol=1e-5)
            assert (rows.sum(1) < 1).all()

    def test_softmax_is_applied_to_logits(self, tmp_path: Path) -> None:
        classifier = classifiers.load(tiny_models.write_tflite(tmp_path / "m.tflite", activation=None))
        assert classifier.gives_logits
        assert_gives_expected(classifier)

    def test_a_flat_input_is_taken(self, tmp_path: Path) -> None:
        assert_gives_expected(
            classifiers.load(tiny_models.write_direct_tflite(tmp_path / "m.tflite", (784,)))
        )

    @pytest.mark.parametrize("batch", [1, 32])
    def test_a_fixed_batch_is_resized(self, tmp_path: Path, batch: int) -> None:
        path = tiny_models.write_fixed_tflite(tmp_path / "m.tflite", batch, resizable=True)
        assert_gives_expected(classifiers.load(path))

    @pytest.mark.parametrize("batch", [1, 7, 32])
    def test_a_batch_size_built_into_the_graph_is_kept(self, tmp_path: Path, batch: int) -> None:
        path = tiny_models.write_fixed_tflite(tmp_path / "m.tflite", batch, resizable=False)
        assert_gives_expected(classifiers.load(path))

    def test_quantised_numbers_are_scaled(self, tmp_path: Path) -> None:
        assert_gives_expected(
            classifiers.load(tiny_models.write_int8_tflite(tmp_path / "m.tflite")), atol=0.02
        )

    def test_any_number_of_pictures_gives_the_same_rows(self, tflite: Path) -> None:
        classifier = classifiers.load(tflite)
        many = np.concatenate([IMAGES] * 30)[: 2 * BATCH + 1]
        whole = classifier.probabilities(many)
        single = np.concatenate([classifier.probabilities(many[i : i + 1]) for i in range(len(IMAGES))])
        np.testing.assert_allclose(whole[: len(IMAGES)], single, atol=1e-6)
        assert classifier.probabilities(IMAGES[:0]).shape == (0, 10)

    def test_needs_no_tensorflow_and_says_nothing(self, tflite: Path) -> None:
        code = (
            "import sys, pathlib, numpy as np; from digitcli import classifiers;"
            f"model = classifiers.load(pathlib.Path({str(tflite)!r}));"
            "model.probabilities(np.zeros((300, 28, 28), np.uint8));"
            "assert not {'tensorflow', 'keras'} & set(sys.modules), 'imported'"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    @pytest.mark.parametrize("shape", [(32, 32, 3), (28, 28, 3), (100,)])
    def test_other_input_sizes_are_refused(self, tmp_path: Path, shape: tuple[int, ...]) -> None:
        path = tiny_models.write_direct_tflite(tmp_path / "m.tflite", shape)
        with pytest.raises(ModelError, match=r"m\.tflite: takes .*, digitcli gives 28x28"):
            classifiers.load(path)

    def test_other_output_sizes_are_refused(self, tmp_path: Path) -> None:
        path = tiny_models.write_tflite(tmp_path / "m.tflite", classes=5)
        with pytest.raises(ModelError, match=r"m\.tflite: gives 5 classes, 10 expected"):
            classifiers.load(path)

    @given(share=st.floats(0, 0.999))
    @settings(max_examples=20, deadline=None)
    def test_a_file_cut_short_is_refused(
        self, tmp_path_factory: pytest.TempPathFactory, tflite: Path, share: float
    ) -> None:
        whole = tflite.read_bytes()
        cut = tmp_path_factory.getbasetemp() / "cut.tflite"
        cut.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(ModelError, match=r"cut\.tflite"):
            classifiers.load(cut)


@pytest.mark.usefixtures("tensorflow")
class TestKeras:
    def test_gives_the_networks_probabilities(self, keras_file: Path) -> None:
        classifier = classifiers.load(keras_file)
        assert classifier.runtime == "Keras"
        assert_gives_expected(classifier)

    @pytest.mark.parametrize("suffix", [".keras", ".h5"])
    @pytest.mark.parametrize("shape", [(784,), (28, 28), (1, 28, 28)])
    def test_the_usual_input_shapes_and_logits_are_taken(
        self, tmp_path: Path, suffix: str, shape: tuple[int, ...]
    ) -> None:
        path = tmp_path / f"m{suffix}"
        tiny_models.keras_model(shape, activation=None).save(path)
        assert_gives_expected(classifiers.load(path))

    @pytest.mark.parametrize("suffix", [".keras", ".h5"])
    def test_files_are_known_by_content_not_name(self, tmp_path: Path, suffix: str) -> None:
        path = tmp_path / f"m{suffix}"
        tiny_models.keras_model().save(path)
        assert_gives_expected(classifiers.load(path.rename(tmp_path / "model.bin")))

    def test_an_h5_file_as_keras_2_wrote_it_is_read(self, tmp_path: Path) -> None:
        def edit(config: dict[str, Any]) -> None:
            layers = config["config"]["layers"]
            layers[0]["config"] = {"batch_input_shape": [None, 28, 28, 1], "name": "flatten_input"}
            layers[-1]["config"]["kernel_initializer"] = {
                "class_name": "VarianceScaling",
                "config": {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform", "seed": None},
            }
            for layer in layers:
                for key in ("module", "registered_name", "build_config"):
                    layer.pop(key, None)
                layer["config"]["dtype"] = "float32"

        assert_gives_expected(classifiers.load(strangers.write_h5(tmp_path / "m.h5", edit)))

    def test_a_fixed_batch_is_kept(self, tmp_path: Path) -> None:
        import keras

        model = tiny_models.keras_model()
        inputs = keras.Input(batch_shape=(6, 28, 28, 1))
        fixed = keras.Model(inputs, model(inputs))
        fixed.save(tmp_path / "m.keras")
        assert_gives_expected(classifiers.load(tmp_path / "m.keras"))

    def test_a_lambda_layer_is_not_run(self, tmp_path: Path) -> None:
        import keras

        model = keras.Sequential([tiny_models.keras_model(), keras.layers.Lambda(lambda x: x * 1)])
        model.save(tmp_path / "m.keras")
        with pytest.raises(ModelError, match=r"m\.keras: .*Lambda"):
            classifiers.load(tmp_path / "m.keras")

    def test_a_layer_that_keras_does_not_know_is_named(self, tmp_path: Path) -> None:
        import keras

        class Unheard(keras.layers.Layer):
            def call(self, x: object) -> object:
                return x

        model = keras.Sequential([tiny_models.keras_model(), Unheard()])
        model.save(tmp_path / "m.keras")
        with pytest.raises(ModelError, match=r"m\.keras: Keras does not know its layer 'Unheard'"):
            classifiers.load(tmp_path / "m.keras")

    def test_wrong_sizes_are_told(self, tmp_path: Path) -> None:
        tiny_models.keras_model((32, 32, 3)).save(tmp_path / "in.keras")
        tiny_models.keras_model(classes=5).save(tmp_path / "out.keras")
        with pytest.raises(ModelError, match=r"takes \(None, 32, 32, 3\), digitcli gives 28x28"):
            classifiers.load(tmp_path / "in.keras")
        with pytest.raises(ModelError, match="gives 5 classes, 10 expected"):
            classifiers.load(tmp_path / "out.keras")

    def test_two_inputs_are_refused(self, tmp_path: Path) -> None:
        import keras

        a, b = keras.Input((28, 28, 1)), keras.Input((28, 28, 1))
        model = tiny_models.keras_model()
        keras.Model([a, b], keras.layers.add([model(a), model(b)])).save(tmp_path / "m.keras")
        with pytest.raises(ModelError, match="has 2 inputs and 1 outputs, one of each expected"):
            classifiers.load(tmp_path / "m.keras")

    def test_weights_alone_are_told_from_a_model(self, tmp_path: Path) -> None:
        tiny_models.keras_model().save_weights(tmp_path / "m.weights.h5")
        with pytest.raises(ModelError, match=r"m\.weights\.h5: holds weights without a model"):
            classifiers.load(tmp_path / "m.weights.h5")

    def test_weights_that_are_no_numbers_are_refused(self, tmp_path: Path) -> None:
        model = tiny_models.keras_model()
        model.layers[-1].set_weights([np.full((784, 10), np.nan)])
        model.save(tmp_path / "m.keras")
        with pytest.raises(ModelError, match="NaN"):
            classifiers.load(tmp_path / "m.keras")

    @pytest.mark.parametrize("suffix", [".keras", ".h5"])
    @pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
    def test_a_file_cut_short_is_refused(self, tmp_path: Path, suffix: str, share: float) -> None:
        path = tmp_path / f"m{suffix}"
        tiny_models.keras_model().save(path)
        whole = path.read_bytes()
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(ModelError, match="damaged"):
            classifiers.load(path)

    def test_without_tensorflow_says_how_to_install_it(
        self, keras_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tensorflow_setup.importlib.util, "find_spec", lambda name: None)
        with pytest.raises(MissingExtraError, match="pip install"):
            classifiers.load(keras_file)


@pytest.mark.usefixtures("tensorflow")
class TestSavedModel:
    @pytest.mark.parametrize(
        "make",
        [
            pytest.param(tiny_models.write_tf2, id="tf2"),
            pytest.param(lambda path: tiny_models.write_tf2(path, ("predict",)), id="tf2 named otherwise"),
            pytest.param(lambda path: tiny_models.write_tf2(path, training=True), id="tf2 with a flag"),
            pytest.param(tiny_models.write_tf1, id="tf1"),
            pytest.param(
                lambda path: tiny_models.write_tf1(path, signature="predict_images"), id="tf1 named otherwise"
            ),
            pytest.param(
                lambda path: tiny_models.write_tf1(path, dropout_in_signature=True), id="tf1 dropout told"
            ),
            pytest.param(
                lambda path: tiny_models.write_tf1(path, (None, 28, 28), softmax=False), id="tf1 28x28 logits"
            ),
            pytest.param(lambda path: tiny_models.write_tf1(path, (None, 28, 28, 1)), id="tf1 28x28x1"),
            pytest.param(lambda path: tiny_models.write_tf1(path, (6, 784)), id="tf1 fixed batch"),
        ],
    )
    def test_of_every_kind_gives_the_networks_probabilities(
        self, tmp_path: Path, make: Callable[[Path], Path]
    ) -> None:
        classifier = classifiers.load(make(tmp_path / "model"))
        assert classifier.runtime == "TensorFlow"
        assert_gives_expected(classifier)

    def test_made_by_keras_gives_the_networks_probabilities(self, tmp_path: Path) -> None:
        tiny_models.keras_model((28, 28)).export(tmp_path / "model", verbose=False)
        assert_gives_expected(classifiers.load(tmp_path / "model"))

    def test_several_signatures_without_a_default_are_named(self, tmp_path: Path) -> None:
        path = tiny_models.write_tf2(tmp_path / "model", ("classify", "embed"))
        with pytest.raises(ModelError, match=r"none of its signatures .* only classify, embed"):
            classifiers.load(path)

    def test_wrong_sizes_are_told(self, tmp_path: Path) -> None:
        tiny_models.keras_model((32, 32, 3)).export(tmp_path / "in", verbose=False)
        tiny_models.keras_model(classes=5).export(tmp_path / "out", verbose=False)
        with pytest.raises(ModelError, match=r"takes \(None, 32, 32, 3\), digitcli gives 28x28"):
            classifiers.load(tmp_path / "in")
        with pytest.raises(ModelError, match="gives 5 classes, 10 expected"):
            classifiers.load(tmp_path / "out")

    def test_without_its_variables_is_damaged(self, tmp_path: Path) -> None:
        path = tiny_models.write_tf2(tmp_path / "model")
        for file in (path / "variables").iterdir():
            file.unlink()
        with pytest.raises(ModelError, match="model: TensorFlow cannot load it"):
            classifiers.load(path)

    def test_a_damaged_graph_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "saved_model.pb").write_bytes(b"\xff" * 100)
        with pytest.raises(ModelError, match="TensorFlow cannot load it"):
            classifiers.load(tmp_path)


class TestNoModel:
    def test_a_path_with_nothing_there(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match=r"no model at .*absent\.tflite"):
            classifiers.load(tmp_path / "absent.tflite")

    def test_a_folder_without_a_model(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="is a folder without a model"):
            classifiers.load(tmp_path)

    def test_the_inside_of_a_saved_model(self, tmp_path: Path) -> None:
        (tmp_path / "saved_model.pb").write_bytes(b"\x08\x01\x12\x00graph")
        with pytest.raises(ModelError, match=f"Give its folder, {tmp_path}"):
            classifiers.load(tmp_path / "saved_model.pb")

    @pytest.mark.parametrize("content", [b"", b"TFL3", b"# a text\n" * 9, b"\x89PNG\r\n\x1a\n" + bytes(99)])
    def test_any_other_file(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "model.keras").write_bytes(content)
        with pytest.raises(ModelError, match=r"model\.keras: is not a model"):
            classifiers.load(tmp_path / "model.keras")

    def test_an_archive_of_something_else(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
            archive.writestr("letter.txt", "Dear reader")
        with pytest.raises(ModelError, match="is not a model"):
            classifiers.load(tmp_path / "model.keras")


@pytest.mark.usefixtures("tensorflow")
@pytest.mark.parametrize("wanted", [True, False])
def test_garbage_is_collected_after_tensorflow_is_imported_as_it_was_before(wanted: bool) -> None:
    (gc.enable if wanted else gc.disable)()
    try:
        tensorflow_setup.import_tensorflow()
        assert gc.isenabled() == wanted
    finally:
        gc.enable()
