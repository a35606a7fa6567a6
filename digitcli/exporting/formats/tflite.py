"""LiteRT's format, formerly TensorFlow Lite: one small file that starts in milliseconds."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from digitcli.exporting.formats import savedmodel
from digitcli.quiet import native_stderr_hidden
from digitcli.tensorflow_setup import import_tensorflow

SUFFIX = ".tflite"


def write(network: Any, path: Path) -> None:
    """Writes a keras.Model or tf.Module to `path`, in float32, with the signature of the SavedModel."""
    tf = import_tensorflow()
    # Through a SavedModel, since that is the one way into the converter that keeps the signature.
    with tempfile.TemporaryDirectory(prefix="digitcli-") as folder, native_stderr_hidden():
        savedmodel.write(network, Path(folder))
        converted = tf.lite.TFLiteConverter.from_saved_model(folder).convert()
    path.write_bytes(converted)
