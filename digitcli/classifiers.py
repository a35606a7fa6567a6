"""Any model file to ten probabilities per picture: LiteRT first, TensorFlow only for files that need it.

Files are recognised by their content. A model may take its 28x28 pixels in any usual arrangement and give
probabilities or logits; `Classifier` hides the difference.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from digitcli.data.digits import CLASSES, SIDE
from digitcli.errors import DigitcliError, ModelError, UsageError
from digitcli.networks import first_line, forward, load_keras, load_saved_model, picture_shape, with_softmax
from digitcli.onnx_models import OnnxModel, may_be_onnx
from digitcli.runs import BUNDLED
from digitcli.system.quiet import native_stderr_hidden

BATCH = 256
"""Pictures run at a time: keeps the activations of a large network below some 100 MB, and costs no speed."""

THREADS = 2
"""For LiteRT, unless told otherwise. More wait for each other on pictures this small."""

OUTPUTS = (CLASSES, CLASSES + 1)
"""Numbers of classes that a model may tell apart: the digits, and what is no digit."""

Format = Literal["keras", "h5", "tflite", "onnx", "savedmodel"]
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


def load(
    path: Path, *, threads: int = THREADS, views: int = 1, trust: Callable[[str], None] | None = None
) -> Classifier:
    """The classifier in a .tflite, .onnx, .keras or .h5 file or a SavedModel folder, whatever its name.

    A file that digitcli does not know is first tried in another process: see trial.
    threads: for LiteRT and ONNX Runtime, at most; TensorFlow decides itself. views: see Classifier.
    trust: let in whatever the file brings along, untried; called before with what could run code or read or
        write files, if there is such a thing. None: that is refused.
    Raises UsageError for less than one view; ModelError, which names the file, if it is absent, damaged, no
    model, no classifier of 28x28 pictures into ten classes, or refused; MissingExtraError if it needs
    TensorFlow or ONNX Runtime and that is not installed.
    """
    if views < 1:
        raise UsageError(f"At least one view of each picture is needed, got {views}.")
    kind = recognise(path)
    if path.parent != BUNDLED.parent:
        from digitcli import trial  # the bundled model should not pay for its import

        if trust:
            trial.tell_risks(path, kind, trust)
        else:
            trial.require_passed(path, kind)
    classifier = load_untried(path, kind, threads, safe=trust is None)
    classifier.views = views
    return classifier


def load_our_own(path: Path, *, threads: int = THREADS, views: int = 1) -> Classifier:
    """As `load`, for what digitcli has just written or tried, and so need not try."""
    classifier = load_untried(path, recognise(path), threads, safe=False)
    classifier.views = views
    return classifier


def load_untried(path: Path, kind: Format, threads: int, *, safe: bool) -> Classifier:
    """As `load`, here and now. safe: Python code in a Keras file is not run."""
    try:
        match kind:
            case "tflite":
                return _load_litert(path, threads)
            case "onnx":
                onnx = OnnxModel(path, min(threads, os.cpu_count() or 1))
                return Classifier(path, "ONNX Runtime", onnx, batch=onnx.batch)
            case _:
                return _load_network(path, kind, safe)
    except DigitcliError:
        raise
    except Exception as error:  # the runtimes raise nearly every kind there is
        raise ModelError(f"{path}: does not run on {SIDE}x{SIDE} pictures: {first_line(error)}") from error


def recognise(path: Path) -> Format:
    """Which kind of model `path` is, by its content. Raises ModelError if it is none."""
    if not path.exists():
        raise ModelError(f"There is no model at {path}.")
    if path.is_dir():
        if (path / "saved_model.pb").exists():
            return "savedmodel"
        raise ModelError(f"{path}: is a folder without a model. Give a run, a SavedModel or a model file.")
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}.") from error
    if head[4:] == b"TFL3":
        return "tflite"
    if head == b"\x89HDF\r\n\x1a\n":
        return "h5"
    if head.startswith(b"PK\x03\x04"):  # an archive; keras_risks looks into it
        return "keras"
    if path.name == "saved_model.pb":
        raise ModelError(f"{path}: is a part of a SavedModel. Give its folder, {path.parent}.")
    if may_be_onnx(head):
        return "onnx"
    raise no_model(path)


def no_model(path: Path) -> ModelError:
    """The error for a file that is no model at all."""
    return ModelError(
        f"{path}: is not a model. Known are .tflite, .onnx, .keras, .h5 and SavedModel folders."
    )


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


def _load_litert(path: Path, threads: int) -> Classifier:
    model = _LiteRT(path, threads)
    return Classifier(path, "LiteRT", model, batch=model.batch)


def _load_network(path: Path, kind: Literal["keras", "h5", "savedmodel"], safe: bool) -> Classifier:
    if kind == "savedmodel":
        network, batch = load_saved_model(path)
        runtime = "TensorFlow"
    else:
        network, batch = load_keras(path, kind, safe=safe)
        runtime = "Keras"
    classifier = Classifier(path, runtime, forward(network), batch=batch, network=network)
    if not classifier.gives_logits:
        return classifier
    network = with_softmax(network)
    return Classifier(path, runtime, forward(network), batch=batch, network=network)


class _LiteRT:
    """A .tflite file, run by LiteRT without TensorFlow.

    batch: the only number of pictures it takes at a time; None if it takes any.
    """

    def __init__(self, path: Path, threads: int) -> None:
        self._path = path
        self._threads = min(threads, os.cpu_count() or 1)
        self.batch: int | None = None
        self._length: int
        self._open()
        shape = tuple(None if size < 0 else int(size) for size in self._input["shape_signature"])
        self._picture = picture_shape(path, shape)
        if shape[0] is not None:
            # Most files of a fixed batch are only labelled so and can be resized. Others hold its size
            # inside, which shows when they run.
            try:
                with native_stderr_hidden():
                    fits = self(probes()).shape[0] == len(probes())
            except (RuntimeError, ValueError):
                fits = False
            if not fits:
                self.batch = shape[0]
                self._open()

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, 28, 28) uint8 to the (n, …) float32 that the model gives."""
        tensor = self._quantised(images).reshape(len(images), *self._picture)
        if self._length != len(images):
            self._interpreter.resize_tensor_input(self._input["index"], tensor.shape)
            self._interpreter.allocate_tensors()
            self._length = len(images)
        self._interpreter.set_tensor(self._input["index"], tensor)
        self._interpreter.invoke()
        outputs: NDArray[np.float32] = self._interpreter.get_tensor(self._output["index"]).astype(np.float32)
        scale, zero = self._output["quantization"]
        return (outputs - np.float32(zero)) * np.float32(scale) if scale else outputs

    def _open(self) -> None:
        from ai_edge_litert.interpreter import Interpreter

        try:
            # It tells of its XNNPACK delegate on the C side's stderr, and of errors that we raise anyway.
            with native_stderr_hidden():
                self._interpreter = Interpreter(model_path=os.fsencode(self._path), num_threads=self._threads)
                self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"{self._path}: LiteRT cannot load it: {first_line(error)}") from error
        inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        if len(inputs) != 1:
            raise ModelError(f"{self._path}: takes {len(inputs)} inputs, one picture expected.")
        self._input = inputs[0]
        self._output = next((o for o in outputs if o["shape"][-1] in OUTPUTS), outputs[0])
        self._length = self._input["shape"][0]

    def _quantised(self, images: NDArray[np.uint8]) -> NDArray[Any]:
        dtype: type[Any] = self._input["dtype"]
        pixels: NDArray[Any] = images.astype(dtype)
        if np.issubdtype(dtype, np.floating):
            pixels /= dtype(255)
            return pixels
        scale, zero = self._input["quantization"]
        if scale:  # whole numbers without a scale are grey levels
            limits = np.iinfo(dtype)
            steps = np.round(images / (255 * scale)) + zero
            pixels = steps.clip(limits.min, limits.max).astype(dtype)
        return pixels
