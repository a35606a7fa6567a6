"""The line reader's network: a column of strokes every four pixels to what is written there.

Convolutions and connectionist temporal classification (Graves et al. 2006), as in Shi, Bai & Yao, "An
end-to-end trainable neural network for image-based sequence recognition", 2015, without its recurrent layers.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from digitcli.detector import blocks
from digitcli.detector.blocks import in_8_bits
from digitcli.reading.strip import HEIGHT
from digitcli.reading.transcript import SIGNS
from digitcli.system.tensorflow_setup import import_tensorflow

tf = import_tensorflow()
import keras  # noqa: E402  (after TensorFlow has been told to be quiet)

layers = keras.layers

FILTERS = (24, 32, 56, 96)
"""Of the convolutions at a half, a half, a quarter and an eighth of the height."""

CONTEXT, CONTEXT_OF_WORDS, CONTEXT_OF_NUMBERS = 192, 176, 152
"""Of those along the line; fewer, to save space, in those that learn from words and from numbers only."""

REACH = (3, 5, 5)
"""Columns that each of these sees; dilated ones would not be exported for any width."""

SQUEEZED = 24
"""Of those that see the whole line at once: one hand, one pen, one paper."""

DROPOUT = 0.15
"""Of the last filters, in training."""

OUTPUTS = len(SIGNS) + 1
"""Logits of the signs and, last, of none or the same again."""


def build(
    normalization: Any = None, dtype: str | None = None, width: int | None = None, context: int = CONTEXT
) -> Any:
    """A keras.Model from (n, HEIGHT, w, 1) float32 in 0-255, ink on black, to (n, w/4, OUTPUTS).

    normalization, dtype: as for `models.build`. width: w, if it is fixed. context: filters along the line.
    """
    convolved = partial(blocks.convolved, normalization=normalization, dtype=dtype)

    def active(hidden: Any) -> Any:
        return layers.ReLU(dtype=dtype)(hidden)

    def heeded(hidden: Any) -> Any:
        """Squeeze and excitation (Hu et al. 2018): what all of the line tells of each of its parts."""
        whole = layers.GlobalAveragePooling2D(keepdims=True, dtype=dtype)(hidden)
        whole = layers.Conv2D(SQUEEZED, 1, activation="relu", dtype=dtype)(whole)
        share = layers.Conv2D(context, 1, activation="sigmoid", dtype=dtype)(whole)
        return layers.Multiply(dtype=dtype)([hidden, share])

    half, wide, quarter, eighth = FILTERS
    picture = layers.Input((HEIGHT, width, 1))
    hidden = layers.Rescaling(1 / 255)(picture)
    hidden = active(convolved(hidden, half, 5, 2))
    hidden = active(convolved(hidden, wide))
    hidden = layers.MaxPooling2D(dtype=dtype)(hidden)  # 12 rows, as many columns as the answer has
    hidden = active(convolved(hidden, quarter))
    hidden = active(layers.Add(dtype=dtype)([hidden, convolved(hidden, quarter)]))
    hidden = layers.MaxPooling2D((2, 1), dtype=dtype)(hidden)
    hidden = active(convolved(hidden, eighth))
    hidden = active(layers.Add(dtype=dtype)([hidden, convolved(hidden, eighth)]))
    hidden = layers.MaxPooling2D((2, 1), dtype=dtype)(hidden)
    hidden = active(convolved(layers.ZeroPadding2D((0, 1), dtype=dtype)(hidden), context, 3, padding="valid"))
    hidden = heeded(hidden)
    for reach in REACH:
        more = heeded(convolved(hidden, context, (1, reach)))
        hidden = active(layers.Add(dtype=dtype)([hidden, more]))
    hidden = layers.Dropout(DROPOUT, noise_shape=(None, 1, 1, context), dtype=dtype)(hidden)
    logits = layers.Conv2D(OUTPUTS, 1, dtype="float32")(hidden)
    return keras.Model(picture, logits)


def to_litert(model: Any) -> bytes:
    """A model file of LiteRT that takes one line of any width."""
    fixed = build(width=4 * HEIGHT, context=model.layers[-1].input.shape[-1])
    fixed.set_weights(model.get_weights())
    return in_8_bits(fixed)
