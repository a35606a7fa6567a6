from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from tiny_models import IMAGES, material

from digitcli import classifiers
from digitcli.exporting.formats import tflite_int8
from digitcli.exporting.in_blocks import in_blocks
from digitcli.models import ModelSpec, build, ensemble

SMALL = ModelSpec(channels=(4, 8))


def operators(path: Path) -> list[int]:
    model = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    return [model.operatorCodes[each.opcodeIndex].builtinCode for each in model.subgraphs[0].operators]


@pytest.mark.parametrize(
    ("network", "times"),
    [
        (lambda: build(SMALL), 1),
        (lambda: ensemble([build(SMALL), build(SMALL)]), 1),
        (lambda: build(ModelSpec(hidden=(8,))), 0),
    ],
    ids=["a convolutional network", "an ensemble, whose members see the same blocks", "a dense network"],
)
def test_it_gives_the_same_answers_to_the_last_bit(
    network: Callable[[], Any], times: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    its = material(network())
    tflite_int8.write(its, tmp_path / "blocks.tflite")
    monkeypatch.setattr(tflite_int8, "in_blocks", lambda model, schema: None)
    tflite_int8.write(its, tmp_path / "pixels.tflite")
    assert operators(tmp_path / "blocks.tflite").count(schema.BuiltinOperator.SPACE_TO_DEPTH) == times
    # To the edges as well, where both are padded.
    noise = np.random.default_rng(0).integers(0, 256, (64, 28, 28), dtype=np.uint8)
    shown = np.concatenate([IMAGES, noise])
    in_blocks, in_pixels = (
        classifiers.load(tmp_path / name).probabilities(shown) for name in ("blocks.tflite", "pixels.tflite")
    )
    assert np.ptp(in_pixels, axis=0).max() > 0.01  # it tells pictures apart
    np.testing.assert_array_equal(in_blocks, in_pixels)


def test_a_network_with_loops_whose_bodies_are_graphs_of_their_own_is_written_too(tmp_path: Path) -> None:
    tflite_int8.write(material(build(SMALL)), tmp_path / "small.tflite")
    model = schema.ModelT.InitFromPackedBuf((tmp_path / "small.tflite").read_bytes(), 0)
    model.subgraphs.append(schema.SubGraphT())
    before = len(model.subgraphs[0].operators)
    in_blocks(model, schema)  # which finds nothing more to do
    assert len(model.subgraphs[0].operators) == before
