"""The training loop: one for every network, with everything that repeats inside one TensorFlow graph."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from digitcli import models
from digitcli.convention import NO_DIGIT, SIDE
from digitcli.data.digits import Digits
from digitcli.errors import UsageError
from digitcli.images.augmentation import CENTRED, Warp
from digitcli.runs.history import EpochReport
from digitcli.system.parallel import cores
from digitcli.system.tensorflow_setup import import_tensorflow
from digitcli.training import feed
from digitcli.training.config import TrainConfig
from digitcli.training.processor import FusedBatchNormalization, follow, normalizations, precision, seen
from digitcli.training.schedule import learning_rate, warp_strength
from digitcli.training.state import MemberState
from digitcli.training.teacher import Teacher
from digitcli.training.workers import Workers

tf = import_tensorflow()
import keras  # noqa: E402  (after TensorFlow has been told to be quiet)

OPTIMIZERS = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "rmsprop": keras.optimizers.RMSprop,
    "sgd": lambda lr: keras.optimizers.SGD(lr, momentum=0.9, nesterov=True),
}
PART = 32
"""Images of a batch that are convolved together: more do not stay in a core's cache."""
LEAST_PART = 8
STEPS_PER_CALL = 25
"""Steps that run inside the graph before Python, and with it the progress display, hears of them."""
VALIDATION_BATCH = 1000
FEW_SHARE = 0.1
"""Of what is learnt that few digits labelled by hand are given, not to be lost among the many."""
_SEEDS_APART = 1000  # between the members of an ensemble, so that neighbouring seeds share none


@dataclass(frozen=True)
class StepReport:
    """Where training stands; loss (nats) and accuracy are means over the epoch so far.

    progress: the share of the whole training that is done, 0-1.
    """

    member: int
    epoch: int
    step: int
    steps: int
    loss: float
    accuracy: float
    images_per_second: float
    progress: float


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
    few: Digits | None = None,
    teacher: Teacher | None = None,
    start: Sequence[NDArray[Any]] = (),
    member: int = 1,
    workers: Workers | None = None,
    resumed: MemberState | None = None,
    on_step: Callable[[StepReport], None] = lambda report: None,
    on_epoch: Callable[[EpochReport], None] = lambda report: None,
    on_state: Callable[[Callable[[], MemberState]], None] = lambda take: None,
) -> Fitted:
    """Trains the configured network on `digits`, of which the validation split is held out.

    others: (n, 28, 28) uint8, what is no digit, for a network that has an output for it.
    few: digits to be learnt beside them as if they were FEW_SHARE of all; none of them is held out.
    teacher: a network whose answers are learnt beside the labels.
    start: the weights to begin with; none for random ones.
    member: which of an ensemble this is; all hold out the same images.
    workers: the processes that train it together, all by this function; by default this one alone, in the
        tf.distribute.Strategy whose scope it is called in.
    resumed: where to go on; from there it ends with what it would have ended with, bit for bit.
    on_state: told after every few steps how to take the state, to be resumed from.
    Same config, digits, machine and thread count give the same model, unless it has a time budget.
    Raises UsageError if the split leaves nothing to train on, or a batch has not the same share for each
    replica of the network.
    """
    workers = workers or Workers(tf.distribute.get_strategy())
    keras.utils.set_random_seed(config.seed + _SEEDS_APART * (member - 1))
    train, validation = split(digits, config.recipe.val_split, config.seed)
    trainer = Trainer(config, train, others, few, teacher, start, member, workers, resumed)
    history = list(resumed.history) if resumed else []
    best_epoch, best_weights = (resumed.best_epoch, resumed.best_weights) if resumed else (0, ())

    def state() -> MemberState:
        return trainer.state(tuple(history), best_epoch, best_weights)

    def step(report: StepReport) -> None:
        on_step(report)
        if report.step < report.steps:  # the end of an epoch has its own below, with the epoch's report
            on_state(state)

    while not _ended(config, history, best_epoch, trainer.progress()):
        epoch = len(history) + 1
        loss, accuracy = trainer.run_epoch(epoch, step)
        val_loss, val_accuracy = trainer.score(validation) if validation else (None, None)
        lr = learning_rate(config.recipe, trainer.epoch_progress)
        report = EpochReport(member, epoch, loss, accuracy, val_loss, val_accuracy, lr, trainer.end_epoch())
        if config.patience is None or val_loss is None:
            best_epoch = epoch
        elif not best_epoch or val_loss < cast(float, history[best_epoch - 1].val_loss):
            best_epoch, best_weights = epoch, tuple(trainer.result_weights())
        history.append(report)
        on_epoch(report)
        on_state(state)
    model = models.build(config.model)
    model.set_weights(best_weights or trainer.result_weights())
    return Fitted(model, tuple(history), best_epoch)


