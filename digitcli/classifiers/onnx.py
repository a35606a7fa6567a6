"""The ONNX side of `classifiers`: .onnx files, run by ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitcli.classifiers.networks import first_line, picture_shape
from digitcli.convention import CLASSES
from digitcli.errors import MissingExtraError, ModelError
from digitcli.system.quiet import native_stderr_hidden

_TYPES: dict[str, type[Any]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
}
_ONLY_ERRORS = 3


def may_be_onnx(head: bytes) -> bool:
    """Whether a file that begins with these bytes may be ONNX.

    It has no magic number: it begins with field 1 of a protobuf message, the version of ONNX's format, a
    small number, and another field of ModelProto.
    """
    fields = b"\x12\x1a\x22\x28\x32\x3a\x42"
    return len(head) > 2 and head[0] == 0x08 and 1 <= head[1] < 64 and head[2] in fields


class OnnxModel:
    """An .onnx file as a function of pictures.

    batch: the only number of pictures it takes at a time; None if it takes any.
    """

    def __init__(self, path: Path, threads: int) -> None:
        """Raises ModelError if it takes no 28x28 picture, MissingExtraError without ONNX Runtime."""
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingExtraError("ONNX Runtime", "digitcli[onnx]") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = _ONLY_ERRORS
        try:
            with native_stderr_hidden():
                self._session = onnxruntime.InferenceSession(
                    str(path), options, providers=["CPUExecutionProvider"]
                )
        except Exception as error:  # ONNX Runtime has a kind of its own for each status
            raise ModelError(f"{path}: ONNX Runtime cannot load it: {first_line(error)}") from error
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            raise ModelError(f"{path}: takes {len(inputs)} inputs, one picture expected.")
        self._input = inputs[0]
        if self._input.type not in _TYPES:
            raise ModelError(f"{path}: takes {self._input.type}, no picture.")
        self._dtype = _TYPES[self._input.type]
        shape = tuple(size if isinstance(size, int) else None for size in self._input.shape)
        self._picture = picture_shape(path, shape)
        self.batch = shape[0]
        outputs = self._session.get_outputs()
        fitting = (each for each in outputs if each.shape and each.shape[-1] in (CLASSES, CLASSES + 1))
        self._output = next(fitting, outputs[0]).name

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, 28, 28) uint8 to the (n, …) float32 that the model gives."""
        pixels: NDArray[Any] = images.reshape(len(images), *self._picture).astype(self._dtype)
        if np.issubdtype(self._dtype, np.floating):
            pixels /= self._dtype(255)
        (outputs,) = self._session.run([self._output], {self._input.name: pixels})
        return np.asarray(outputs, np.float32)
