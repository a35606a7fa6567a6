"""The LiteRT side of `classifiers`: .tflite files, run without TensorFlow."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitcli.classifiers.classifier import OUTPUTS, probes
from digitcli.classifiers.networks import first_line, picture_shape
from digitcli.errors import ModelError
from digitcli.system.quiet import native_stderr_hidden


class LiteRTModel:
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
