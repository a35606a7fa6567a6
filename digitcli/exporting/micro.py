"""A C array that holds a model, compiled and run as on a microcontroller: the proof of the c export."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitcli.convention import CLASSES
from digitcli.errors import ModelError
from digitcli.exporting.browser import last_line
from digitcli.system.quiet import native_stderr_hidden

ARRAY = "digitcli_model"
COMPILERS = ("cc", "gcc", "clang")
_ARENA = 1 << 24  # bytes for the activations: more than any microcontroller has

_PROGRAM = f"""
#include <stdio.h>
#include "model.h"
int main(void) {{ return fwrite({ARRAY}, 1, {ARRAY}_len, stdout) != {ARRAY}_len; }}
"""

_Run = Callable[[NDArray[np.int8]], NDArray[np.int8]]


class Micro:
    """A c export, run by TensorFlow Lite Micro or, where that is absent, by LiteRT's reference kernels.

    path: the header. runtime: which of the two it is.
    """

    def __init__(self, path: Path) -> None:
        """Raises ModelError if the header does not compile, or what it holds is no such model."""
        self.path = path
        model = array(path)
        try:
            with native_stderr_hidden():
                self._run, self._input, self._output = _micro(model)
            self.runtime = "TensorFlow Lite Micro"
        except RuntimeError as error:
            raise ModelError(f"{path}: TensorFlow Lite Micro lacks one of its operations: {error}") from error
        except ImportError:
            self._run, self._input, self._output = _reference(model)
            self.runtime = "LiteRT, reference kernels"

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, 28, 28) uint8, 0 paper to 255 ink, to (n, 10) float32, as from a Classifier."""
        scale, zero = self._input
        steps = np.round(images[..., None] / (255 * scale)) + zero
        rows = [self._run(picture[None]) for picture in steps.clip(-128, 127).astype(np.int8)]
        scale, zero = self._output
        given = np.array(rows, np.float32).reshape(len(images), -1)
        probabilities: NDArray[np.float32] = (given - np.float32(zero)) * np.float32(scale)
        return probabilities[:, :CLASSES]

    def seconds(self, images: NDArray[np.uint8], times: int) -> float:
        """The median time for these images, of several, on this machine."""
        taken = []
        for _ in range(times):
            start = time.perf_counter()
            self.probabilities(images)
            taken.append(time.perf_counter() - start)
        return sorted(taken)[times // 2]


def array(path: Path) -> bytes:
    """The bytes that a header's array has: as a C compiler says, or where there is none, as its text does.

    The compiler is $CC or one in PATH. Raises ModelError if it refuses the header.
    """
    named = os.environ.get("CC")
    compiler = next(filter(None, map(shutil.which, (named,) if named else COMPILERS)), None)
    if compiler is None:
        text = path.read_text(encoding="utf-8").partition(f"{ARRAY}[]")[2].partition("}")[0]
        return bytes(int(number, 16) for number in re.findall(r"0x[0-9a-f]{2}", text))
    with tempfile.TemporaryDirectory(prefix="digitcli-") as folder:
        shutil.copy(path, Path(folder, "model.h"))
        Path(folder, "main.c").write_text(_PROGRAM, encoding="ascii")
        command = [compiler, "-std=c11", "-Wall", "-Werror", "-o", "main", "main.c"]
        compiled = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if compiled.returncode:
            raise ModelError(f"{path}: {compiler} does not compile it: {last_line(compiled.stderr)}")
        return subprocess.run([Path(folder, "main")], capture_output=True, check=True).stdout


def _micro(model: bytes) -> tuple[_Run, tuple[float, int], tuple[float, int]]:
    from tflite_micro.python.tflite_micro import runtime

    interpreter = runtime.Interpreter.from_bytes(model, arena_size=_ARENA)

    def run(picture: NDArray[np.int8]) -> NDArray[np.int8]:
        interpreter.set_input(picture, 0)
        interpreter.invoke()
        given: NDArray[np.int8] = interpreter.get_output(0)
        return given

    def steps(details: dict[str, Any]) -> tuple[float, int]:
        found = details["quantization_parameters"]
        return float(found["scales"][0]), int(found["zero_points"][0])

    return run, steps(interpreter.get_input_details(0)), steps(interpreter.get_output_details(0))


def _reference(model: bytes) -> tuple[_Run, tuple[float, int], tuple[float, int]]:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    with native_stderr_hidden():
        interpreter = Interpreter(
            model_content=model, experimental_op_resolver_type=OpResolverType.BUILTIN_REF
        )
        interpreter.allocate_tensors()
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()

    def run(picture: NDArray[np.int8]) -> NDArray[np.int8]:
        interpreter.set_tensor(taken["index"], picture)
        interpreter.invoke()
        outputs: NDArray[np.int8] = interpreter.get_tensor(given["index"])
        return outputs

    return run, taken["quantization"], given["quantization"]