def _ended(config: TrainConfig, history: Sequence[EpochReport], best_epoch: int, progress: float) -> bool:
    """Whether all epochs are done, or patience is at its end."""
    if not history:
        return False
    return progress >= 1 or (config.patience is not None and len(history) - best_epoch >= config.patience)


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
    """A network in training: weights, optimizer, averaged weights and the order of the data.

    Images stay uint8 in memory; a thread warps those of the next call, if wanted, while a call runs.
    """

    def __init__(
        self,
        config: TrainConfig,
        train: Digits,
        others: NDArray[np.uint8] | None,
        few: Digits | None,
        teacher: Teacher | None,
        start: Sequence[NDArray[Any]],
        member: int,
        workers: Workers,
        resumed: MemberState | None = None,
    ) -> None:
        recipe = config.recipe
        self._images, self._labels = train.images, train.labels.astype(np.int32)
        if others is not None:
            self._images = np.concatenate([self._images, others])
            self._labels = np.concatenate([self._labels, np.full(len(others), NO_DIGIT, np.int32)])
        if few is not None:
            times = max(1, round(FEW_SHARE / (1 - FEW_SHARE) * len(self._images) / len(few)))
            self._images = np.concatenate([self._images, *[few.images] * times])
            self._labels = np.concatenate([self._labels, *[few.labels.astype(np.int32)] * times])
        self._config = config
        self._member = member
        self._teacher = teacher
        self._workers = workers
        self._batch_size = _batch_size(recipe.batch_size, len(self._images), workers.replicas)
        self._steps = len(self._images) // self._batch_size
        self._parts = _parts(self._batch_size, bool(config.model.channels), workers.replicas)
        with workers.making_variables():
            self.model = models.build(config.model, FusedBatchNormalization, precision(config.model))
            if start:
                self.model.set_weights(start)
            self._logits = models.logits(self.model)
            self._optimizer = OPTIMIZERS[recipe.optimizer](recipe.lr)
            self._optimizer.build(self.model.trainable_variables)
            self._normalizations = normalizations(self.model)
            self._average = [tf.Variable(w) for w in self.model.weights] if recipe.average else []
        self._done = resumed.steps if resumed else 0
        self._loss = resumed.loss if resumed else 0.0
        self._correct = resumed.correct if resumed else 0.0
        self.epoch_progress = resumed.progress if resumed else 0.0
        self._started = self._epoch_started = time.perf_counter()
        self._elapsed = resumed.seconds if resumed else 0.0
        if resumed:
            self._started -= resumed.seconds
            self._epoch_started -= resumed.epoch_seconds
            for variable, value in zip(self._variables(), resumed.variables, strict=True):
                variable.assign(value)
        self._part_sums = tf.function(self._sums_of_part, autograph=False)
        share = self._batch_size // workers.count
        pixels = tf.TensorSpec([None, share, SIDE, SIDE], tf.uint8)
        labels = tf.TensorSpec([None, share], tf.int32)
        rates = tf.TensorSpec([None], tf.float32)
        self._steps_call = tf.function(
            self._run_steps, input_signature=[pixels, labels, rates], autograph=False
        )
        self._score_call = tf.function(self._score_batch, autograph=False)

    def state(
        self, history: tuple[EpochReport, ...], best_epoch: int, best_weights: tuple[NDArray[Any], ...]
    ) -> MemberState:
        """What another trainer needs to go on from here; what the trainer does not know is given."""
        now = time.perf_counter()
        return MemberState(
            variables=tuple(variable.numpy() for variable in self._variables()),
            steps=self._done,
            loss=self._loss,
            correct=self._correct,
            progress=self.epoch_progress,
            seconds=now - self._started,
            epoch_seconds=now - self._epoch_started,
            history=history,
            best_epoch=best_epoch,
            best_weights=best_weights,
        )

    def _variables(self) -> list[Any]:
        """All that changes in training. Unlike `weights`, `variables` hold the state of dropout."""
        return [*self.model.variables, *self._optimizer.variables, *self._average]

    def end_epoch(self) -> float:
        """Makes room for the next epoch's sums; the seconds that this one took, with its validation."""
        self._loss = self._correct = 0.0
        now = time.perf_counter()
        seconds, self._epoch_started = now - self._epoch_started, now
        self._read_clock()
        self.epoch_progress = self.progress()
        return seconds

    def result_weights(self) -> list[NDArray[np.float32]]:
        """What training has come to so far: the averaged weights where there are any."""
        if self._average:
            return [weight.numpy() for weight in self._average]
        weights: list[NDArray[np.float32]] = self.model.get_weights()
        return weights

    def progress(self, ahead: int = 0) -> float:
        """The share of the training, 0-1, that is done `ahead` steps from now."""
        if self._config.time_budget is None:
            return (self._done + ahead) / (self._steps * self._config.recipe.epochs)
        return min(1.0, self._elapsed / (self._config.time_budget / self._config.members))

    def _read_clock(self) -> None:
        """Sets the time that a budget goes by, the same on all workers: the mean of theirs."""
        if self._config.time_budget is not None:
            (together,) = self._workers.total([time.perf_counter() - self._started])
            self._elapsed = together / self._workers.count

    def run_epoch(self, epoch: int, on_step: Callable[[StepReport], None]) -> tuple[float, float]:
        """Mean loss and accuracy over one epoch in an order that seed, member and epoch decide.

        The last, incomplete batch is left out; another epoch's order will have its images. Ends early where
        a time budget is spent.
        """
        first = self._done % self._steps
        step = first
        start = time.perf_counter()
        for images, labels in self._batches(epoch, first):
            rates = [learning_rate(self._config.recipe, self.progress(n)) for n in range(len(images))]
            loss, correct = self._steps_call(images, labels, rates)
            self._loss, self._correct = self._loss + float(loss), self._correct + float(correct)
            step += len(images)
            self._done += len(images)
            self._read_clock()
            seen = step * self._batch_size
            speed = (step - first) * self._batch_size / (time.perf_counter() - start)
            progress = (self._member - 1 + self.progress()) / self._config.members
            means = self._loss / seen, self._correct / seen
            on_step(StepReport(self._member, epoch, step, self._steps, *means, speed, progress))
            if self.progress() >= 1:
                break
        return means

    def score(self, digits: Digits) -> tuple[float, float]:
        """Mean loss and accuracy of the result so far on other digits."""
        current = self.model.get_weights()
        self.model.set_weights(self.result_weights())
        loss = correct = 0.0
        share = self._workers.share_of(len(digits))
        for first in range(share.start, share.stop, VALIDATION_BATCH):
            rows = slice(first, min(first + VALIDATION_BATCH, share.stop))
            labels = digits.labels[rows].astype(np.int32)
            some_loss, some_correct = self._score_call(digits.images[rows], labels)
            loss, correct = loss + float(some_loss), correct + float(some_correct)
        self.model.set_weights(current)
        loss, correct = self._workers.total([loss, correct])
        return loss / len(digits), correct / len(digits)

    def _batches(self, epoch: int, first: int) -> Iterator[feed.Batches]:
        usual = Warp() if self._config.model.channels else CENTRED
        bounds = usual.scaled(warp_strength(self.epoch_progress))
        return feed.batches(
            self._images,
            self._labels,
            self._batch_size,
            first=first,
            at_a_time=STEPS_PER_CALL,
            seed=(self._config.seed, self._member, epoch),
            bounds=bounds if self._config.recipe.augment else None,
            share=self._workers.share_of(self._batch_size),
        )

    def _run_steps(self, images: Any, labels: Any, rates: Any) -> tuple[Any, Any]:
        def run_step(step: Any, loss: Any, correct: Any) -> tuple[Any, Any, Any]:
            batch = images[step], labels[step], rates[step]
            sums = self._workers.strategy.run(self._learn, batch)
            # Each replica has the sums of all.
            batch_loss, batch_correct = (
                self._workers.strategy.experimental_local_results(each)[0] for each in sums
            )
            return step + 1, loss + batch_loss, correct + batch_correct

        steps = tf.shape(rates)[0]
        _, loss, correct = tf.while_loop(lambda step, *_: step < steps, run_step, (0, 0.0, 0.0))
        return loss, correct

    def _learn(self, images: Any, labels: Any, rate: Any) -> tuple[Any, Any]:
        """One step of the optimizer; sums of loss and right answers over the batch.

        The batch is worked on in parts, several at once: each operation is then one core's work on what
        its cache holds, and no core waits for another until the gradients are added up. Batch
        normalisation sees a part at a time (Hoffer, Hubara & Soudry, "Train longer, generalize better",
        2017, who found that to be no loss).
        """
        images, labels = self._share_of_replica(images), self._share_of_replica(labels)
        outcomes = [
            self._part_sums(*part)
            for part in zip(_split(images, self._parts), _split(labels, self._parts), strict=True)
        ]
        sums = self._over_replicas([self._sum(some) for some in zip(*outcomes, strict=True)])
        loss, correct, *others = (tf.cast(each, tf.float32) for each in sums)
        self._update_weights(others, rate)
        return loss, correct

    def _sum(self, parts: tuple[Any, ...]) -> Any:
        # Where the parts are the same however many replicas share them, so is the sum, to the last bit: in
        # double precision it does not matter in which order they are added.
        dtype = tf.float64 if self._config.model.channels else tf.float32
        return tf.add_n([tf.cast(part, dtype) for part in parts])

    def _share_of_replica(self, values: Any) -> Any:
        """Of this worker's share of a batch, that of one of its replicas."""
        replicas = self._workers.replicas // self._workers.count
        if replicas == 1:
            return values
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group % replicas
        return tf.reshape(values, [replicas, values.shape[0] // replicas, *values.shape[1:]])[replica]

    def _over_replicas(self, sums: list[Any]) -> list[Any]:
        """The sums of all replicas. They travel as one: a message takes longer than what is in it."""
        if self._workers.replicas == 1:
            return sums
        sizes = [each.shape.num_elements() for each in sums]
        together = tf.concat([tf.reshape(each, [-1]) for each in sums], 0)
        together = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, together)
        pieces = zip(tf.split(together, sizes), sums, strict=True)
        return [tf.reshape(piece, each.shape) for piece, each in pieces]

    def _sums_of_part(self, images: Any, labels: Any) -> list[Any]:
        """Over a part of a batch, sums of loss, right answers and gradients; what normalising layers saw."""
        pixels = _scale(images)
        targets = _targets(labels, self._config.model.outputs, self._config.recipe.label_smoothing)
        if self._teacher:
            targets = self._teacher.improve(targets, labels, pixels)
        with tf.GradientTape() as tape:
            logits = self._logits(pixels, training=True)
            loss = tf.reduce_sum(tf.nn.softmax_cross_entropy_with_logits(targets, logits))
        gradients = tape.gradient(loss, self.model.trainable_variables)
        return [loss, _correct(labels, logits), *gradients, *seen(self._normalizations)]

    def _update_weights(self, sums: list[Any], rate: Any) -> None:
        """sums: over the batch of the gradients, and over its parts of what the normalising layers saw."""
        variables = self.model.trainable_variables
        # Not `apply`, which would add up gradients over replicas again.
        for variable, gradient in zip(variables, sums[: len(variables)], strict=True):
            if self._optimizer.weight_decay:
                variable.assign_sub(variable * self._optimizer.weight_decay * rate)
            self._optimizer.update_step(gradient / self._batch_size, variable, rate)
        self._optimizer.iterations.assign_add(1)
        follow(self._normalizations, sums[len(variables) :], self._parts * self._workers.replicas)
        # Early weights would weigh down the average of a short run, so it starts off short and grows.
        done = tf.cast(self._optimizer.iterations, tf.float32)
        decay = tf.minimum(self._config.recipe.average, done / (9 + done))
        for average, weight in zip(self._average, self.model.weights, strict=False):
            average.assign(decay * average + (1 - decay) * weight)

    def _score_batch(self, images: Any, labels: Any) -> tuple[Any, Any]:
        """Sums of loss and right answers over a batch, worked on in as many parts as there are cores."""
        parts = min(cores(), images.shape[0])
        logits = tf.concat(
            [self._logits(_scale(part), training=False) for part in _split(images, parts)], axis=0
        )
        targets = _targets(labels, self._config.model.outputs, 0.0)
        losses = tf.nn.softmax_cross_entropy_with_logits(targets, logits)
        return tf.reduce_sum(losses), _correct(labels, logits)


def _scale(images: Any) -> Any:
    return tf.cast(images, tf.float32)[..., None] / 255.0


def _batch_size(wanted: int, images: int, replicas: int) -> int:
    """Images of a batch: as wanted, or all there are. Raises UsageError for one that is not shared evenly."""
    if images < wanted:
        return max(images - images % replicas, replicas)
    if wanted % replicas:
        raise UsageError(
            f"A batch of {wanted} images has not the same share for each of {replicas} workers or GPUs. "
            f"Choose a multiple of {replicas} with --batch-size."
        )
    return wanted


def _parts(batch_size: int, convolutional: bool, replicas: int) -> int:
    """How many parts of its share of a batch each replica works on at once.

    At least one for each core, but for networks with batch normalisation as many in all as one replica would
    take, so that the parts are the same however many share them.
    """
    share = batch_size // replicas
    wanted = max(cores(), batch_size // PART) // replicas if convolutional else cores()
    return max(1, min(wanted, share // LEAST_PART))


def _split(values: Any, parts: int) -> Any:
    """Along the first axis; the last part takes what is left over."""
    size = values.shape[0] // parts
    return tf.split(values, [size] * (parts - 1) + [values.shape[0] - size * (parts - 1)])


def _targets(labels: Any, classes: int, smoothing: float) -> Any:
    share = smoothing / classes
    return tf.one_hot(labels, classes, on_value=1 - smoothing + share, off_value=share)


def _correct(labels: Any, logits: Any) -> Any:
    return tf.reduce_sum(tf.cast(tf.argmax(logits, 1, tf.int32) == labels, tf.float32))
