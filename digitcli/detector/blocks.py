"""What the networks that read pictures are built of, and their way into a file."""

from __future__ import annotations

import tempfile
from typing import Any

from digitcli.system.quiet import native_stderr_hidden
from digitcli.system.tensorflow_setup import import_tensorflow

tf = import_tensorflow()
import keras  # noqa: E402  (after TensorFlow has been told to be quiet)

layers = keras.layers


def convolved(
    inputs: Any,
    filters: int,
    size: int | tuple[int, int] = 3,
    stride: int = 1,
    padding: str = "same",
    *,
    normalization: Any,
    dtype: str | None,
) -> Any:
    """(n, h, w, c) through a convolution and a normalization. normalization, dtype: as for `models.build`."""
    convolution = layers.Conv2D(
        filters,
        size,
        stride,
        padding=padding,
        use_bias=False,
        kernel_initializer="he_normal",
        dtype=dtype,
    )
    return (normalization or layers.BatchNormalization)(momentum=0.97, dtype=dtype)(convolution(inputs))


def in_8_bits(model: Any) -> bytes:
    """A model file of LiteRT whose convolutions count in 8 bits."""
    with tempfile.TemporaryDirectory(prefix="digitcli-") as folder, native_stderr_hidden():
        model.export(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        return bytes(converter.convert())
