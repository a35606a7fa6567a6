"""The detector's network: a small U-Net that tells at every fourth pixel whether a digit's centre is there.

Ronneberger et al., "U-Net", 2015; the answer is that of Zhou et al., "Objects as points", 2019.
"""

from __future__ import annotations

from typing import Any

from digitcli.convention import CLASSES
from digitcli.detector.blocks import convolved, in_8_bits
from digitcli.system.tensorflow_setup import import_tensorflow

tf = import_tensorflow()
import keras  # noqa: E402  (after TensorFlow has been told to be quiet)

layers = keras.layers

FILTERS = (16, 32, 64, 80, 96)
"""Of the convolutions at a half, a quarter ... of the picture's side."""

HEAD_FILTERS = 64

OUTPUTS = 1 + CLASSES + 4
"""Logits of a centre and of the classes, and the logarithms of the distances to left, top, right, bottom."""


@keras.saving.register_keras_serializable("digitcli")
class DepthToSpace(keras.layers.Layer):  # type: ignore[misc]  # Keras ships no types
    """Doubles the sides of what has four times the channels; unlike resizing, with any size when exported."""

    def call(self, inputs: Any) -> Any:
        """(n, h, w, 4c) to (n, 2h, 2w, c)."""
        return tf.nn.depth_to_space(inputs, 2)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """As Keras asks for it."""
        count, height, width, channels = shape
        return count, height and 2 * height, width and 2 * width, (channels or 0) // 4


def build(side: int | None = None, normalization: Any = None, dtype: str | None = None) -> Any:
    """A keras.Model from (n, h, w, 3) float32 in 0-255 to (n, h/4, w/4, OUTPUTS); h and w divide by 32.

    normalization, dtype: as for `models.build`.
    """

    def active(inputs: Any, filters: int, size: int = 3, stride: int = 1) -> Any:
        hidden = convolved(inputs, filters, size, stride, normalization=normalization, dtype=dtype)
        return layers.ReLU(dtype=dtype)(hidden)

    first, *others = FILTERS
    picture = layers.Input((side, side, 3))
    hidden = active(layers.Rescaling(1 / 127.5, -1.0)(picture), first, size=4, stride=2)
    levels = []
    for filters, deeper in zip(others, (1, 1, 2, 2), strict=True):
        hidden = active(hidden, filters, stride=2)
        for _ in range(deeper):
            hidden = active(hidden, filters)
        levels.append((filters, hidden))
    for filters, beside in reversed(levels[:-1]):
        raised = DepthToSpace(dtype=dtype)(layers.Conv2D(4 * filters, 1, dtype=dtype)(hidden))
        hidden = active(layers.Add(dtype=dtype)([raised, beside]), filters)
    hidden = active(hidden, HEAD_FILTERS)
    # At first, a centre is as unlikely as it is rare, and a box a few cells wide.
    biases = keras.initializers.Constant([-4.0] + CLASSES * [0.0] + 4 * [1.0])
    return keras.Model(picture, layers.Conv2D(OUTPUTS, 1, bias_initializer=biases)(hidden))


def to_litert(model: Any) -> bytes:
    """A model file of LiteRT that takes one picture of any size. Its convolutions count in 8 bits."""
    sides = build(256)
    sides.set_weights(model.get_weights())
    return in_8_bits(sides)
