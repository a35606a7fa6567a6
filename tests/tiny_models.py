"""Small untrained models of every kind, made where a test needs them."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np

from digitcli.data import synthetic
from digitcli.data.digits import DataSet
from digitcli.exporting.formats import savedmodel, tflite
from digitcli.exporting.material import Material
from digitcli.system.tensorflow_setup import import_tensorflow

draw_once = functools.cache(synthetic.generate)
"""The same pictures without drawing them again, which the proof of every export does."""

IMAGES = synthetic.generate(20, seed=3).images
DATA = DataSet(synthetic.generate(40, seed=4), synthetic.generate(20, seed=5), "synthetic")
"""What an export is scored on."""
WEIGHTS = np.random.default_rng(1).normal(0, 0.1, (784, 10)).astype(np.float32)


def pixels() -> np.ndarray:
    """IMAGES as most models want them: (20, 784) float32 in 0-1."""
    return IMAGES.reshape(-1, 784).astype(np.float32) / 255


def expected() -> np.ndarray:
    """What a model of one dense layer with WEIGHTS and a softmax gives for IMAGES."""
    exponentials = np.exp(pixels() @ WEIGHTS)
    return exponentials / exponentials.sum(1, keepdims=True)


def keras_model(
    shape: tuple[int, ...] = (28, 28, 1),
    classes: int = 10,
    *,
    activation: str | None = "softmax",
    scale: float = 1,
) -> Any:
    """One dense layer with WEIGHTS times scale; of another size, with weights of its own."""
    import_tensorflow()
    import keras

    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(classes, activation, use_bias=False)]
    )
    if model.layers[-1].kernel.shape == WEIGHTS.shape:
        model.layers[-1].set_weights([WEIGHTS * scale])
    return model


def material(network: Any) -> Material:
    """What an export is made from."""
    return Material(network, {"name": "tiny"}, IMAGES)


def write_tflite(path: Path, **kwargs: Any) -> Path:
    """A .tflite of `keras_model`."""
    tflite.write(material(keras_model(**kwargs)), path)
    return path


def write_direct_tflite(path: Path, shape: tuple[int, ...]) -> Path:
    """A .tflite whose own input is (n, *shape), since TensorFlow's own converter leaves it as it is."""
    tf = import_tensorflow()
    model = keras_model(shape)
    function = tf.function(model, input_signature=[tf.TensorSpec((None, *shape), tf.float32)])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()])
    path.write_bytes(converter.convert())
    return path


def write_fixed_tflite(path: Path, batch: int, *, resizable: bool) -> Path:
    """A .tflite with a fixed batch size, which also stands in a reshape inside if not `resizable`."""
    tf = import_tensorflow()

    def call(x: Any) -> Any:
        return tf.nn.softmax(tf.reshape(x, (-1 if resizable else batch, 784)) @ WEIGHTS)

    function = tf.function(call, input_signature=[tf.TensorSpec((batch, 28, 28), tf.float32)])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()])
    path.write_bytes(converter.convert())
    return path


def write_int8_tflite(path: Path) -> Path:
    """A .tflite that takes uint8 and gives int8 numbers with scale and zero point."""
    tf = import_tensorflow()
    savedmodel.write(material(keras_model()), path.with_suffix(""))
    converter = tf.lite.TFLiteConverter.from_saved_model(str(path.with_suffix("")))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([image.reshape(1, 28, 28, 1)] for image in pixels())
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = tf.int8
    path.write_bytes(converter.convert())
    return path


def write_tf2(
    path: Path, signatures: tuple[str, ...] = ("serving_default",), *, training: bool = False
) -> Path:
    """A SavedModel of a plain tf.Module that takes (n, 28, 28) and gives logits.

    training: it takes a flag as well, and is useless where that is true.
    """
    tf = import_tensorflow()
    module = tf.Module()
    module.weights = tf.Variable(WEIGHTS)

    def call(x: Any, is_training: Any = None) -> Any:
        logits = tf.reshape(x, (-1, 784)) @ module.weights
        return {"scores": logits if is_training is None else tf.where(is_training, logits * 0, logits)}

    inputs = [tf.TensorSpec((None, 28, 28), tf.float32, name="x")]
    if training:
        inputs.append(tf.TensorSpec((), tf.bool, name="is_training"))
    module.call = tf.function(call, input_signature=inputs)
    tf.saved_model.save(module, str(path), signatures=dict.fromkeys(signatures, module.call))
    return path


def write_tf1(
    path: Path,
    shape: tuple[int | None, ...] = (None, 784),
    *,
    signature: str = "serving_default",
    dropout_in_signature: bool = False,
    softmax: bool = True,
) -> Path:
    """A SavedModel as TensorFlow 1 tutorials leave it, with placeholders for labels, dropout and training."""
    tf = import_tensorflow()
    v1 = tf.compat.v1
    with v1.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, shape, name="x")
        labels = v1.placeholder(tf.float32, (None, 10), name="y_")
        keep_prob = v1.placeholder(tf.float32, name="keep_prob")
        is_training = v1.placeholder(tf.bool, name="is_training")
        weights = v1.get_variable("W", initializer=WEIGHTS, use_resource=False)
        flat = tf.reshape(x, (-1, 784))
        dropped = v1.nn.dropout(flat, keep_prob=keep_prob)
        v1.disable_control_flow_v2()  # which TensorFlow 1 had not by default
        kept = v1.cond(is_training, lambda: dropped * 0, lambda: dropped)
        v1.enable_control_flow_v2()
        logits = v1.matmul(kept, weights)
        y = tf.nn.softmax(logits) if softmax else logits
        loss = -tf.reduce_sum(labels * tf.math.log(y + 1e-9))
        session.run(v1.global_variables_initializer())
        inputs = {"x": x, "y_": labels}
        if dropout_in_signature:
            inputs |= {"keep_prob": keep_prob, "is_training": is_training}
        builder = v1.saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            {
                signature: v1.saved_model.predict_signature_def(
                    inputs, {"loss": loss, "class": tf.argmax(y, 1), "y": y}
                )
            },
        )
        builder.save()
    return path
