"""Distillation: a network learns what another one says of the same warped images, beside their labels.

Hinton, Vinyals & Dean, "Distilling the Knowledge in a Neural Network", 2015; that teacher and student see the
same warped image: Beyer et al., "Knowledge distillation: A good teacher is patient and consistent", 2022.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from digitcli import models, runs
from digitcli.classifiers.networks import load_keras
from digitcli.convention import NO_DIGIT
from digitcli.system.tensorflow_setup import import_tensorflow
from digitcli.training.config import trained
from digitcli.training.processor import precision

tf = import_tensorflow()

SHARE = 0.6
"""Of what is learnt of an image; the rest is its label."""
TRUSTED = 0.3
"""Probability that the teacher must give to the label, to be heard."""


class Teacher:
    """A trained network, or an ensemble, that tells another in training how sure it is of each digit."""

    def __init__(self, run: Path) -> None:
        """run: its directory, or "bundled". Raises ModelError if it is none."""
        _, how = trained(run)
        found = runs.find_model(run, prefer=runs.KERAS_MODEL)
        model, _ = load_keras(found.path, "keras")
        self._members = []
        for member in models.members(model):
            network = models.build(how.model, dtype=precision(how.model))
            network.set_weights(member.get_weights())
            self._members.append(models.logits(network))

    def improve(self, targets: Any, labels: Any, images: Any) -> Any:
        """What is to be learnt of each image: (n, outputs) float32 probabilities.

        targets: the same by the labels alone. labels: (n,) int32. images: (n, 28, 28, 1) float32 in 0-1.
        Images that are no digit, and those that the teacher reads otherwise, keep their targets: how often
        there is no digit is another matter where the teacher learnt.
        """
        logits = tf.add_n([member(images, training=False) for member in self._members]) / len(self._members)
        taught = _with_outputs(tf.nn.softmax(tf.cast(logits, tf.float32)), targets.shape[-1])
        right = tf.gather(taught, labels, axis=1, batch_dims=1)
        heard = (labels != NO_DIGIT) & (right >= TRUSTED)
        return tf.where(heard[:, None], SHARE * taught + (1 - SHARE) * targets, targets)


def _with_outputs(probabilities: Any, outputs: int) -> Any:
    """The same with as many outputs: "no digit" left out, or never said."""
    missing = outputs - probabilities.shape[-1]
    if missing >= 0:
        return tf.pad(probabilities, [[0, 0], [0, missing]])
    digits = probabilities[:, :outputs]
    return digits / tf.reduce_sum(digits, axis=1, keepdims=True)
