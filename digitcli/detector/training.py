"""The training of the detector, on pages that are drawn for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitcli.convention import CLASSES
from digitcli.data.digits import Digits
from digitcli.detector import drawing, making, network
from digitcli.detector.making import Schedule
from digitcli.detector.pages import PageOfDigits, page
from digitcli.detector.targets import targets
from digitcli.detector.views import SIDE, view
from digitcli.reading.find import STRIDE
from digitcli.system.progress import Progress
from digitcli.system.tensorflow_setup import import_tensorflow

tf = import_tensorflow()
import keras  # noqa: E402  (after TensorFlow has been told to be quiet)

PAGES = 16_000
STEPS = 16_000
BATCH_SIZE = 32

LEARNING_RATE, WARM_UP = 0.003, 200
"""Reached after so many steps, and then let down along a cosine."""

AVERAGED = 0.998
"""Share of the averaged weights that stays in a step."""

BOX_WEIGHT = 2.0
"""Of the boxes' loss against those of centres and classes."""

_CHUNK = 50, 500
"""Pages that one process draws at a time, and real digits that go to it with them."""


def draw(
    real: Digits, seed: int, count: int = PAGES, on_progress: Progress = lambda done, total: None
) -> list[PageOfDigits]:
    """`count` pages; real: the handwritten digits that are laid on some.

    Raises DataError if a process that draws is killed.
    """
    return drawing.drawn(_drawn, real, seed, count, _CHUNK, on_progress)


def _drawn(chunk: drawing.Chunk) -> list[PageOfDigits]:
    seed, start, end, images, labels = chunk
    return [page(np.random.default_rng([seed, index]), images, labels) for index in range(start, end)]


def train(
    pages: Sequence[PageOfDigits],
    seed: int,
    steps: int = STEPS,
    on_progress: Progress = lambda done, total: None,
) -> Any:
    """A keras.Model as from `network.build`, trained on random views of pages."""
    keras.utils.set_random_seed(seed)
    schedule = Schedule(LEARNING_RATE, WARM_UP, cooled=0.0, averaged=AVERAGED)
    cells = SIDE // STRIDE
    signature = (
        tf.TensorSpec((None, SIDE, SIDE, 3), tf.uint8),
        *(tf.TensorSpec((None, cells, cells), kind) for kind in (tf.float32, tf.float32, tf.int8)),
        tf.TensorSpec((None, cells, cells, 4), tf.float32),
    )
    batches = _batches(pages, seed)
    return making.train(network.build, batches, _part_loss, signature, schedule, steps, on_progress)


def _part_loss(model: Any, part: Sequence[Any], batch: Sequence[Any]) -> Any:
    # By the whole batch, so that its parts weigh what they hold.
    centres = tf.maximum(tf.reduce_sum(tf.cast(batch[1] == 1, tf.float32)), 1.0)
    cells = tf.maximum(tf.reduce_sum(tf.cast(batch[3] >= 0, tf.float32)), 1.0)
    pixels, *wanted = part
    return _loss(model(tf.cast(pixels, tf.float32), training=True), wanted, centres, cells)


def _loss(answer: Any, targets: Sequence[Any], centres: Any, cells: Any) -> Any:
    """Of a part of a batch: the focal loss of CenterNet, cross-entropy, and generalised IoU.

    targets: as the fields of Targets. centres, cells: how many there are in the whole batch.
    """
    wanted, counted, labels, boxes = targets
    likely = tf.clip_by_value(tf.sigmoid(answer[..., 0]), 1e-5, 1 - 1e-5)
    there = tf.cast(wanted == 1, tf.float32)
    hit = there * (1 - likely) ** 2 * tf.math.log(likely)
    none = (1 - there) * (1 - wanted) ** 4 * likely**2 * tf.math.log(1 - likely)
    found = -tf.reduce_sum((hit + none) * counted) / centres
    tells = tf.cast(labels >= 0, tf.float32)
    named = tf.nn.sparse_softmax_cross_entropy_with_logits(
        tf.maximum(tf.cast(labels, tf.int32), 0), answer[..., 1 : 1 + CLASSES]
    )
    apart = 1 - _overlap(_corners(answer[..., 1 + CLASSES :]), boxes)
    return found + tf.reduce_sum((named + BOX_WEIGHT * apart) * tells) / cells


def _corners(distances: Any) -> Any:
    """Left, top, right, bottom in cells, from the logarithms of the distances to them."""
    side = SIDE // STRIDE
    columns, rows = tf.meshgrid(
        tf.range(side, dtype=tf.float32) + 0.5, tf.range(side, dtype=tf.float32) + 0.5
    )
    middle = tf.stack([columns, rows], axis=-1)
    away = tf.exp(tf.clip_by_value(distances, -4.0, 5.0))
    return tf.concat([middle - away[..., :2], middle + away[..., 2:]], axis=-1)


def _overlap(a: Any, b: Any) -> Any:
    """Generalised intersection over union (Rezatofighi et al. 2019)."""
    sides = tf.minimum(a[..., 2:], b[..., 2:]) - tf.maximum(a[..., :2], b[..., :2])
    shared = tf.reduce_prod(tf.maximum(sides, 0), axis=-1)
    union = _area(a) + _area(b) - shared
    hull = tf.reduce_prod(tf.maximum(a[..., 2:], b[..., 2:]) - tf.minimum(a[..., :2], b[..., :2]), axis=-1)
    return shared / (union + 1e-6) - (hull - union) / (hull + 1e-6)


def _area(boxes: Any) -> Any:
    return tf.reduce_prod(tf.maximum(boxes[..., 2:] - boxes[..., :2], 1e-3), axis=-1)


def _batches(pages: Sequence[PageOfDigits], seed: int) -> Iterator[making.Batch]:
    """Views with what is wanted of them."""
    rng = np.random.default_rng(seed)

    def make() -> making.Batch:
        examples = [_example(pages[int(rng.integers(len(pages)))], rng) for _ in range(BATCH_SIZE)]
        return tuple(np.stack(column) for column in zip(*examples, strict=True))

    return making.ahead(make)


def _example(page: PageOfDigits, rng: np.random.Generator) -> tuple[NDArray[Any], ...]:
    pixels, boxes = view(page, rng)
    wanted = targets(boxes, page.labels, SIDE)
    return pixels, wanted.centres, wanted.counted, wanted.labels, wanted.boxes
