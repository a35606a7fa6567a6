"""The TensorFlow side of `classifiers`: Keras files and SavedModels, brought to one convention.

A network here is a keras.Model or tf.Module that is called with (n, 28, 28, 1) float32 in 0-1.
"""

from __future__ import annotations

import math
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from digitcli.convention import CLASSES, NO_DIGIT, SIDE
from digitcli.errors import ModelError
from digitcli.system.quiet import native_stderr_hidden
from digitcli.system.tensorflow_setup import import_tensorflow

DEFAULT_SIGNATURE = "serving_default"
UINT8_SIGNATURE = "serving_uint8"
OUTPUT = "probabilities"
"""What the last layer of a Keras model and the output of a signature are called."""


def load_keras(path: Path, kind: Literal["keras", "h5"], *, safe: bool = True) -> tuple[Any, int | None]:
    """A keras.Model from a .keras or .h5 file, and the only batch size it takes, or None for any.

    safe: code that the file brings along (Lambda layers) is not run; see also risks.keras.
    Raises ModelError if it cannot be read or does not take one 28x28 picture.
    """
    import_tensorflow()
    import keras

    try:
        # Keras goes by the ending of the name, we by the content.
        with _named(path, f"model.{kind}") as named, native_stderr_hidden():
            model = keras.saving.load_model(named, compile=False, safe_mode=safe)
    except Exception as error:  # Keras raises nearly every kind there is
        raise ModelError(f"{path}: {_why_keras_failed(error)}") from error
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ModelError(
            f"{path}: has {len(model.inputs)} inputs and {len(model.outputs)} outputs, one of each expected."
        )
    shape = model.inputs[0].shape
    picture = picture_shape(path, shape)
    if picture != (SIDE, SIDE, 1):
        inputs = keras.Input((SIDE, SIDE, 1), shape[0], name="image")
        model = keras.Model(inputs, model(keras.layers.Reshape(picture)(inputs)))
    return model, shape[0]


def load_saved_model(path: Path) -> tuple[Any, int | None]:
    """A tf.Module from a SavedModel folder of TensorFlow 1 or 2, and the only batch size it takes, or None.

    Takes the signature serving_default, else the only one. Other inputs than the picture get what they have
    when a model is used: 1 for keep_prob, 0 for a dropout rate, false for is_training.
    Raises ModelError if it cannot be read or does not take one 28x28 picture.
    """
    tf = import_tensorflow()
    try:
        with native_stderr_hidden():
            graph = read_graph(path)
            signature = _signature(path, graph)
            image = _picture_input(path, signature)
            shape = _shape(signature.inputs[image])
            reshape = (-1, *picture_shape(path, shape))
            read = _read_tf2 if _has_objects(graph) else _read_tf1
            function, owner = read(path, graph, signature, image)
    except ModelError:
        raise
    except Exception as error:  # TensorFlow raises nearly every kind there is
        raise ModelError(f"{path}: TensorFlow cannot load it: {first_line(error)}") from error
    dtype = tf.as_dtype(signature.inputs[image].dtype)

    def call(images: Any) -> Any:
        pixels = images if dtype.is_floating else images * 255
        return function(tf.cast(tf.reshape(pixels, reshape), dtype))

    return _module(call, owner), shape[0] if shape else None


def with_softmax(network: Any) -> Any:
    """The network, followed by a softmax, as (n, classes)."""
    tf = import_tensorflow()
    import keras

    if isinstance(network, keras.Model):
        logits = network.outputs[0]
        if len(logits.shape) > 2:
            logits = keras.layers.Flatten()(logits)
        return keras.Model(network.inputs, keras.layers.Softmax(name=OUTPUT)(logits))
    return _module(lambda images: tf.nn.softmax(_flat(network(images))), network)


def serving_function(network: Any, dtype: str = "float32", batch: int | None = None) -> Any:
    """A tf.function from `images`, (n, 28, 28, 1), to {"probabilities": (n, 10 or 11) float32}.

    dtype: of the images: float32 in 0-1, or uint8 in 0-255. batch: the one n that it takes; None for any.
    """
    tf = import_tensorflow()
    import keras

    inference = {"training": False} if isinstance(network, keras.Model) else {}

    def serve(images: Any) -> Any:
        pixels = images if dtype == "float32" else tf.cast(images, tf.float32) / 255
        return {OUTPUT: tf.cast(_flat(network(pixels, **inference)), tf.float32)}

    images = tf.TensorSpec((batch, SIDE, SIDE, 1), dtype, name="images")
    return tf.function(serve, input_signature=[images], autograph=False)


