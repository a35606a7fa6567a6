"""What is shipped with digitcli: small enough, made by commands that are told, and all of one training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from digitcli import classifiers, runs
from digitcli.data import synthetic
from digitcli.reading import line

ASSETS = runs.BUNDLED.parent


def test_all_of_it_is_small() -> None:
    assert sum(path.stat().st_size for path in ASSETS.iterdir()) < 4_000_000


@pytest.mark.parametrize("path", sorted(ASSETS.glob("*.tflite")), ids=lambda path: path.name)
def test_the_card_tells_how_each_network_was_made(path: Path) -> None:
    card = (ASSETS / "README.md").read_text(encoding="utf-8")
    assert f"digitcli/assets/{path.name}" in card


def test_each_line_reader_is_another_one() -> None:
    assert len({path.read_bytes() for path in line.OF_NUMBERS}) == len(line.OF_NUMBERS) == 3


def test_the_model_in_8_bits_reads_as_the_one_that_it_was_made_from(tensorflow: object) -> None:
    pictures = synthetic.generate(300, seed=4).images
    small, exact = (
        classifiers.load(ASSETS / name).probabilities(pictures) for name in ("model.tflite", "model.keras")
    )
    assert np.abs(small - exact).max() < 0.2
    assert (small.argmax(axis=1) == exact.argmax(axis=1)).mean() > 0.995
