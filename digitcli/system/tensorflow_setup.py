"""The one door to TensorFlow: quiet, and clear when it is not installed."""

from __future__ import annotations

import gc
import importlib.util
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from digitcli.errors import DigitcliError, MissingExtraError
from digitcli.system.quiet import native_stderr_hidden

UNSUPPORTED = (3, 14)
"""The first version of Python that TensorFlow has no release for; as in pyproject.toml."""

_unused: tuple[str, ...] = ()


def import_no_more_than_needed() -> None:
    """From now on TensorFlow comes without what Keras would plot with and take DataFrames from, 0.6 s sooner.

    For a process that runs digitcli's code alone: Keras does not look for them a second time.
    """
    global _unused
    _unused = ("matplotlib", "pandas")


def import_tensorflow() -> Any:
    """TensorFlow, imported without its start-up chatter.

    Raises MissingExtraError if it is not installed, DigitcliError if it cannot be. A broken installation
    keeps its own error.
    """
    if importlib.util.find_spec("tensorflow") is None:
        if sys.version_info >= UNSUPPORTED:
            raise DigitcliError(
                f"TensorFlow has no release for Python {sys.version_info[0]}.{sys.version_info[1]}. To train"
                " and to export, install digitcli for Python 3.11, 3.12 or 3.13; all else works here."
            )
        raise MissingExtraError("TensorFlow", "tensorflow")
    # Its C++ side reads these while it is being imported, hence before.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    # TensorFlow leaves oneDNN off where there is no AVX-512, but convolutions train 1.6 times faster with
    # it there too (measured on an AMD Zen 3).
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    with native_stderr_hidden(), _left_out(_unused), _no_garbage_collected():
        import tensorflow
    tensorflow.get_logger().setLevel("ERROR")
    return tensorflow


@contextmanager
def _left_out(modules: Iterable[str]) -> Iterator[None]:
    """As if these were not installed, unless they have been imported already."""
    absent = [name for name in modules if name not in sys.modules]
    for name in absent:
        sys.modules[name] = None  # type: ignore[assignment]  # which Python does not import
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


@contextmanager
def _no_garbage_collected() -> Iterator[None]:
    """What is imported stays: to look through it for garbage, again and again, took 0.4 of 2.2 s."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
