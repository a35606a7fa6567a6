"""The training of the close-up reader, on pictures that are drawn for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from digitcli.data.digits import Digits
from digitcli.detector import close_up_network, drawing, making
from digitcli.detector.close_up_examples import Example, examples
from digitcli.detector.line_views import view
from digitcli.detector.making import PARTS, Schedule
from digitcli.reading.close_up import SIDE, square
from digitcli.system.progress import Progress
from digitcli.system.tensorflow_setup import import_tensorflow

tf = import_tensorflow()
import keras  # noqa: E402  (after TensorFlow has been told to be quiet)

PICTURES = 160_000
STEPS = 8_000
BATCH_SIZE = 256
SCHEDULE = Schedule(learning_rate=0.002, warm_up=300, cooled=0.05, averaged=0.999)

_CHUNK = 250, 6_000
"""Pictures that one process draws at a time, and real digits that go to it with them."""


def draw(
    real: Digits, seed: int, count: int = PICTURES, on_progress: Progress = lambda done, total: None
) -> list[Example]:
    """`count` pictures; real: the handwritten digits of some.

    Raises DataError if a process that draws is killed.
    """
    return drawing.drawn(examples, real, seed, count, _CHUNK, on_progress)


def train(
    drawn: Sequence[Example],
    seed: int,
    steps: int = STEPS,
    on_progress: Progress = lambda done, total: None,
) -> Any:
    """A keras.Model as from `close_up_network.build`, trained on views of the pictures."""
    keras.utils.set_random_seed(seed)
    signature = tf.TensorSpec((None, SIDE, SIDE), tf.uint8), tf.TensorSpec((None,), tf.int32)
    return making.train(
        close_up_network.build, _batches(drawn, seed), _loss, signature, SCHEDULE, steps, on_progress
    )


def _loss(model: Any, part: Sequence[Any], batch: Sequence[Any]) -> Any:
    pixels, labels = part
    logits = model(tf.cast(pixels[..., None], tf.float32), training=True)
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)) / PARTS


def _batches(drawn: Sequence[Example], seed: int) -> Iterator[making.Batch]:
    rng = np.random.default_rng(seed)

    def make() -> making.Batch:
        some = [drawn[index] for index in rng.integers(len(drawn), size=BATCH_SIZE)]
        pixels = np.stack([square(view(example.pixels, rng)) for example in some])
        return pixels, np.array([example.label for example in some], np.int32)

    return making.ahead(make)