def _flat(outputs: Any) -> Any:
    """(n, classes), whatever lengths of 1 a network puts between or behind."""
    if outputs.shape.rank in (None, 2):
        return outputs
    return import_tensorflow().reshape(outputs, (-1, math.prod(outputs.shape[1:])))


def forward(network: Any) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """The network as a function of (n, 28, 28) uint8 pictures."""
    serve = serving_function(network)

    def run(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        outputs: NDArray[np.float32] = serve(images[..., None].astype(np.float32) / 255)[OUTPUT].numpy()
        return outputs

    return run


def _module(call: Callable[[Any], Any], owner: Any) -> Any:
    """A tf.Module that calls `call` and keeps `owner`, which holds the variables behind it."""
    tf = import_tensorflow()

    class Network(tf.Module):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            super().__init__()
            self.owner = owner

        def __call__(self, images: Any) -> Any:
            return call(images)

    return Network()


def picture_shape(path: Path, shape: tuple[int | None, ...] | None) -> tuple[int, ...]:
    """How a model whose input is `shape` wants one picture. `shape` starts with the batch; None is unknown.

    Raises ModelError if 28x28 pixels do not fit into it.
    """
    for wanted in ((SIDE, SIDE, 1), (SIDE, SIDE), (SIDE * SIDE,), (1, SIDE, SIDE)):
        if (
            shape is not None
            and len(shape) == len(wanted) + 1
            and all(size in (None, want) for size, want in zip(shape[1:], wanted, strict=True))
        ):
            return wanted
    raise ModelError(f"{path}: takes {shape or 'any shape'}, digitcli gives {SIDE}x{SIDE}.")


def first_line(error: Exception) -> str:
    """The gist of another library's error, fit for a line of ours."""
    lines = [line.strip() for line in str(error).splitlines()]
    # TensorFlow puts headings and the places of its stack before what it has to say.
    telling = [line for line in lines if line and not line.endswith(":") and not line.startswith("<")]
    gist = telling[0] if telling else type(error).__name__
    return gist if len(gist) <= 200 else gist[:200] + "…"


@contextmanager
def _named(path: Path, name: str) -> Iterator[Path]:
    """The file under another name, as a link that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="digitcli-") as folder:
        link = Path(folder, name)
        link.symlink_to(path.resolve())
        yield link


def _why_keras_failed(error: Exception) -> str:
    text = str(error)
    unknown = re.search(r"(?:Could not locate class|Unknown layer:) '(\w+)'", text)
    if unknown:
        return f"Keras does not know its layer {unknown[1]}. Export it to .tflite where it was made."
    if "No model config" in text:
        return "holds weights without a model. Save it with model.save()."
    return f"Keras cannot load it, it may be damaged: {first_line(error)}"


def read_graph(path: Path) -> Any:
    """The MetaGraphDef of a SavedModel for serving; the first one if none is tagged so."""
    import_tensorflow()
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    if not saved.meta_graphs:
        raise ModelError(f"{path}: holds no graph; its saved_model.pb is empty.")
    serving = [graph for graph in saved.meta_graphs if "serve" in graph.meta_info_def.tags]
    chosen = min(serving or saved.meta_graphs, key=lambda graph: len(graph.meta_info_def.tags))
    if _has_objects(chosen) and len(saved.meta_graphs) > 1:
        raise ModelError(f"{path}: holds several graphs, which TensorFlow 2 never writes.")
    return chosen


def needed_nodes(path: Path, graph: Any) -> list[Any]:
    """The NodeDefs of a MetaGraphDef, outside of functions, that run when it is loaded and used."""
    if _has_objects(graph):
        return []
    signature = _signature(path, graph)
    ends = [signature.outputs[_output(path, signature)].name.split(":")[0]]
    if graph.HasField("saver_def"):
        ends.append(graph.saver_def.restore_op_name)
    v1 = import_tensorflow().compat.v1
    return list(v1.graph_util.extract_sub_graph(graph.graph_def, ends).node)


def _has_objects(graph: Any) -> bool:
    """Whether a MetaGraphDef is of TensorFlow 2, where all is in functions of objects."""
    return bool(graph.HasField("object_graph_def"))


def _signature(path: Path, graph: Any) -> Any:
    """The SignatureDef to call."""
    # TensorFlow keeps its own under names that begin with two underscores.
    signatures: dict[str, Any] = {
        name: each for name, each in graph.signature_def.items() if not name.startswith("__")
    }
    if not signatures:
        raise ModelError(f"{path}: has no signature, so it does not say how to call it.")
    if DEFAULT_SIGNATURE not in signatures and len(signatures) > 1:
        names = ", ".join(sorted(signatures))
        raise ModelError(f"{path}: none of its signatures is called {DEFAULT_SIGNATURE}, only {names}.")
    return signatures.get(DEFAULT_SIGNATURE) or next(iter(signatures.values()))


def _picture_input(path: Path, signature: Any) -> str:
    """The key of the input that takes the picture."""
    shapes: dict[str, tuple[int | None, ...] | None] = {
        key: _shape(info) for key, info in sorted(signature.inputs.items())
    }
    for key, shape in shapes.items():
        try:
            picture_shape(path, shape)
        except ModelError:
            continue
        return key
    if len(shapes) == 1:
        return next(iter(shapes))  # its shape is complained about by who asks for it
    raise ModelError(f"{path}: takes {shapes}, digitcli gives {SIDE}x{SIDE}.")


def _output(path: Path, signature: Any) -> str:
    """The key of the output that holds probabilities or logits; the former if there are both."""
    tf = import_tensorflow()
    candidates: list[str] = [
        key for key, info in signature.outputs.items() if tf.as_dtype(info.dtype).is_floating
    ]
    if not candidates:
        names = ", ".join(sorted(signature.outputs))
        raise ModelError(f"{path}: gives {names}, but no probabilities.")

    def rank(key: str) -> tuple[bool, bool, str]:
        shape = _shape(signature.outputs[key])
        return not shape or shape[-1] not in (CLASSES, NO_DIGIT + 1), "prob" not in key.lower(), key

    return min(candidates, key=rank)


def _shape(info: Any) -> tuple[int | None, ...] | None:
    """The shape in a TensorInfo; None if even the number of dimensions is unknown."""
    if info.tensor_shape.unknown_rank:
        return None
    return tuple(None if dim.size < 0 else dim.size for dim in info.tensor_shape.dim)


def _read_tf2(path: Path, graph: Any, signature: Any, image: str) -> tuple[Callable[[Any], Any], Any]:
    tf = import_tensorflow()
    owner = tf.saved_model.load(str(path), tags=list(graph.meta_info_def.tags))
    name = next(name for name, each in graph.signature_def.items() if each == signature)
    function, output = owner.signatures[name], _output(path, signature)
    others = {
        key: _at_inference(path, key, tf.as_dtype(info.dtype))
        for key, info in signature.inputs.items()
        if key != image
    }
    return lambda pictures: function(**{image: pictures}, **others)[output], owner


def _read_tf1(path: Path, graph: Any, signature: Any, image: str) -> tuple[Callable[[Any], Any], Any]:
    """Freezes the part of the graph that the output depends on.

    tf.saved_model.load refuses a graph with a placeholder that is not in the signature, which is how
    keep_prob usually is. It also runs what the graph names as its initialiser, which no network needs.
    """
    tf = import_tensorflow()
    v1 = tf.compat.v1
    output = signature.outputs[_output(path, signature)].name
    with v1.Graph().as_default() as whole, v1.Session() as session:
        saver = v1.train.import_meta_graph(graph)
        if saver:
            saver.restore(session, str(path / "variables" / "variables"))
        frozen = v1.graph_util.convert_variables_to_constants(
            session, whole.as_graph_def(), [output.split(":")[0]]
        )
    placeholders = {
        f"{node.name}:0": _at_inference(path, node.name, tf.as_dtype(node.attr["dtype"].type))
        for node in frozen.node
        if node.op == "Placeholder" and f"{node.name}:0" != signature.inputs[image].name
    }

    wrapped = v1.wrap_function(lambda: tf.graph_util.import_graph_def(frozen, name=""), [])
    function = wrapped.prune([signature.inputs[image].name, *placeholders], output)

    def call(pictures: Any) -> Any:
        # Made where the call is traced, so that they are constants of the graph and no inputs.
        return function(pictures, *[tf.constant(value) for value in placeholders.values()])

    return call, wrapped


def _at_inference(path: Path, name: str, dtype: Any) -> Any:
    """What an input other than the picture gets when a model is used, a NumPy scalar."""
    if dtype.is_bool:
        return np.False_
    if dtype.is_floating:
        is_drop_rate = "rate" in name.lower() and "keep" not in name.lower()
        return dtype.as_numpy_dtype(0 if is_drop_rate else 1)
    raise ModelError(f"{path}: needs a value for its input '{name}', which digitcli does not know.")
