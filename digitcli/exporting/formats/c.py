"""A C array in one header, for microcontrollers: whole numbers of 8 bits, for TensorFlow Lite Micro."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from digitcli.classifiers.networks import serving_function
from digitcli.exporting.formats import tflite, tflite_int8
from digitcli.exporting.material import Material
from digitcli.exporting.micro import ARRAY, Micro
from digitcli.system.tensorflow_setup import import_tensorflow

SUFFIX = ".h"
SNIPPET = """
For [TensorFlow Lite Micro](https://github.com/tensorflow/tflite-micro), in C++. The comment in `{file}`
says which operations the resolver needs, and what goes in and comes out.

```cpp
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "{file}"

alignas(16) static uint8_t arena[64 * 1024];
tflite::MicroInterpreter interpreter(tflite::GetModel(digitcli_model), resolver, arena, sizeof arena);
interpreter.AllocateTensors();
for (int i = 0; i < 28 * 28; i++) interpreter.input(0)->data.int8[i] = pixels[i] - 128;
interpreter.Invoke();
const int8_t* probabilities = interpreter.output(0)->data.int8;
```
"""
BOUND = tflite_int8.BOUND
LARGEST = 100_000
"""Weights of what is still a network for microcontrollers: `all` leaves this format out for larger ones."""

_HEADER = """\
/* {name}: handwritten digits.
 * Written by {made_by}. Licence: {license}.
 *
 * A LiteRT model of {bytes} bytes, to be run by TensorFlow Lite Micro. Include this file once.
 *
 * Operations  {operations}
 * Takes       28x28 int8, a picture as MNIST's: a pixel of 0 (paper) to 255 (ink) as
 *             round(pixel / (255 * {taken_scale:.9g})) + ({taken_zero}), which is pixel - 128
 *             where that scale is 1/255.
 * Gives       {classes} int8: the probability of {labels} is
 *             (value - ({given_zero})) * {given_scale:.9g}.
 */
#ifndef DIGITCLI_MODEL_H
#define DIGITCLI_MODEL_H

#ifdef __cplusplus
alignas(16)
#else
_Alignas(16)
#endif
static const unsigned char {array}[] = {{
{numbers}
}};
static const unsigned int {array}_len = {bytes};

#endif
"""


def write(material: Material, path: Path) -> None:
    """Writes a network to `path`, for one picture at a time; what goes in and out is of 8 bits too."""
    tf = import_tensorflow()

    def run(converter: Any) -> bytes:
        tflite_int8.in_eight_bits(converter, material.pictures)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
        return tflite_int8.slim(converter.convert())

    model = tflite.convert(material, run, batch=1)
    path.write_text(header(model, material.about), encoding="utf-8", errors="replace")


def takes(network: Any) -> bool:
    """Whether a network may be one for microcontrollers: small, and without operations that draw at random.

    Graphs of TensorFlow 1 have these where they once dropped out, and TensorFlow Lite Micro has not.
    """
    if sum(int(np.prod(each.shape)) for each in network.variables) > LARGEST:
        return False
    graph = serving_function(network, batch=1).get_concrete_function().graph.as_graph_def()
    nodes = chain(graph.node, *(each.node_def for each in graph.library.function))
    return not any("Random" in node.op for node in nodes)


load = Micro
"""What was written, compiled and run."""


def header(model: bytes, about: dict[str, Any]) -> str:
    """The C source that holds a .tflite file of 8 bits. about: from `material.describe`."""
    from ai_edge_litert import schema_py_generated as schema

    graph = schema.ModelT.InitFromPackedBuf(model, 0)
    (main,) = graph.subgraphs
    taken, given = (main.tensors[int(index[0])] for index in (main.inputs, main.outputs))
    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    operations = sorted(
        {names[max(each.builtinCode, each.deprecatedBuiltinCode)] for each in graph.operatorCodes}
    )
    return _HEADER.format(
        **{key: _in_comment(about[key]) for key in ("name", "made_by", "license")},
        array=ARRAY,
        bytes=len(model),
        operations=", ".join(operations),
        taken_scale=taken.quantization.scale[0],
        taken_zero=taken.quantization.zeroPoint[0],
        given_scale=given.quantization.scale[0],
        given_zero=given.quantization.zeroPoint[0],
        classes=len(about["labels"]),
        labels=", ".join(about["labels"]),
        numbers=",\n".join(_lines(model)),
    )


def _lines(model: bytes) -> Iterator[str]:
    for start in range(0, len(model), 16):
        yield "  " + ", ".join(f"0x{byte:02x}" for byte in model[start : start + 16])


def _in_comment(text: str) -> str:
    """What neither ends a comment nor begins one."""
    return " ".join(text.replace("*/", "* /").replace("/*", "/ *").split())
