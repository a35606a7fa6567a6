"""Training as all networks that read pictures are trained: on views made ahead, with averaged weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from queue import Queue
from threading import Thread
from typing import Any

from numpy.typing import NDArray

from digitcli.system.progress import Progress
from digitcli.system.tensorflow_setup import import_tensorflow
from digitcli.training.processor import PRECISION, FusedBatchNormalization, follow, normalizations, seen

tf = import_tensorflow()
import keras  # noqa: E402  (after TensorFlow has been told to be quiet)

Batch = tuple[NDArray[Any], ...]

PARTS = 2
"""Of a batch, that are worked on at a time, each by one core."""

_AHEAD = 6
"""Batches that wait for the network."""


@dataclass(frozen=True)
class Schedule:
    """The learning rate is reached after `warm_up` steps, and let down along a cosine to `cooled` of it.

    averaged: share of the averaged weights that stays in a step.
    """

    learning_rate: float
    warm_up: int
    cooled: float
    averaged: float

    def rate(self, number: int, steps: int) -> float:
        """That of a step."""
        cooling = self.cooled + (1 - self.cooled) * (1 + math.cos(math.pi * number / steps)) / 2
        return self.learning_rate * min((number + 1) / self.warm_up, 1.0) * cooling

    def kept(self, number: int) -> float:
        """Of the average, which begins with fewer steps."""
        return min(self.averaged, number / (number + 20))


def ahead(make: Callable[[], Batch]) -> Iterator[Batch]:
    """Batches without end, made a few ahead on another thread."""
    ready: Queue[Batch] = Queue(_AHEAD)

    def go_on() -> None:
        while True:
            ready.put(make())

    Thread(target=go_on, daemon=True).start()
    while True:
        yield ready.get()


def train(
    build: Callable[..., Any],
    batches: Iterator[Batch],
    loss: Callable[[Any, Sequence[Any], Sequence[Any]], Any],
    signature: Sequence[Any],
    schedule: Schedule,
    steps: int,
    on_progress: Progress,
) -> Any:
    """A keras.Model as from `build`, with the average of the weights.

    build: with a normalization and a dtype, the network to train. loss: of the network, a part of a batch
    and the whole of it, such that the sum over the parts is that of the batch. signature: a tf.TensorSpec
    for each array of a batch.
    """
    model = build(normalization=FusedBatchNormalization, dtype=PRECISION)
    normalizing = normalizations(model)
    optimizer = keras.optimizers.AdamW(weight_decay=0.02, beta_2=0.99, global_clipnorm=5.0)
    optimizer.build(model.trainable_variables)
    averages = [tf.Variable(variable) for variable in model.weights]
    number = tf.TensorSpec((), tf.float32)

    @tf.function(input_signature=[tuple(signature), number, number])  # type: ignore[untyped-decorator]
    def step(batch: tuple[Any, ...], rate: Any, kept: Any) -> None:
        optimizer.learning_rate.assign(rate)
        outcomes = []
        for part in zip(*(tf.split(each, PARTS) for each in batch), strict=True):
            with tf.GradientTape() as tape:
                lost = loss(model, part, batch)
            outcomes.append([*tape.gradient(lost, model.trainable_variables), *seen(normalizing)])
        sums = [tf.add_n(each) for each in zip(*outcomes, strict=True)]
        gradients = sums[: len(model.trainable_variables)]
        # One that is not finite would spoil all weights for good.
        is_finite = tf.math.is_finite(tf.linalg.global_norm(gradients))
        gradients = [tf.where(is_finite, each, tf.zeros_like(each)) for each in gradients]
        optimizer.apply(gradients, model.trainable_variables)
        follow(normalizing, sums[len(model.trainable_variables) :], PARTS)
        for average, variable in zip(averages, model.weights, strict=True):
            average.assign(kept * average + (1 - kept) * tf.cast(variable, average.dtype))

    for done, batch in zip(range(steps), batches, strict=False):
        step(
            tuple(map(tf.constant, batch)),
            tf.constant(schedule.rate(done, steps), tf.float32),
            tf.constant(schedule.kept(done), tf.float32),
        )
        on_progress(done + 1, steps)
    trained = build()
    trained.set_weights([average.numpy() for average in averages])
    return trained
