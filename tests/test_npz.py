from __future__ import annotations

import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from some_digits import assert_survives_a_round_trip, data_sets, some_digits

from digitcli.data import formats
from digitcli.data.digits import DataSet
from digitcli.data.formats import npz
from digitcli.errors import DataError
from digitcli.system import limits


def read(path: Path) -> DataSet:
    return formats.read(path, lambda done, total: None)


def save(path: Path, **arrays: Any) -> Path:
    with path.open("wb") as file:
        np.savez(file, **arrays)
    return path


@given(data_sets())
@settings(max_examples=15, deadline=None)
def test_what_is_written_is_read(dataset: DataSet) -> None:
    assert_survives_a_round_trip(dataset, "npz")


def test_labels_of_any_integer_type_are_taken(tmp_path: Path) -> None:
    digits = some_digits()
    path = save(tmp_path / "data", x_test=digits.images, y_test=digits.labels.astype(np.int64))
    found = read(path).test
    assert found is not None
    assert found.sha256 == digits.sha256


def test_other_names_are_listed(tmp_path: Path) -> None:
    path = save(tmp_path / "data.npz", images=np.zeros(3), weights=np.zeros(3))
    with pytest.raises(DataError, match="holds images, weights; expected x_train, y_train"):
        read(path)


def test_images_without_labels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="only one of x_train and y_train"):
        read(save(tmp_path / "data.npz", x_train=some_digits().images))


def test_pickled_arrays_are_never_unpickled(tmp_path: Path) -> None:
    path = save(tmp_path / "data.npz", x_train=np.array([{}], dtype=object), y_train=np.zeros(1, np.uint8))
    with pytest.raises(DataError, match="holds more than plain arrays"):
        read(path)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((1, 28, 28), np.float32), "x_train holds float32 values; integers 0-255 expected"),
        (np.full((1, 28, 28), 256), "values from 256 to 256"),
        (np.zeros((1, 8, 8), np.uint8), "28x28 expected"),
    ],
)
def test_other_pixels_are_refused(tmp_path: Path, images: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(save(tmp_path / "data.npz", x_train=images, y_train=np.zeros(1, np.uint8)))


def test_a_damaged_archive_is_reported(tmp_path: Path) -> None:
    digits = some_digits()
    path = save(tmp_path / "data.npz", x_train=digits.images, y_train=digits.labels)
    content = bytearray(path.read_bytes())
    content[1000] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"data\.npz is damaged"):
        read(path)


def packed(path: Path, shape: str, content: bytes, packing: int = zipfile.ZIP_STORED) -> Path:
    """x_train of that shape with that content, whether it fits or not, and a label."""
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}}}".encode()
    array = b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + content
    with zipfile.ZipFile(path, "w", packing) as file:
        file.writestr("x_train.npy", array)
        file.writestr("y_train.npy", b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header)
    return path


@pytest.mark.parametrize("count", [2**33, 2**45, 2**62, -1])
def test_a_header_that_promises_what_is_not_there_is_refused(tmp_path: Path, count: int) -> None:
    path = packed(tmp_path / "data.npz", f"({count}, 28, 28)", bytes(784))
    with pytest.raises(DataError, match=r"data\.npz is damaged"):
        read(path)


def test_what_unpacks_to_far_more_than_its_size_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "UNPACKED_FREELY", 2**20)
    path = packed(tmp_path / "data.npz", "(20000, 28, 28)", bytes(20_000 * 784), zipfile.ZIP_DEFLATED)
    with pytest.raises(DataError, match="unpacks to more than 200 times its size"):
        read(path)


def test_what_is_packed_with_any_memory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="x_train is packed as NumPy never does"):
        read(packed(tmp_path / "data.npz", "(1, 28, 28)", bytes(784), zipfile.ZIP_LZMA))


def test_an_array_of_more_pictures_than_can_be_trained_on_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(npz, "MOST_BYTES", 1000)
    with pytest.raises(DataError, match="x_train is of 1640 bytes, more than 1000"):
        read(packed(tmp_path / "data.npz", "(2, 28, 28)", bytes(1568)))


def test_a_file_that_ends_as_an_archive_is_none(tmp_path: Path) -> None:
    digits = some_digits()
    path = save(tmp_path / "data", x_train=digits.images, y_train=digits.labels)
    path.write_bytes(b"\x93NUMPY\1\0" + path.read_bytes())
    with pytest.raises(DataError, match="is not a data set"):
        read(path)


def test_a_member_that_is_no_array_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    with zipfile.ZipFile(path, "w") as file:
        for name in ("x_train.npy", "y_train.npy"):
            file.writestr(name, b"\x93NUMPX")
    with pytest.raises(DataError, match="x_train is no array"):
        read(path)


def test_what_is_wrong_is_told_on_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data\.npz is damaged .*\.$") as error:
        read(packed(tmp_path / "data.npz", "(1, 28, 28)" + " " * 9000 + "(" * 2000, bytes(784)))
    assert "\n" not in str(error.value)


def test_names_of_arrays_are_told_on_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds a\\nb; expected x_train"):
        read(save(tmp_path / "data.npz", **{"a\nb": np.zeros(3)}))
