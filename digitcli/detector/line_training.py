"""The training of the line reader, on lines that are drawn for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitcli.data.digits import Digits
from digitcli.detector import drawing, line_network, making
from digitcli.detector.drawing import Chunk
from digitcli.detector.line_examples import Example, examples
from digitcli.detector.line_views import view
from digitcli.detector.making import PARTS, Schedule
from digitcli.reading.strip import HEIGHT, STEP
from digitcli.reading.transcript import SIGNS
from digitcli.system.progress import Progress
from digitcli.system.tensorflow_setup import import_tensorflow

tf = import_tensorflow()
import keras  # noqa: E402  (after TensorFlow has been told to be quiet)

LINES, NUMBERS, AMONG_WORDS, OLDER = 160_000, 125_000, 60_000, 100_000
"""That are drawn: of all kinds, numbers only, or those in which words stand and, beside them, older ones."""

STEPS, STEPS_OF_NUMBERS = 11_000, 10_000
AGAIN = 5 / 11
"""Share of the steps by which a training goes on where older lines are learnt as well, their short ones three
times as often: what is read tight and alone suffers most from learning words."""

_SHORT = 2
"""Signs of a short line, at most."""

PIXELS = 64 * 160
"""Columns of a batch: so many lines that their widths come to it."""

LEARNING_RATE, RATE_AGAIN, WARM_UP = 0.002, 0.0012, 300

COOLED = 0.12
"""Of the learning rate that is left at the end: what goes on cooling fits the simulator, not the world."""

AVERAGED = 0.999
_CHUNK = 250, 6_000
"""Lines that one process draws at a time, and real digits that go to it with them."""


def draw(
    real: Digits,
    seed: int,
    count: int = LINES,
    on_progress: Progress = lambda done, total: None,
    kind: Callable[[Chunk], list[Example]] = examples,
) -> list[Example]:
    """`count` lines; real: the handwritten digits of some. kind: what draws a chunk of them.

    Raises DataError if a process that draws is killed.
    """
    return drawing.drawn(kind, real, seed, count, _CHUNK, on_progress)


def train(
    drawn: Sequence[Example],
    seed: int,
    steps: int = STEPS,
    on_progress: Progress = lambda done, total: None,
    context: int = line_network.CONTEXT,
    begun: Any = None,
) -> Any:
    """A keras.Model as from `line_network.build`, which see, trained on views of the lines.

    begun: the same, to go on from.
    """
    keras.utils.set_random_seed(seed)
    schedule = Schedule(LEARNING_RATE if begun is None else RATE_AGAIN, WARM_UP, COOLED, AVERAGED)
    signature = tf.TensorSpec((None, HEIGHT, None), tf.uint8), tf.TensorSpec((None, None), tf.int32)

    def build(**how: Any) -> Any:
        model = line_network.build(context=context, **how)
        if begun is not None:
            model.set_weights(begun.get_weights())
        return model

    return making.train(build, _batches(drawn, seed), _part_loss, signature, schedule, steps, on_progress)


def train_with_older(
    drawn: Sequence[Example],
    older: Sequence[Example],
    seed: int,
    steps: int = STEPS,
    on_progress: Progress = lambda done, total: None,
) -> Any:
    """As `train`, on lines among words and on older ones, which may be none; and then AGAIN."""
    lines, context = [*older, *drawn], line_network.CONTEXT_OF_WORDS
    short = [example for example in older if len(example.text) <= _SHORT]
    begun = train(lines, seed, steps, on_progress, context)
    return train(lines + 2 * short, seed + 1, max(1, round(AGAIN * steps)), on_progress, context, begun)


def _part_loss(model: Any, part: Sequence[Any], batch: Sequence[Any]) -> Any:
    pixels, labels = part
    answer = model(tf.cast(pixels[..., None], tf.float32), training=True)
    return _loss(answer[:, 0], labels) / PARTS


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


def _batches(drawn: Sequence[Example], seed: int) -> Iterator[making.Batch]:
    """Lines of about equal width."""
    order = np.argsort([example.pixels.shape[1] for example in drawn], kind="stable")
    rng = np.random.default_rng(seed)

    def make() -> making.Batch:
        # Groups of lines that are neighbours in width, anywhere among all.
        start = int(rng.integers(len(order)))
        width = drawn[order[start]].pixels.shape[1]
        count = max(PARTS, min(160, PIXELS // width // PARTS * PARTS))
        near = np.arange(start - 2 * count, start + 2 * count).clip(0, len(order) - 1)
        return _batch([drawn[index] for index in order[rng.choice(near, count, replace=False)]], rng)

    return making.ahead(make)


def _batch(some: Sequence[Example], rng: np.random.Generator) -> tuple[NDArray[Any], NDArray[Any]]:
    views = [view(example.pixels, rng) for example in some]
    widest = -(-max(each.shape[1] for each in views) // STEP) * STEP
    pixels = np.zeros((len(some), HEIGHT, widest), np.uint8)
    labels = np.full((len(some), max(1, *(len(example.text) for example in some))), -1, np.int32)
    for row, (each, example) in enumerate(zip(views, some, strict=True)):
        pixels[row, :, : each.shape[1]] = each
        labels[row, : len(example.text)] = [SIGNS.index(sign) for sign in example.text]
    return pixels, labels
