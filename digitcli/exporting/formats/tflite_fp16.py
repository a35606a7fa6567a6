"""LiteRT's format with weights of 16 bits: half the size, and the same answers to three digits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from digitcli.exporting.formats import tflite
from digitcli.exporting.material import Material
from digitcli.exporting.parity import Bound
from digitcli.system.tensorflow_setup import import_tensorflow

SUFFIX = "-fp16.tflite"
SNIPPET = tflite.SNIPPET
BOUND = Bound(probability=0.01, other_digits=1, accuracy=0.0005)


def write(material: Material, path: Path) -> None:
    """Writes a network to `path`; it takes and gives float32, as the plain .tflite does."""
    tf = import_tensorflow()

    def run(converter: Any) -> bytes:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
        return bytes(converter.convert())

    path.write_bytes(tflite.convert(material, run))
