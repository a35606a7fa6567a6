"""The close-up reader's network: the grey pixels of a small picture to the digit that it shows."""

from __future__ import annotations

from functools import partial
from typing import Any

from digitcli.detector import blocks
from digitcli.reading.close_up import OUTCOMES, SIDE
from digitcli.system.tensorflow_setup import import_tensorflow

tf = import_tensorflow()
import keras  # noqa: E402  (after TensorFlow has been told to be quiet)

layers = keras.layers

FILTERS = (24, 36, 64, 104)
"""Of the convolutions at a half, a half, a quarter and an eighth of the side."""

DROPOUT = 0.25
"""Of the last filters, in training."""


def build(normalization: Any = None, dtype: str | None = None) -> Any:
    """A keras.Model from (n, SIDE, SIDE, 1) float32 in 0-255, ink on black, to (n, OUTCOMES) logits.

    normalization, dtype: as for `models.build`.
    """
    convolved = partial(blocks.convolved, normalization=normalization, dtype=dtype)

    def active(hidden: Any) -> Any:
        return layers.ReLU(dtype=dtype)(hidden)

    half, wide, quarter, eighth = FILTERS
    picture = layers.Input((SIDE, SIDE, 1))
    hidden = layers.Rescaling(1 / 255)(picture)
    hidden = active(convolved(hidden, half, 5, 2))
    hidden = active(convolved(hidden, wide))
    hidden = layers.MaxPooling2D(dtype=dtype)(hidden)
    hidden = active(convolved(hidden, quarter))
    hidden = active(layers.Add(dtype=dtype)([hidden, convolved(hidden, quarter)]))
    hidden = layers.MaxPooling2D(dtype=dtype)(hidden)
    hidden = active(convolved(hidden, eighth))
    hidden = active(layers.Add(dtype=dtype)([hidden, convolved(hidden, eighth)]))
    hidden = layers.MaxPooling2D(dtype=dtype)(hidden)
    hidden = active(convolved(hidden, eighth, padding="valid"))
    hidden = layers.Dropout(DROPOUT, dtype=dtype)(layers.Flatten(dtype=dtype)(hidden))
    return keras.Model(picture, layers.Dense(OUTCOMES, dtype="float32")(hidden))
