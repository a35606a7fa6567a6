"""A loaded model: pictures to ten probabilities each, whatever arrangement of pixels and outputs it has."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitcli import runs
from digitcli.convention import CLASSES, SIDE
from digitcli.errors import ModelError

BATCH = 256
"""Pictures run at a time: keeps the activations of a large network below some 100 MB, and costs no speed."""

OUTPUTS = (CLASSES, CLASSES + 1)
"""Numbers of classes that a model may tell apart: the digits, and what is no digit."""

Forward = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""(n, 28, 28) uint8 to the (n, outputs) that the network gives."""


class Classifier:
    """A loaded model.

    path: the file or SavedModel folder it came from.
    runtime: "LiteRT", "ONNX Runtime", "Keras" or "TensorFlow".
    views: how many views of each picture, all slightly different, it reads to give their mean.
    network: the model in TensorFlow's hands, to be exported: a keras.Model or tf.Module from (n, 28, 28, 1)
        float32 in 0-1 to (n, classes) probabilities. None with LiteRT and ONNX Runtime.
    gives_logits: whether the model itself lacks the softmax that `probabilities` then applies.
    classes: how many it tells apart: ten, or eleven with what is no digit.
    """

    def __init__(
        self, path: Path, runtime: str, forward: Forward, *, batch: int | None = None, network: Any = None
    ) -> None:
        """batch: the only number of pictures the model takes at a time; None if it takes any."""
        self.path = path
        self.runtime = runtime
        self.views = 1
        self.network = network
        self._forward = forward
        self._batch = batch
        outputs = self._outputs(probes())
        if not np.isfinite(outputs).all():
            raise ModelError(f"{path}: gives no numbers (NaN or infinity). Its weights are damaged.")
        self.gives_logits = not are_probabilities(outputs)
        self.classes = outputs.shape[1]

    @cached_property
    def has_learnt(self) -> bool:
        """Whether it is of a run that went on from another model, as with digits of one's own."""
        return runs.went_on(self.path)

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, 28, 28) uint8, 0 paper to 255 ink, to (n, 10) float32. Any n, 0 too.

        A row sums to 1, or to less with a model that has an eleventh output: what is missing is the
        probability that the picture shows no digit.
        """
        if self.views == 1:
            return self._probabilities(images)
        from digitcli.images.augmentation import views  # one view should not pay for its import

        each = views(images, self.views).reshape(-1, SIDE, SIDE)
        mean: NDArray[np.float32] = self._probabilities(each).reshape(self.views, -1, CLASSES).mean(axis=0)
        return mean

    def seconds(self, images: NDArray[np.uint8], times: int) -> float:
        """The median time that `probabilities` takes for these images, of several."""
        taken = []
        for _ in range(times):
            start = time.perf_counter()
            self.probabilities(images)
            taken.append(time.perf_counter() - start)
        return sorted(taken)[times // 2]

    def _probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        outputs = self._outputs(images)
        return (softmax(outputs) if self.gives_logits else outputs)[:, :CLASSES]

    def _outputs(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        size = self._batch or BATCH
        results = []
        for start in range(0, len(images), size):
            batch = images[start : start + size]
            count = len(batch)
            if self._batch and count < self._batch:
                batch = np.concatenate([batch, np.zeros((self._batch - count, SIDE, SIDE), np.uint8)])
            outputs = self._forward(batch)
            if outputs.shape[0] != len(batch):
                raise ModelError(f"{self.path}: gives {outputs.shape[0]} results for {len(batch)} pictures.")
            outputs = outputs.reshape(len(batch), -1)
            if outputs.shape[1] not in OUTPUTS:
                raise ModelError(f"{self.path}: gives {outputs.shape[1]} classes, {CLASSES} expected.")
            results.append(outputs[:count])
        return np.concatenate(results) if results else np.empty((0, CLASSES), np.float32)


def probes() -> NDArray[np.uint8]:
    """A few fixed pictures, (6, 28, 28), that tell logits from probabilities: paper, ink, ramp and noise."""
    ramp = np.tile(np.linspace(0, 255, SIDE).astype(np.uint8), (SIDE, 1))
    noise = (np.arange(3 * SIDE * SIDE) * 7919 % 256).astype(np.uint8).reshape(3, SIDE, SIDE)
    return np.concatenate([[np.zeros_like(ramp), np.full_like(ramp, 255), ramp], noise])


def are_probabilities(rows: NDArray[np.float32]) -> bool:
    """Whether every row lies in 0-1 and sums to 1."""
    # Outputs of 8 bits come in steps of 1/256, so the sum of ten may be off by ten half steps.
    return bool((rows >= 0).all() and (rows <= 1.001).all() and np.allclose(rows.sum(1), 1, atol=0.025))


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Along the last axis, without overflow."""
    exponentials = np.exp(logits - logits.max(-1, keepdims=True))
    shares: NDArray[np.float32] = exponentials / exponentials.sum(-1, keepdims=True)
    return shares
