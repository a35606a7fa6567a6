"""Models from strangers: none can run code, touch a file or eat the machine, unless it is trusted."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import strangers
import tiny_models
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

import digitcli as package
from digitcli.classifiers import trial
from digitcli.classifiers.risks import keras as keras_risks
from digitcli.errors import ModelError

Run = Callable[..., Any]
DEEDS = "run code, or read or write files"
KERAS = pytest.mark.parametrize("name", ["m.keras", "m.h5"])


@pytest.fixture(autouse=True)
def picture() -> None:
    """one.png in the current folder."""
    image = Image.new("L", (40, 40), 255)
    ImageDraw.Draw(image).line([(20, 5), (20, 35)], fill=0, width=4)
    image.save("one.png")


@pytest.fixture(scope="module")
def tflite(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return tiny_models.write_tflite(tmp_path_factory.mktemp("litert") / "m.tflite").read_bytes()


def assert_refused(result: Any, *words: str) -> None:
    """The model was refused in a line or two that hold these words, and it did no harm."""
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") <= 2
    for word in words:
        assert word in result.stderr
    assert not Path(strangers.HARM).exists()


def assert_works(result: Any) -> None:
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("path\tdigit\tconfidence\tnote\none.png\t")


def named(module: str, name: str, kind: str = "function") -> dict[str, Any]:
    """How a Keras file names a function, or a class."""
    config = name if kind == "function" else {"name": "evil"}
    class_name = "function" if kind == "function" else name
    return {"module": module, "class_name": class_name, "config": config, "registered_name": name}


class TestKeras:
    @KERAS
    @pytest.mark.parametrize(
        "command", [("predict", "one.png", "-m"), ("evaluate",), ("export", "--data", "synthetic")]
    )
    def test_a_lambda_layer_is_refused_by_every_command(
        self, digitcli: Run, name: str, command: tuple[str, ...]
    ) -> None:
        strangers.write_lambda(Path(name))
        result = digitcli(*command, name, "--quiet")
        assert_refused(result, name, "its layer 'evil' (Lambda) could run code", "--trust")

    def test_a_lambda_layer_is_refused_in_the_other_process(self, digitcli: Run, trials: None) -> None:
        strangers.write_lambda(Path("m.h5"))
        assert_refused(digitcli("predict", "one.png", "-m", "m.h5"), "m.h5", "'evil' (Lambda)", "--trust")

    @KERAS
    def test_trust_lets_it_in_and_says_so(self, digitcli: Run, name: str) -> None:
        strangers.write_lambda(Path(name))
        result = digitcli("predict", "one.png", "-m", name, "--trust", "--quiet")
        assert_works(result)
        assert result.stderr == f"Warning: {name} is trusted: its layer 'evil' (Lambda) could {DEEDS}.\n"
        assert Path(strangers.HARM).exists()

    def test_trust_from_python_warns(self) -> None:
        strangers.write_lambda(Path("m.keras"))
        with pytest.raises(ModelError, match="'evil' \\(Lambda\\)"):
            package.load("m.keras")
        with pytest.warns(UserWarning, match="'evil' \\(Lambda\\) could run code"):
            model = package.load("m.keras", trust=True)
        assert model.predict(tiny_models.IMAGES).shape == (20, 10)

    def test_an_export_of_a_trusted_model_is_not_trusted_itself(self, digitcli: Run) -> None:
        strangers.write_lambda(Path("m.keras"))
        result = digitcli(
            "export", "m.keras", "-f", "keras", "-o", "out.keras", "--data", "synthetic", "--trust"
        )
        assert result.exit_code == 0
        assert "Warning: m.keras is trusted" in result.stderr
        Path(strangers.HARM).unlink()
        assert_refused(digitcli("predict", "one.png", "-m", "out.keras"), "out.keras", "'evil' (Lambda)")

    @KERAS
    @pytest.mark.parametrize(
        "kind",
        [
            "__lambda__",
            "TFSMLayer",
            "JaxLayer",
            "FlaxLayer",
            "TorchModuleWrapper",
            "StringLookup",
            "IntegerLookup",
            "TextVectorization",
        ],
    )
    def test_other_layers_that_do_more_than_calculate_are_refused(
        self, digitcli: Run, name: str, kind: str
    ) -> None:
        def edit(config: dict[str, Any]) -> None:
            inside = {"layer": named("keras.layers", kind, "class")}
            strangers.layer(config, "Flatten")["config"]["inside"] = [inside]

        write = strangers.write_h5 if name == "m.h5" else strangers.write_keras
        write(Path(name), edit)
        result = digitcli("predict", "one.png", "-m", name)
        assert_refused(result, name, f"its layer 'evil' ({kind}) could {DEEDS}", "--trust")

    @pytest.mark.parametrize(
        ("entry", "what"),
        [
            (named("os", "system"), "function 'system', which is code of the module 'os'"),
            (named("os.path", "join"), "function 'join', which is code of the module 'os.path'"),
            (
                named("keras.utils", "get_file"),
                "function 'get_file', which is code of the module 'keras.utils'",
            ),
            (named("keras", "utils.get_file"), "function 'utils.get_file'"),
            (named("keras", "utils.get_file", "class"), "layer 'utils.get_file'"),
            (named("keras.models", "load_model"), "function 'load_model'"),
            (named("keras.layers", "TFSMLayer"), "(TFSMLayer)"),
            (named("keras.config", "enable_unsafe_deserialization", "class"), "'keras.config'"),
            (named("keras.src.saving.saving_lib", "load_model", "class"), "'keras.src.saving.saving_lib'"),
            (named("builtins", "eval", "class"), "'builtins'"),
            (
                named("subprocess", "Popen", "class"),
                "layer 'Popen', which is code of the module 'subprocess'",
            ),
            (named("keras_hub.models", "Backbone", "class"), "'keras_hub.models'"),
        ],
    )
    def test_a_function_or_class_of_another_module_is_refused(
        self, digitcli: Run, entry: dict[str, Any], what: str
    ) -> None:
        def edit(config: dict[str, Any]) -> None:
            strangers.layer(config, "Dense")["config"]["activation"] = entry

        strangers.write_keras(Path("m.keras"), edit)
        assert_refused(digitcli("predict", "one.png", "-m", "m.keras"), "m.keras", what)

    def test_a_name_cannot_control_the_terminal(self, digitcli: Run) -> None:
        def edit(config: dict[str, Any]) -> None:
            entry = named("keras.layers", "Lambda", "class")
            entry["config"]["name"] = "\x1b[2J" + "x" * 1000
            strangers.layer(config, "Dense")["config"]["activation"] = entry

        strangers.write_keras(Path("m.keras"), edit)
        result = digitcli("predict", "one.png", "-m", "m.keras")
        assert_refused(result, r"'\x1b[2J")
        assert len(result.stderr) < 300

    def test_how_it_was_trained_may_name_what_it_wants(self, digitcli: Run) -> None:
        def edit(config: dict[str, Any]) -> None:
            config["compile_config"] = {"loss": named("my_losses", "my_loss")}

        strangers.write_keras(Path("m.keras"), edit)
        assert_works(digitcli("predict", "one.png", "-m", "m.keras"))

    @KERAS
    @pytest.mark.parametrize("how", ["link", "storage", "virtual"])
    def test_weights_in_another_file_are_not_read(self, digitcli: Run, name: str, how: str) -> None:
        strangers.write_weights_elsewhere(Path(name), how)
        result = digitcli("predict", "one.png", "-m", name)
        assert_refused(result, name, "lie in another file, 'secret'")

    def test_an_archive_that_expands_enormously_is_refused(self, digitcli: Run) -> None:
        with zipfile.ZipFile("m.keras", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("config.json", "{}")
            archive.writestr("model.weights.h5", bytes(keras_risks.SMALL + 1))
        assert Path("m.keras").stat().st_size < 10**6
        result = digitcli("predict", "one.png", "-m", "m.keras")
        assert_refused(result, "m.keras", "'model.weights.h5' unpacks to far more than its size")

    def test_weights_that_may_be_pickled_are_refused(self, digitcli: Run) -> None:
        strangers.write_keras(Path("m.keras"), lambda config: None)
        with zipfile.ZipFile("m.keras") as old, zipfile.ZipFile("pickled.keras", "w") as new:
            new.writestr("config.json", old.read("config.json"))
            new.writestr("model.weights.npz", b"")
        assert_refused(digitcli("predict", "one.png", "-m", "pickled.keras"), "pickled.keras: is not a model")

    def test_a_configuration_nested_without_end_is_refused(self, digitcli: Run) -> None:
        with zipfile.ZipFile("m.keras", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("config.json", "[" * 10**6)
            archive.writestr("model.weights.h5", b"")
        assert_refused(digitcli("predict", "one.png", "-m", "m.keras"), "m.keras", "damaged")

    def test_a_layer_of_absurd_size_is_one_error(self, digitcli: Run, trials: None) -> None:
        def edit(config: dict[str, Any]) -> None:
            dense = strangers.layer(config, "Dense")
            dense["config"]["units"] = 300_000

        strangers.write_keras(Path("m.keras"), edit)
        result = digitcli("predict", "one.png", "-m", "m.keras")
        assert_refused(result, "m.keras: takes more than 512 MB to load and run", "--trust")


def write_file(tf: Any, y: Any) -> Any:
    with tf.control_dependencies([tf.io.write_file(strangers.HARM, "")]):
        return y + 0


def write_file_in_a_branch(tf: Any, y: Any) -> Any:
    return tf.cond(tf.reduce_sum(y) > 1e9, lambda: write_file(tf, y), lambda: y)


def read_file(tf: Any, y: Any) -> Any:
    return y + tf.cast(tf.strings.length(tf.io.read_file("/etc/hostname")), tf.float32)


def list_files(tf: Any, y: Any) -> Any:
    return y + tf.cast(tf.size(tf.io.matching_files("/etc/*")), tf.float32)


def call_python(tf: Any, y: Any) -> Any:
    return tf.numpy_function(lambda y: y, [y], tf.float32)


def print_it(tf: Any, y: Any) -> Any:
    tf.print("harm")
    return y + 0


def save_it(tf: Any, y: Any) -> Any:
    save = tf.raw_ops.SaveV2(prefix=strangers.HARM, tensor_names=["y"], shape_and_slices=[""], tensors=[y])
    with tf.control_dependencies([save]):
        return y + 0


def map_memory(tf: Any, y: Any) -> Any:
    return y + tf.raw_ops.ImmutableConst(dtype=tf.float32, shape=[1], memory_region_name="/etc/hostname")


def debug_it(tf: Any, y: Any) -> Any:
    return y + tf.cast(tf.raw_ops.DebugNanCount(input=y, debug_urls=["file:///harm"]), tf.float32)


def read_lines(tf: Any, y: Any) -> Any:
    lines = tf.data.TextLineDataset(strangers.HARM).map(tf.strings.length)
    return y + tf.cast(lines.reduce(0, lambda a, b: a + b), tf.float32)


class TestSavedModel:
    @pytest.mark.parametrize(
        ("deed", "operation"),
        [
            (write_file, "WriteFile"),
            (write_file_in_a_branch, "WriteFile"),
            (read_file, "ReadFile"),
            (list_files, "MatchingFiles"),
            (call_python, "PyFunc"),
            (print_it, "PrintV2"),
            (save_it, "SaveV2"),
            (map_memory, "ImmutableConst"),
            (debug_it, "DebugNanCount"),
            (read_lines, "MapDataset"),
        ],
    )
    def test_an_operation_that_does_more_than_calculate_is_refused(
        self, digitcli: Run, deed: Callable[[Any, Any], Any], operation: str
    ) -> None:
        strangers.write_tf2(Path("model"), deed)
        result = digitcli("predict", "one.png", "-m", "model")
        assert_refused(result, "model: ", operation, DEEDS, "--trust")

    def test_it_is_refused_in_the_other_process(self, digitcli: Run, trials: None) -> None:
        strangers.write_tf2(Path("model"), write_file)
        assert_refused(digitcli("predict", "one.png", "-m", "model"), "its operation WriteFile", "--trust")

    def test_trust_lets_it_in_and_says_so(self, digitcli: Run) -> None:
        strangers.write_tf2(Path("model"), write_file)
        result = digitcli("evaluate", "model", "--trust", "--quiet", "--data", "synthetic")
        assert result.exit_code == 0
        assert result.stderr == f"Warning: model is trusted: its operation WriteFile could {DEEDS}.\n"
        assert Path(strangers.HARM).exists()

    def test_a_saver_that_may_be_called_in_place_of_another_function_is_refused(self, digitcli: Run) -> None:
        def edit(graph: Any) -> None:
            (saver,) = (f for f in graph.graph_def.library.function if "traced_save" in f.signature.name)
            saver.attr["api_implements"].s = b"anything"

        strangers.edit_graph(tiny_models.write_tf2(Path("model")), edit)
        assert_refused(digitcli("predict", "one.png", "-m", "model"), "its operation MergeV2Checkpoints")

    def test_several_graphs_of_tensorflow_2_are_refused(self, digitcli: Run) -> None:
        # TensorFlow loads such as one of TensorFlow 1, and so would run what was not looked at.
        from tensorflow.core.protobuf import saved_model_pb2

        file = tiny_models.write_tf2(Path("model")) / "saved_model.pb"
        saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
        saved.meta_graphs.add()
        file.write_bytes(saved.SerializeToString())
        assert_refused(digitcli("predict", "one.png", "-m", "model"), "model: holds several graphs")

    @pytest.mark.parametrize("harm", ["output", "restore"])
    def test_of_tensorflow_1_that_writes_a_file_is_refused(self, digitcli: Run, harm: str) -> None:
        strangers.write_tf1(Path("model"), harm=harm)
        result = digitcli("predict", "one.png", "-m", "model")
        assert_refused(result, "model: ", "its operation WriteFile", "--trust")

    def test_of_tensorflow_1_that_restores_from_elsewhere_is_refused(self, digitcli: Run) -> None:
        def edit(graph: Any) -> None:
            graph.saver_def.filename_tensor_name = "x:0"

        strangers.edit_graph(tiny_models.write_tf1(Path("model")), edit)
        assert_refused(digitcli("predict", "one.png", "-m", "model"), "operation RestoreV2")

    def test_the_initialiser_of_tensorflow_1_is_not_run(self, digitcli: Run) -> None:
        strangers.write_tf1(Path("model"), harm="init")
        assert_works(digitcli("predict", "one.png", "-m", "model"))
        assert not Path(strangers.HARM).exists()


def fill(tf: Any, y: Any) -> Any:
    return y + tf.reduce_max(tf.fill((1 << 14, 1 << 14), y[0, 0]))


def loop(tf: Any, y: Any) -> Any:
    return tf.while_loop(lambda y: tf.reduce_sum(y * 0) < 1, lambda y: [y * 1.0], [y])[0]


@pytest.mark.usefixtures("trials")
class TestLiteRT:
    def test_an_ordinary_one_works(self, digitcli: Run, tflite: bytes) -> None:
        Path("m.tflite").write_bytes(tflite)
        assert_works(digitcli("predict", "one.png", "-m", "m.tflite"))

    def test_one_that_fills_the_memory_is_one_error(self, digitcli: Run) -> None:
        strangers.write_tflite(Path("m.tflite"), fill)
        result = digitcli("predict", "one.png", "-m", "m.tflite")
        assert_refused(result, "m.tflite: takes more than 512 MB to load and run", "--trust")

    def test_one_without_end_is_one_error(self, digitcli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(trial, "SECONDS", 1)
        monkeypatch.setattr(trial, "PATIENCE", 60)
        strangers.write_tflite(Path("m.tflite"), loop)
        result = digitcli("predict", "one.png", "-m", "m.tflite")
        assert_refused(result, "m.tflite: takes more than 1 s to load and run", "--trust")

    @pytest.mark.parametrize("tensor", range(11))
    def test_a_tensor_of_absurd_shape_is_one_error(self, digitcli: Run, tflite: bytes, tensor: int) -> None:
        def edit(model: Any, graph: Any) -> None:
            graph.tensors[tensor].shape = [1 << 30, 1 << 30]
            graph.tensors[tensor].shapeSignature = None

        Path("m.tflite").write_bytes(tflite)
        strangers.edit_tflite(Path("m.tflite"), edit)
        result = digitcli("predict", "one.png", "-m", "m.tflite")
        # Those that are worked out again as it runs may say what they want.
        assert result.exit_code == 0 or assert_refused(result, "m.tflite: ") is None

    @given(share=st.floats(0, 0.999))
    @settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_one_cut_short_is_one_error(self, digitcli: Run, tflite: bytes, share: float) -> None:
        Path("m.tflite").write_bytes(tflite[: int(len(tflite) * share)])
        assert_refused(digitcli("predict", "one.png", "-m", "m.tflite"), "m.tflite: ")


@pytest.mark.usefixtures("trials")
class TestOnnx:
    def test_an_ordinary_one_works(self, digitcli: Run) -> None:
        strangers.write_onnx(Path("m.onnx"))
        assert_works(digitcli("predict", "one.png", "-m", "m.onnx"))

    @pytest.mark.parametrize("exponent", [28, 40])
    def test_one_that_fills_the_memory_is_one_error(self, digitcli: Run, exponent: int) -> None:
        from onnx import helper

        nodes = [
            helper.make_node("Expand", ["one", "size"], ["huge"]),
            helper.make_node("ReduceMax", ["huge"], ["least"], keepdims=0),
            helper.make_node("Add", ["given", "least"], ["logits"]),
        ]
        constants = {"one": np.ones(1, np.float32), "size": np.array([1 << exponent])}
        strangers.write_onnx(Path("m.onnx"), *nodes, constants=constants)
        result = digitcli("predict", "one.png", "-m", "m.onnx")
        assert_refused(result, "m.onnx: takes more than 512 MB to load and run", "--trust")

    def test_one_without_end_is_one_error(self, digitcli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        from onnx import TensorProto, helper

        monkeypatch.setattr(trial, "SECONDS", 1)
        monkeypatch.setattr(trial, "PATIENCE", 60)
        body = helper.make_graph(
            [helper.make_node("Identity", ["on"], ["on_"]), helper.make_node("Identity", ["v"], ["v_"])],
            "body",
            [
                helper.make_tensor_value_info("n", TensorProto.INT64, []),
                helper.make_tensor_value_info("on", TensorProto.BOOL, []),
                helper.make_tensor_value_info("v", TensorProto.FLOAT, None),
            ],
            [
                helper.make_tensor_value_info("on_", TensorProto.BOOL, []),
                helper.make_tensor_value_info("v_", TensorProto.FLOAT, None),
            ],
        )
        endless = helper.make_node("Loop", ["", "true", "given"], ["logits"], body=body)
        strangers.write_onnx(Path("m.onnx"), endless, constants={"true": np.array(True)})
        result = digitcli("predict", "one.png", "-m", "m.onnx")
        assert_refused(result, "m.onnx: takes more than 1 s to load and run", "--trust")

    def test_a_constant_of_absurd_shape_is_one_error(self, digitcli: Run) -> None:
        def edit(model: Any) -> None:
            model.graph.initializer[0].dims[0] = 1 << 40

        strangers.edit_onnx(strangers.write_onnx(Path("m.onnx")), edit)
        assert_refused(digitcli("predict", "one.png", "-m", "m.onnx"), "m.onnx: ")

    @pytest.mark.parametrize("place", ["../secret", "link"])
    def test_weights_outside_of_its_folder_are_not_read(self, digitcli: Run, place: str) -> None:
        def edit(model: Any) -> None:
            weights = model.graph.initializer[0]
            content = weights.raw_data
            weights.ClearField("raw_data")
            weights.data_location = 1
            for key, value in {"location": place, "offset": 0, "length": len(content)}.items():
                weights.external_data.add(key=key, value=str(value))
            Path("secret").write_bytes(content)

        Path("in").mkdir()
        Path("in/link").symlink_to("../secret")
        strangers.edit_onnx(strangers.write_onnx(Path("in/m.onnx")), edit)
        assert_refused(digitcli("predict", "one.png", "-m", "in/m.onnx"), "m.onnx: ", "escapes")


@pytest.mark.parametrize("name", ["m.tflite", "m.onnx"])
@given(data=st.data())
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_file_with_flipped_bytes_works_or_is_one_error(
    digitcli: Run, trials: None, tflite: bytes, name: str, data: st.DataObject
) -> None:
    content = bytearray(tflite if name == "m.tflite" else strangers.write_onnx(Path(name)).read_bytes())
    # Not in the weights, which may be any, but in what comes before and after.
    places = st.integers(0, 300) | st.integers(len(content) - 2000, len(content) - 1)
    for place in data.draw(st.lists(places, min_size=1, max_size=4)):
        content[place] ^= data.draw(st.integers(1, 255))
    Path(name).write_bytes(content)
    result = digitcli("predict", "one.png", "-m", name)
    if result.exit_code == 0:
        assert_works(result)
    else:
        assert_refused(result, f"{name}: ")
