"""A bundled network that takes pictures of any size, run by LiteRT on one core."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Network:
    """The network in a file of LiteRT."""

    def __init__(self, path: Path) -> None:
        from ai_edge_litert.interpreter import Interpreter

        from digitcli.system.quiet import native_stderr_hidden

        with native_stderr_hidden():
            self._interpreter = Interpreter(model_path=str(path), num_threads=1)
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]
        self._shape: tuple[int, ...] = ()

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(height, width, channels) to what the network answers to it."""
        if pixels.shape != self._shape:
            self._interpreter.resize_tensor_input(self._input, [1, *pixels.shape])
            self._interpreter.allocate_tensors()
            self._shape = pixels.shape
        self._interpreter.set_tensor(self._input, pixels[None].astype(np.float32))
        self._interpreter.invoke()
        answer: NDArray[Any] = self._interpreter.get_tensor(self._output)[0]
        return answer


@cache
def network(path: Path) -> Network:
    """The network in a file, opened once."""
    return Network(path)
