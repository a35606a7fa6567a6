"""Small data sets for tests of the formats."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from digitcli.data import formats
from digitcli.data.digits import DataSet, Digits


def some_digits(count: int = 12, seed: int = 0, name: str = "some digits") -> Digits:
    """Noise inside a dark border, with labels 0, 1, 2, ..."""
    rng = np.random.default_rng(seed)
    images = np.zeros((count, 28, 28), np.uint8)
    images[:, 4:24, 4:24] = rng.integers(0, 256, (count, 20, 20))
    return Digits(images, (np.arange(count) % 10).astype(np.uint8), name)


def some_data(train: int = 12, test: int = 7) -> DataSet:
    """A training and a test part that differ."""
    return DataSet(some_digits(train), some_digits(test, seed=1), "some data")


@st.composite
def data_sets(draw: st.DrawFn, dark_border: bool = False) -> DataSet:
    """Any pixels and labels, with one part or both. dark_border: as MNIST's pictures have it."""

    def part() -> Digits:
        count = draw(st.integers(1, 4))
        highest = draw(st.sampled_from([0, 1, 255]))
        pixels = hnp.arrays(np.uint8, (count, 28, 28), elements=st.integers(0, highest))
        images = draw(pixels)
        if dark_border:
            images[:, [0, -1]] = 0
            images[:, :, [0, -1]] = 0
        return Digits(images, draw(hnp.arrays(np.uint8, count, elements=st.integers(0, 9))), "drawn")

    which = draw(st.sampled_from(["both", "train", "test"]))
    return DataSet(
        part() if which != "test" else None, part() if which != "train" else None, "drawn by hypothesis"
    )


def assert_same(found: DataSet, expected: DataSet) -> None:
    """Pixels, labels and their order are equal in both parts."""
    for ours, theirs in ((found.train, expected.train), (found.test, expected.test)):
        assert (ours is None) == (theirs is None)
        if ours and theirs:
            np.testing.assert_array_equal(ours.images, theirs.images)
            np.testing.assert_array_equal(ours.labels, theirs.labels)


def assert_survives_a_round_trip(dataset: DataSet, format_name: str) -> None:
    """Written, recognised and read again, nothing has changed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data"
        formats.get(format_name).write(dataset, path)
        assert formats.detect(path) == format_name
        assert_same(formats.read(path, lambda done, total: None), dataset)
