"""The first convolution of a .tflite file in 8 bits, so that processors lose less of their time on it.

Their kernels multiply 4, 8 or 64 channels of a pixel at once. A picture has one, so most of that is wasted:
the first layer of `cnn`, a thirtieth of its multiplications, takes up to two thirds of its time. With blocks
of 2x2 pixels for pixels of four channels there are 9 places to look at instead of 25. The products are the
same, added up in whole numbers, and so are the answers, to the last bit.
"""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BLOCK = 2
"""Pixels on the side of a block, and the stride of the convolutions meant."""

_KERNEL = [5, 5, 1]
"""Height, width and channels of theirs."""


def in_blocks(model: Any, schema: Any) -> None:
    """Has strided convolutions of one channel look at blocks of pixels, if there are such.

    model: a `ModelT`, changed in place. schema: LiteRT's, `ai_edge_litert.schema_py_generated`.
    """
    graph = model.subgraphs[0]  # others are bodies of loops
    blocks: dict[int, int] = {}  # the tensors of blocks, by those of pixels
    kernels: set[int] = set()
    operators = []
    for operator in graph.operators:
        if _sees_pixels(operator, model, schema):
            pixels, kernel, bias = (int(each) for each in operator.inputs)
            if pixels not in blocks:  # which all networks of an ensemble see
                blocks[pixels] = len(graph.tensors)
                graph.tensors.append(_blocks(graph.tensors[pixels]))
                operators.append(_space_to_depth(model, pixels, blocks[pixels], schema))
            kernels.add(kernel)
            operator.inputs = np.array([blocks[pixels], kernel, bias], np.int32)
            operator.builtinOptions.strideH = operator.builtinOptions.strideW = 1
        operators.append(operator)
    graph.operators = operators
    for index in kernels:
        tensor = graph.tensors[index]
        buffer = model.buffers[tensor.buffer]
        values = _over_blocks(buffer.data.view(np.int8).reshape(tensor.shape))
        tensor.shape = np.array(values.shape, np.int32)
        buffer.data = values.ravel().view(np.uint8)


def _over_blocks(kernel: NDArray[np.int8]) -> NDArray[np.int8]:
    """Weights (filters, 5, 5, 1) for pixels, with stride 2, to (filters, 3, 3, 4) for blocks, with stride 1.

    Of an even number of pixels, one row above and two below are padded: so the kernel begins with the second
    row of a block.
    """
    filters, size, _, _ = kernel.shape
    padded = np.pad(kernel[..., 0], ((0, 0), (1, 0), (1, 0)))
    count = (size + 1) // _BLOCK
    apart = padded.reshape(filters, count, _BLOCK, count, _BLOCK)
    return np.ascontiguousarray(apart.transpose(0, 1, 3, 2, 4).reshape(filters, count, count, _BLOCK**2))


def _sees_pixels(operator: Any, model: Any, schema: Any) -> bool:
    """Whether it is a convolution that can be written over blocks of pixels."""
    if model.operatorCodes[operator.opcodeIndex].builtinCode != schema.BuiltinOperator.CONV_2D:
        return False
    options, tensors = operator.builtinOptions, model.subgraphs[0].tensors
    pixels, kernel = (tensors[index] for index in operator.inputs[:2])
    return bool(
        pixels.type == kernel.type == schema.TensorType.INT8
        and kernel.shape[1:].tolist() == _KERNEL
        and options.strideH == options.strideW == _BLOCK
        and options.padding == schema.Padding.SAME
        and pixels.shapeSignature is not None  # as of any number of pictures
        and not (pixels.shape[1:3] % _BLOCK).any()
    )


def _blocks(pixels: Any) -> Any:
    """The tensor of blocks of a tensor of pixels, (n, 28, 28, 1), with the same scale."""
    blocks = copy(pixels)
    blocks.buffer = 0  # which by LiteRT's schema is empty
    blocks.shape, blocks.shapeSignature = (
        np.array([shape[0], shape[1] // _BLOCK, shape[2] // _BLOCK, _BLOCK**2], np.int32)
        for shape in (pixels.shape, pixels.shapeSignature)
    )
    return blocks


def _space_to_depth(model: Any, pixels: int, blocks: int, schema: Any) -> Any:
    """The operator from one tensor to the other."""
    code, operator, options = schema.OperatorCodeT(), schema.OperatorT(), schema.SpaceToDepthOptionsT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.SPACE_TO_DEPTH
    code.version = 1
    options.blockSize = _BLOCK
    operator.opcodeIndex = len(model.operatorCodes)
    operator.inputs, operator.outputs = np.array([pixels], np.int32), np.array([blocks], np.int32)
    operator.builtinOptionsType = schema.BuiltinOptions.SpaceToDepthOptions
    operator.builtinOptions = options
    model.operatorCodes.append(code)
    return operator
