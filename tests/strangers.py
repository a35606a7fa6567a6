"""Model files made to do harm. Each would make the file HARM in the current folder, if let."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tiny_models

from digitcli.system.tensorflow_setup import import_tensorflow

HARM = "harm"


def write_lambda(path: Path) -> Path:
    """A .keras or .h5 file with a Lambda layer called `evil`."""
    import_tensorflow()
    import keras

    evil = keras.layers.Lambda(lambda x: [x, __import__("pathlib").Path("harm").touch()][0], name="evil")
    keras.Sequential([tiny_models.keras_model(), evil]).save(path)
    Path(HARM).unlink()  # the layer was called to find out its output's shape
    return path


def write_keras(path: Path, edit: Callable[[dict[str, Any]], None]) -> Path:
    """A .keras file whose configuration was edited: that of `tiny_models.keras_model`."""
    tiny_models.keras_model().save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(parts["config.json"])
    edit(config)
    parts["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def write_h5(path: Path, edit: Callable[[dict[str, Any]], None]) -> Path:
    """The same as an .h5 file."""
    import h5py

    tiny_models.keras_model().save(path)
    with h5py.File(path, "a") as file:
        config = json.loads(file.attrs["model_config"])
        edit(config)
        file.attrs["model_config"] = json.dumps(config)
    return path


def layer(config: dict[str, Any], kind: str) -> dict[str, Any]:
    """The first layer of that class in a configuration."""
    return next(each for each in config["config"]["layers"] if each["class_name"] == kind)


def write_weights_elsewhere(path: Path, how: str) -> Path:
    """A .keras or .h5 file whose weights lie in the file `secret`: by a "link", as "storage" or "virtual"."""
    import h5py

    with h5py.File("secret", "w") as file:
        file["w"] = tiny_models.WEIGHTS

    def replace(file: Any, name: str) -> None:
        del file[name]
        if how == "link":
            file[name] = h5py.ExternalLink("secret", "w")
        elif how == "storage":
            file.create_dataset(name, (784, 10), "f4", external=[("secret", 0, 31360)])
        else:
            layout = h5py.VirtualLayout((784, 10), "f4")
            layout[:] = h5py.VirtualSource("secret", "w", (784, 10))
            file.create_virtual_dataset(name, layout)

    def in_place(target: Path) -> None:
        with h5py.File(target, "a") as file:
            names: list[str] = []
            file.visititems(
                lambda name, item: names.append(name) if getattr(item, "shape", ()) == (784, 10) else None
            )
            replace(file, names[0])

    tiny_models.keras_model().save(path)
    if path.suffix == ".h5":
        in_place(path)
        return path
    weights = Path("model.weights.h5")
    with zipfile.ZipFile(path) as archive:
        config = archive.read("config.json")
        archive.extract(weights.name)
    in_place(weights)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", config)
        archive.write(weights)
    return path


def write_tf2(path: Path, deed: Callable[[Any, Any], Any]) -> Path:
    """A SavedModel of TensorFlow 2 that does a deed: what that makes of `tf` and the logits is given."""
    tf = import_tensorflow()
    module = tf.Module()
    module.weights = tf.Variable(tiny_models.WEIGHTS)

    def call(x: Any) -> Any:
        return {"scores": tf.ensure_shape(deed(tf, tf.reshape(x, (-1, 784)) @ module.weights), (None, 10))}

    module.call = tf.function(call, input_signature=[tf.TensorSpec((None, 28, 28), tf.float32, name="x")])
    tf.saved_model.save(module, str(path), signatures={"serving_default": module.call})
    return path


def edit_graph(path: Path, edit: Callable[[Any], None]) -> Path:
    """Edits the MetaGraphDef of a SavedModel."""
    from tensorflow.core.protobuf import saved_model_pb2

    file = path / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    edit(saved.meta_graphs[0])
    file.write_bytes(saved.SerializeToString())
    return path


def write_tf1(path: Path, *, harm: str) -> Path:
    """A SavedModel of TensorFlow 1 that writes a file: for its "output", or at its "init" or "restore"."""
    tf = import_tensorflow()
    v1 = tf.compat.v1
    with v1.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, (None, 784), name="x")
        weights = v1.get_variable("W", initializer=tiny_models.WEIGHTS, use_resource=False)
        write = tf.io.write_file(HARM, "")
        with tf.control_dependencies([write] if harm == "output" else []):
            y = tf.nn.softmax(v1.matmul(x, weights))
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            {"serving_default": v1.saved_model.predict_signature_def({"x": x}, {"y": y})},
            main_op=write if harm == "init" else None,
        )
        builder.save()
    if harm == "restore":
        edit_graph(path, lambda graph: setattr(graph.saver_def, "restore_op_name", write.name))
    return path


def edit_tflite(path: Path, edit: Callable[[Any, Any], None]) -> Path:
    """Edits the ModelT of a .tflite file, and its first SubGraphT."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    edit(model, model.subgraphs[0])
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


def write_tflite(path: Path, deed: Callable[[Any, Any], Any]) -> Path:
    """A .tflite that gives what `deed`, called with `tf` and the logits, makes of them."""
    tf = import_tensorflow()
    function = tf.function(
        lambda x: tf.nn.softmax(deed(tf, tf.reshape(x, (-1, 784)) @ tiny_models.WEIGHTS)),
        input_signature=[tf.TensorSpec((None, 28, 28, 1), tf.float32)],
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()])
    path.write_bytes(converter.convert())
    return path


def write_onnx(path: Path, *nodes: Any, constants: dict[str, Any] | None = None) -> Path:
    """An ONNX file of one dense layer, from `x`; `nodes` make `logits` of its output, called `given`."""
    from onnx import TensorProto, helper, numpy_helper

    whole = [
        helper.make_node("MatMul", ["x", "weights"], ["given"]),
        *(nodes or [helper.make_node("Identity", ["given"], ["logits"])]),
        helper.make_node("Softmax", ["logits"], ["y"]),
    ]
    tensors = {"weights": tiny_models.WEIGHTS, **(constants or {})}
    graph = helper.make_graph(
        whole,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 784])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 10])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in tensors.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def edit_onnx(path: Path, edit: Callable[[Any], None]) -> Path:
    """Edits the ModelProto of an .onnx file."""
    import onnx

    model = onnx.load(path)
    edit(model)
    path.write_bytes(model.SerializeToString())
    return path
