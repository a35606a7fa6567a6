"""What makes a step of training fast on the processor at hand; see docs/training.md for what it brings."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from digitcli.models import ModelSpec
from digitcli.system.tensorflow_setup import import_tensorflow

tf = import_tensorflow()
import keras  # noqa: E402  (after TensorFlow has been told to be quiet)

# An operation is one core's work; the cores are kept busy by several parts of a batch at once.
# Where TensorFlow is at work already in this process, it stays as it was told to be.
with contextlib.suppress(RuntimeError):
    tf.config.threading.set_intra_op_parallelism_threads(1)


def _precision() -> str:
    """Keras's policy that trains fastest here: half of the bits where the processor multiplies them as such.

    Weights and their updates stay float32. Elsewhere TensorFlow would only imitate them.
    """
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return "float32"
    return "mixed_bfloat16" if "avx512_bf16" in flags or "amx_bf16" in flags else "float32"


PRECISION = _precision()

_BLOCK = 16
"""Filters from which on oneDNN's kernels for bfloat16 are fast; float32 takes half the time of 8."""


def precision(spec: ModelSpec) -> str:
    """Keras's policy that trains a classifier fastest here."""
    return "float32" if min(spec.channels, default=_BLOCK) < _BLOCK else PRECISION


class FusedBatchNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]
    """The same layer, in training by TensorFlow's own kernel: at 14x14, 60 % of the time of Keras's own.

    In training it leaves the moving averages to the trainer, which knows all parts of a batch: `seen` has
    the mean and variance of the part that it was called with last, in the graph that it was called in.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """(n, height, width, channels) normalised over the first three axes."""
        if not training:
            return super().call(inputs, training=training, mask=mask)
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs, self.gamma, self.beta, epsilon=self.epsilon, is_training=True
        )
        self.seen = mean, variance
        return outputs


def normalizations(model: Any) -> list[FusedBatchNormalization]:
    """The normalising layers of a network in training."""
    return [layer for layer in model.layers if isinstance(layer, FusedBatchNormalization)]


def seen(layers: Sequence[FusedBatchNormalization]) -> list[Any]:
    """The mean and variance of each layer's last input, one after the other."""
    return [each for layer in layers for each in layer.seen]


def follow(layers: Sequence[FusedBatchNormalization], sums: Sequence[Any], parts: int) -> None:
    """Moves the moving averages as far as if each of the parts of a batch had moved them.

    sums: as from `seen`, over the parts.
    """
    moving = [average for layer in layers for average in (layer.moving_mean, layer.moving_variance)]
    for average, total in zip(moving, sums, strict=True):
        momentum = layers[0].momentum ** parts
        average.assign(momentum * average + (1 - momentum) * total / parts)
