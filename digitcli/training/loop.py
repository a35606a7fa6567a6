"""The training loop: one for every network, with everything that repeats inside one TensorFlow graph."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitcli import models
from digitcli.data.digits import NO_DIGIT, Digits
from digitcli.errors import UsageError
from digitcli.tensorflow_setup import import_tensorflow
from digitcli.training.config import TrainConfig

tf = import_tensorflow()
import keras  # noqa: E402  (after TensorFlow has been told to be quiet)

from digitcli.training import augmentation  # noqa: E402

STEPS_PER_CALL = 25
"""Steps that run inside the graph before Python, and with it the progress display, hears of them."""
VALIDATION_BATCH = 500


@dataclass(frozen=True)
class StepReport:
    """Where training stands; loss (nats) and accuracy are means over the epoch so far."""

    epoch: int
    step: int
    steps: int
    loss: float
    accuracy: float
    images_per_second: float


@dataclass(frozen=True)
class EpochReport:
    """One finished epoch, a row of history.csv. Without a validation split its figures are None."""

    epoch: int
    loss: float
    accuracy: float
    val_loss: float | None
    val_accuracy: float | None
    lr: float
    seconds: float


@dataclass(frozen=True)
class Fitted:
    """A trained keras.Model (probabilities) with the history of its training.

    best_epoch: the epoch whose weights the model has; the last one unless patience went back.
    """

    model: Any
    history: tuple[EpochReport, ...]
    best_epoch: int


def fit(
    config: TrainConfig,
    digits: Digits,
    others: NDArray[np.uint8] | None = None,
    *,
    on_step: Callable[[StepReport], None] = lambda report: None,
    on_epoch: Callable[[EpochReport], None] = lambda report: None,
) -> Fitted:
    """Trains the configured network on `digits`, of which the validation split is held out.

    others: (n, 28, 28) uint8, what is no digit, for a network that has an output for it.
    Same config, digits, machine and thread count give the same model. Raises UsageError if the split
    leaves nothing to train on.
    """
    keras.utils.set_random_seed(config.seed)
    train, validation = split(digits, config.recipe.val_split, config.seed)
    trainer = Trainer(config, train, others)
    history: list[EpochReport] = []
    best_epoch, best_loss, best_weights = 0, np.inf, None
    for epoch in range(1, config.recipe.epochs + 1):
        start = time.perf_counter()
        lr = trainer.learning_rate()
        loss, accuracy = trainer.run_epoch(epoch, on_step)
        val_loss, val_accuracy = trainer.score(validation) if validation else (None, None)
        report = EpochReport(epoch, loss, accuracy, val_loss, val_accuracy, lr, time.perf_counter() - start)
        history.append(report)
        on_epoch(report)
        if config.patience is None or val_loss is None:
            best_epoch = epoch
        elif val_loss < best_loss:
            best_epoch, best_loss, best_weights = epoch, val_loss, trainer.result_weights()
        elif epoch - best_epoch >= config.patience:
            break
    weights = trainer.result_weights() if best_weights is None else best_weights
    trainer.model.set_weights(weights)
    return Fitted(trainer.model, tuple(history), best_epoch)


def split(digits: Digits, share: float, seed: int) -> tuple[Digits, Digits | None]:
    """Training and validation part, drawn at random from the seed; no validation part for a share of 0."""
    held_out = round(share * len(digits))
    if held_out == 0:
        return digits, None
    if held_out == len(digits):
        raise UsageError(
            f"A validation split of {share} leaves none of the {len(digits)} images to train on."
        )
    order = np.random.default_rng([seed, 0]).permutation(len(digits))
    return (
        digits.take(np.sort(order[held_out:]), f"{digits.name}, training part"),
        digits.take(np.sort(order[:held_out]), f"{digits.name}, validation part"),
    )


class Trainer:
    """A network in training: weights, optimizer, averaged weights and the data on the device.

    Images stay uint8 in memory and are scaled, and warped if wanted, batch by batch inside the graph.
    """

    def __init__(self, config: TrainConfig, train: Digits, others: NDArray[np.uint8] | None = None) -> None:
        recipe = config.recipe
        images, labels = train.images, train.labels
        if others is not None:
            images = np.concatenate([images, others])
            labels = np.concatenate([labels, np.full(len(others), NO_DIGIT, labels.dtype)])
        self._config = config
        self._batch_size = min(recipe.batch_size, len(images))
        self._steps = len(images) // self._batch_size
        self._strategy = tf.distribute.get_strategy()
        with self._strategy.scope():
            self.model = models.build(config.model)
            self._logits = models.logits(self.model)
            self._optimizer = _optimizer(config, self._steps * recipe.epochs)
            self._optimizer.build(self.model.trainable_variables)
            self._average = [tf.Variable(w) for w in self.model.weights] if recipe.average else []
            self._step = tf.Variable(0, dtype=tf.int32)
        self._images = tf.constant(images[..., None])
        self._labels = tf.constant(labels.astype(np.int32))
        # XLA fuses a dense network into a few kernels, but on a CPU its convolutions are 4 times slower
        # than oneDNN's and its random numbers for dropout 6 times slower than TensorFlow's own.
        is_plain = not config.model.channels and not config.model.dropout
        self._learn = tf.function(self._learn_batch, jit_compile=is_plain)
        self._steps_call = tf.function(
            self._run_steps, input_signature=[tf.TensorSpec([None, self._batch_size], tf.int32)]
        )
        self._score_call = tf.function(self._score_batch)

    def learning_rate(self) -> float:
        """The learning rate of the next step."""
        return float(self._optimizer.learning_rate)

    def result_weights(self) -> list[NDArray[np.float32]]:
        """What training has come to so far: the averaged weights where there are any."""
        if self._average:
            return [weight.numpy() for weight in self._average]
        weights: list[NDArray[np.float32]] = self.model.get_weights()
        return weights

    def run_epoch(self, epoch: int, on_step: Callable[[StepReport], None]) -> tuple[float, float]:
        """Mean loss and accuracy over one epoch in an order that seed and epoch decide.

        The last, incomplete batch is left out; another epoch's order will have its images.
        """
        order = np.random.default_rng([self._config.seed, epoch]).permutation(len(self._labels))
        batches = order[: self._steps * self._batch_size].reshape(self._steps, -1).astype(np.int32)
        loss = correct = 0.0
        start = time.perf_counter()
        for first in range(0, self._steps, STEPS_PER_CALL):
            some = batches[first : first + STEPS_PER_CALL]
            some_loss, some_correct = self._steps_call(some)
            loss, correct = loss + float(some_loss), correct + float(some_correct)
            done = first + len(some)
            images = done * self._batch_size
            speed = images / (time.perf_counter() - start)
            on_step(StepReport(epoch, done, self._steps, loss / images, correct / images, speed))
        images = self._steps * self._batch_size
        return loss / images, correct / images

    def score(self, digits: Digits) -> tuple[float, float]:
        """Mean loss and accuracy of the result so far on other digits."""
        current = self.model.get_weights()
        self.model.set_weights(self.result_weights())
        loss = correct = 0.0
        for first in range(0, len(digits), VALIDATION_BATCH):
            images = digits.images[first : first + VALIDATION_BATCH, ..., None]
            labels = digits.labels[first : first + VALIDATION_BATCH].astype(np.int32)
            some_loss, some_correct = self._score_call(images, labels)
            loss, correct = loss + float(some_loss), correct + float(some_correct)
        self.model.set_weights(current)
        return loss / len(digits), correct / len(digits)

    def _run_steps(self, batches: Any) -> tuple[Any, Any]:
        loss = correct = tf.constant(0.0)
        for batch in batches:
            images = _scale(tf.gather(self._images, batch))
            if self._config.recipe.augment:
                seed = tf.stack([tf.constant(self._config.seed, tf.int32), self._step])
                images = augmentation.warp(images, seed)
            labels = tf.gather(self._labels, batch)
            batch_loss, batch_correct = self._strategy.run(self._learn, (images, labels))
            loss, correct = loss + batch_loss, correct + batch_correct
            self._step.assign_add(1)
        return loss, correct

    def _learn_batch(self, images: Any, labels: Any) -> tuple[Any, Any]:
        """One step of the optimizer; sums of loss and right answers over the batch."""
        with tf.GradientTape() as tape:
            logits = self._logits(images, training=True)
            losses = _cross_entropy(labels, logits, self._config.recipe.label_smoothing)
            loss = tf.reduce_mean(losses)
        variables = self.model.trainable_variables
        self._optimizer.apply(tape.gradient(loss, variables), variables)
        # Early weights would weigh down the average of a short run, so it starts off short and grows.
        step = tf.cast(self._step, tf.float32)
        decay = tf.minimum(self._config.recipe.average, (1 + step) / (10 + step))
        for average, weight in zip(self._average, self.model.weights, strict=False):
            average.assign(decay * average + (1 - decay) * weight)
        return tf.reduce_sum(losses), _correct(labels, logits)

    def _score_batch(self, images: Any, labels: Any) -> tuple[Any, Any]:
        logits = self._logits(_scale(images), training=False)
        return tf.reduce_sum(_cross_entropy(labels, logits, 0.0)), _correct(labels, logits)


def _optimizer(config: TrainConfig, steps: int) -> Any:
    recipe = config.recipe
    lr: Any = recipe.lr
    if recipe.schedule == "cosine":
        warmup = steps // 20
        lr = keras.optimizers.schedules.CosineDecay(
            recipe.lr / 20, max(1, steps - warmup), warmup_target=recipe.lr, warmup_steps=warmup
        )
    kinds = {
        "adam": keras.optimizers.Adam,
        "adamw": keras.optimizers.AdamW,
        "rmsprop": keras.optimizers.RMSprop,
        "sgd": lambda lr: keras.optimizers.SGD(lr, momentum=0.9, nesterov=True),
    }
    return kinds[recipe.optimizer](lr)


def _scale(images: Any) -> Any:
    return tf.cast(images, tf.float32) / 255.0


def _cross_entropy(labels: Any, logits: Any, smoothing: float) -> Any:
    classes = logits.shape[-1]
    share = smoothing / classes
    target = tf.one_hot(labels, classes, on_value=1 - smoothing + share, off_value=share)
    return tf.nn.softmax_cross_entropy_with_logits(target, logits)


def _correct(labels: Any, logits: Any) -> Any:
    return tf.reduce_sum(tf.cast(tf.argmax(logits, 1, tf.int32) == labels, tf.float32))
