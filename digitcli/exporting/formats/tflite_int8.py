"""LiteRT's format with weights and activations of 8 bits: a quarter of the size, for small devices."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitcli.exporting.formats import tflite
from digitcli.exporting.in_blocks import in_blocks
from digitcli.exporting.material import Material
from digitcli.exporting.parity import Bound
from digitcli.system.tensorflow_setup import import_tensorflow

SUFFIX = "-int8.tflite"
SNIPPET = tflite.SNIPPET
BOUND = Bound(probability=0.25, other_digits=10, accuracy=0.0005)
"""What is on the fence may fall to either side."""

_IN_FLOAT = ["SOFTMAX"]
"""In 8 bits, probabilities would come in steps of 1/256, and small ones would be none."""


def write(material: Material, path: Path) -> None:
    """Writes a network to `path`; it takes and gives float32, as the plain .tflite does.

    The ranges of the activations are those that the material's pictures bring about (Jacob et al. 2018).
    """
    from ai_edge_litert import schema_py_generated as schema

    tf = import_tensorflow()

    def run(converter: Any) -> bytes:
        in_eight_bits(converter, material.pictures)
        options = tf.lite.experimental.QuantizationDebugOptions(denylisted_ops=_IN_FLOAT)
        with warnings.catch_warnings(action="ignore"):  # it has not heard of LiteRT's new package yet
            debugger = tf.lite.experimental.QuantizationDebugger(
                converter=converter, debug_dataset=converter.representative_dataset, debug_options=options
            )
        model = schema.ModelT.InitFromPackedBuf(debugger.get_nondebug_quantized_model(), 0)
        in_blocks(model, schema)
        return slim(tflite.packed(model))

    path.write_bytes(tflite.convert(material, run))


def in_eight_bits(converter: Any, pictures: NDArray[np.uint8]) -> None:
    """Tells TensorFlow's converter to write so. pictures: (n, 28, 28), typical ones."""

    def shown() -> Iterator[list[Any]]:
        for picture in pictures:
            yield [picture[None, ..., None].astype(np.float32) / 255]

    converter.optimizations = [import_tensorflow().lite.Optimize.DEFAULT]
    converter.representative_dataset = shown


def slim(file: bytes) -> bytes:
    """A .tflite file without what nothing needs that runs it, which is a sixth of a small one.

    These are the names of what lies between input and output, the converter's notes, and empty buffers.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(file, 0)
    model.metadata = [each for each in model.metadata or [] if each.name != b"CONVERSION_METADATA"]
    for graph in model.subgraphs:
        for index in {*range(len(graph.tensors))} - {*graph.inputs, *graph.outputs}:
            graph.tensors[index].name = None
    parts = [*model.metadata, *(tensor for graph in model.subgraphs for tensor in graph.tensors)]
    full = sorted({each.buffer for each in parts if model.buffers[each.buffer].data is not None})
    places = {buffer: place for place, buffer in enumerate(full, 1)}
    for each in parts:
        each.buffer = places.get(each.buffer, 0)  # which by LiteRT's schema is empty
    model.buffers = [model.buffers[0], *(model.buffers[buffer] for buffer in full)]
    return tflite.packed(model)
