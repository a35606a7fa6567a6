"""LiteRT's format with weights and activations of 8 bits: a quarter of the size, for small devices."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitcli.exporting.formats import tflite
from digitcli.exporting.material import Material
from digitcli.exporting.parity import Bound
from digitcli.system.tensorflow_setup import import_tensorflow

SUFFIX = "-int8.tflite"
SNIPPET = tflite.SNIPPET
BOUND = Bound(probability=0.25, other_digits=10, accuracy=0.0005)
"""Probabilities come in steps of 1/256, and what is on the fence may fall to either side."""


def write(material: Material, path: Path) -> None:
    """Writes a network to `path`; it takes and gives float32, as the plain .tflite does.

    The ranges of the activations are those that the material's pictures bring about (Jacob et al. 2018).
    """
    path.write_bytes(tflite.convert(material, lambda converter: in_eight_bits(converter, material.pictures)))


def in_eight_bits(converter: Any, pictures: NDArray[np.uint8]) -> None:
    """Tells TensorFlow's converter to write so. pictures: (n, 28, 28), typical ones."""
    tf = import_tensorflow()

    def shown() -> Iterator[list[Any]]:
        for picture in pictures:
            yield [picture[None, ..., None].astype(np.float32) / 255]

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = shown
