"""The training of the line reader, on lines that are drawn for it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from queue import Queue
from threading import Thread
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitcli.data.digits import Digits
from digitcli.detector import line_network
from digitcli.detector.line_examples import Example, examples
from digitcli.detector.line_views import view
from digitcli.reading.strip import HEIGHT, STEP
from digitcli.reading.transcript import SIGNS
from digitcli.system.parallel import every
from digitcli.system.progress import Progress
from digitcli.system.tensorflow_setup import import_tensorflow
from digitcli.training.processor import PRECISION, FusedBatchNormalization, follow, normalizations, seen

tf = import_tensorflow()
import keras  # noqa: E402  (after TensorFlow has been told to be quiet)

LINES = 160_000
STEPS = 11_000
PIXELS = 64 * 160
"""Columns of a batch: so many lines that their widths come to it."""

PARTS = 2
LEARNING_RATE, WARM_UP = 0.002, 300

COOLED = 0.12
"""Of the learning rate that is left at the end: what goes on cooling fits the simulator, not the world."""

AVERAGED = 0.999
_CHUNK = 250
_REAL = 6_000
_AHEAD = 6


def draw(
    real: Digits, seed: int, count: int = LINES, on_progress: Progress = lambda done, total: None
) -> list[Example]:
    """`count` lines; real: the handwritten digits of some."""
    drawn: list[Example] = []
    for _, some in every(examples, _chunks(real, seed, count)):
        drawn += some
        on_progress(len(drawn), count)
    return drawn


def _chunks(real: Digits, seed: int, count: int) -> Iterator[tuple[Any, ...]]:
    rng = np.random.default_rng(seed)
    for start in range(0, count, _CHUNK):
        some = rng.integers(len(real), size=_REAL)
        yield seed, start, min(start + _CHUNK, count), real.images[some], real.labels[some]


def train(
    drawn: Sequence[Example],
    seed: int,
    steps: int = STEPS,
    on_progress: Progress = lambda done, total: None,
) -> Any:
    """A keras.Model as from `line_network.build`, trained on views of the lines."""
    keras.utils.set_random_seed(seed)
    model = line_network.build(normalization=FusedBatchNormalization, dtype=PRECISION)
    normalizing = normalizations(model)
    optimizer = keras.optimizers.AdamW(weight_decay=0.02, beta_2=0.99, global_clipnorm=5.0)
    optimizer.build(model.trainable_variables)
    averages = [tf.Variable(variable) for variable in model.weights]

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=[
            tf.TensorSpec((None, HEIGHT, None), tf.uint8),
            tf.TensorSpec((None, None), tf.int32),
            tf.TensorSpec((), tf.float32),
            tf.TensorSpec((), tf.float32),
        ]
    )
    def step(pixels: Any, labels: Any, rate: Any, kept: Any) -> Any:
        optimizer.learning_rate.assign(rate)
        outcomes = []
        losses = []
        for some, wanted in zip(tf.split(pixels, PARTS), tf.split(labels, PARTS), strict=True):
            with tf.GradientTape() as tape:
                answer = model(tf.cast(some[..., None], tf.float32), training=True)
                loss = _loss(answer[:, 0], wanted)
            losses.append(loss)
            outcomes.append([*tape.gradient(loss, model.trainable_variables), *seen(normalizing)])
        weights = len(model.trainable_variables)
        sums = [tf.add_n(each) for each in zip(*outcomes, strict=True)]
        optimizer.apply([each / PARTS for each in sums[:weights]], model.trainable_variables)
        follow(normalizing, sums[weights:], PARTS)
        for average, variable in zip(averages, model.weights, strict=True):
            average.assign(kept * average + (1 - kept) * tf.cast(variable, average.dtype))
        return tf.add_n(losses) / PARTS

    for number, (pixels, labels) in zip(range(steps), _batches(drawn, seed), strict=False):
        warm = min((number + 1) / WARM_UP, 1.0)
        cooling = COOLED + (1 - COOLED) * (1 + math.cos(math.pi * number / steps)) / 2
        rate = LEARNING_RATE * warm * cooling
        step(
            pixels,
            labels,
            tf.constant(rate, tf.float32),
            tf.constant(min(AVERAGED, number / (number + 20)), tf.float32),
        )
        on_progress(number + 1, steps)
    trained = line_network.build()
    trained.set_weights([average.numpy() for average in averages])
    return trained


def _loss(logits: Any, labels: Any) -> Any:
    """Mean negative logarithm of the texts' probability; labels: (n, longest) with -1 behind the end."""
    empty = labels[:, 0] < 0  # which TensorFlow's loss does not take
    labels = tf.concat([tf.where(empty, 0, labels[:, 0])[:, None], labels[:, 1:]], axis=1)
    there = tf.where(labels >= 0)
    texts = tf.SparseTensor(there, tf.gather_nd(labels, there), tf.shape(labels, tf.int64))
    lengths = tf.fill([tf.shape(logits)[0]], tf.shape(logits)[1])
    losses = tf.nn.ctc_loss(texts, logits, None, lengths, logits_time_major=False, blank_index=len(SIGNS))
    nothing = -tf.reduce_sum(tf.nn.log_softmax(logits)[..., -1], axis=1)
    return tf.reduce_mean(tf.where(empty, nothing, losses))


def _batches(drawn: Sequence[Example], seed: int) -> Iterator[tuple[NDArray[Any], ...]]:
    """Lines of about equal width, made a few batches ahead on another thread."""
    ready: Queue[tuple[NDArray[Any], ...]] = Queue(_AHEAD)
    order = np.argsort([example.pixels.shape[1] for example in drawn], kind="stable")
    rng = np.random.default_rng(seed)

    def make() -> None:
        while True:
            # Groups of lines that are neighbours in width, anywhere among all.
            start = int(rng.integers(len(order)))
            width = drawn[order[start]].pixels.shape[1]
            count = max(PARTS, min(160, PIXELS // width // PARTS * PARTS))
            near = np.arange(start - 2 * count, start + 2 * count).clip(0, len(order) - 1)
            some = [drawn[index] for index in order[rng.choice(near, count, replace=False)]]
            ready.put(_batch(some, rng))

    Thread(target=make, daemon=True).start()
    while True:
        yield ready.get()


def _batch(some: Sequence[Example], rng: np.random.Generator) -> tuple[NDArray[Any], NDArray[Any]]:
    views = [view(example.pixels, rng) for example in some]
    widest = -(-max(each.shape[1] for each in views) // STEP) * STEP
    pixels = np.zeros((len(some), HEIGHT, widest), np.uint8)
    labels = np.full((len(some), max(1, *(len(example.text) for example in some))), -1, np.int32)
    for row, (each, example) in enumerate(zip(views, some, strict=True)):
        pixels[row, :, : each.shape[1]] = each
        labels[row, : len(example.text)] = [SIGNS.index(sign) for sign in example.text]
    return pixels, labels
