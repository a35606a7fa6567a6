"""What a SavedModel's graph asks for beyond calculating, found without loading it.

A SavedModel is a program: its operations may write files or call Python. Those that do more than calculate
are mostly marked as stateful in TensorFlow's own registry, and of the stateful ones, networks need few.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from digitcli.classifiers.networks import first_line, needed_nodes, read_graph
from digitcli.classifiers.recognise import Format
from digitcli.errors import ModelError

KINDS: tuple[Format, ...] = ("savedmodel",)

HARMLESS = re.compile(
    "(Stateful)?PartitionedCall|If|While|Case|Assert|CheckNumerics(V2)?|GuaranteeConst|Empty|TemporaryVariable"
    "|Variable(V2|Shape)?|VarHandleOp|VarIsInitializedOp|ReadVariableOp|Assign(Add|Sub)?VariableOp"
    "|ResourceGather|DisableCopyOnRead|DestroyResourceOp"
    "|(Stateful)?(Random|Uniform|Truncated|Standard).*|RngSkip|RngReadAndSkip|Multinomial|StatelessRandomGetAlg"
    "|(TensorArray|Stack)(V2|V3)?|TensorArray[A-Z][a-z]+V3|Stack(Push|Pop|Close)V2|CudnnRNN(V2|V3)?"
)
"""Stateful operations that touch nothing but their own variables, random numbers and lists."""

HARMFUL = re.compile(
    "ReadFile|MatchingFiles|PyFuncStateless|InitializeTableFromTextFile|GenerateVocabRemapping|ImmutableConst"
    "|DecodeProtoV2|EncodeProto|Abort|MlirPassthroughOp|TPU.*|Xla.*|Debug.*|Copy(Host)?|.*Dataset.*"
)
"""Not marked as stateful, but they read or write files, end the process or carry another graph."""

SAVER = {"SaveV2", "MergeV2Checkpoints", "RestoreV2"}
"""What every SavedModel has to save itself, in functions that are never called."""


def find(path: Path, kind: Format) -> list[str]:
    """The operations of a SavedModel that could run code, or read or write files.

    Raises ModelError if it cannot be read.
    """
    try:
        graph = read_graph(path)
        names = {node.op for node in _nodes(path, graph)}
    except ModelError:
        raise
    except Exception as error:  # TensorFlow raises nearly every kind there is
        raise ModelError(f"{path}: TensorFlow cannot load it: {first_line(error)}") from error
    return [
        f"operation {name}"
        for name in sorted(names)
        if HARMFUL.fullmatch(name) or (_is_stateful(name) and not HARMLESS.fullmatch(name))
    ]


def _is_stateful(name: str) -> bool:
    from tensorflow.python.framework import op_def_registry

    definition = op_def_registry.get(name)  # None for a call of a function, which is looked at as such
    return definition is not None and bool(definition.is_stateful)


def _nodes(path: Path, graph: Any) -> Iterator[Any]:
    """The NodeDefs of a MetaGraphDef that may run, less those that save and restore its own variables."""
    needed = needed_nodes(path, graph)
    own_files = graph.saver_def.filename_tensor_name.removesuffix(":0")
    yield from (node for node in needed if node.op not in SAVER or node.input[0] != own_files)

    library = graph.graph_def.library
    callers = [graph.object_graph_def, *needed, *library.gradient]
    callers += [node for function in library.function for node in function.node_def]
    called = b"".join(each.SerializeToString() for each in callers)
    for function in library.function:
        # One that claims to implement another may be called in its place.
        idle = function.signature.name.encode() not in called and "api_implements" not in function.attr
        yield from (node for node in function.node_def if not idle or node.op not in SAVER)
