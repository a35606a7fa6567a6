from __future__ import annotations

import gzip
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from some_digits import assert_same, assert_survives_a_round_trip, data_sets, some_data

from digitcli.data import formats
from digitcli.data.digits import DataSet
from digitcli.errors import DataError
from digitcli.system import limits


def read(path: Path) -> DataSet:
    return formats.read(path, lambda done, total: None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The four files, unpacked."""
    formats.get("idx").write(some_data(), tmp_path / "idx")
    return tmp_path / "idx"


@given(data_sets())
@settings(max_examples=15, deadline=None)
def test_what_is_written_is_read(dataset: DataSet) -> None:
    assert_survives_a_round_trip(dataset, "idx")


def test_gzip_is_told_by_content_and_not_by_name(folder: Path) -> None:
    for path in folder.iterdir():
        path.write_bytes(gzip.compress(path.read_bytes()))
    assert_same(read(folder), some_data())


@pytest.mark.parametrize("spelling", ["{stem}-idx{kind}-ubyte.gz", "{stem}.idx{kind}-ubyte"])
def test_other_spellings_of_the_names_are_found(folder: Path, spelling: str) -> None:
    for path in folder.iterdir():
        stem, kind = path.name.removesuffix("-ubyte").split("-idx")
        path.rename(folder / spelling.format(stem=stem, kind=kind))
    assert_same(read(folder), some_data())


def test_one_images_file_is_read_with_the_labels_beside_it(folder: Path) -> None:
    assert_same(read(folder / "t10k-images-idx3-ubyte"), DataSet(None, some_data().test, ""))


def test_a_file_of_any_name_is_recognised_by_its_first_bytes(folder: Path) -> None:
    images = (folder / "train-images-idx3-ubyte").rename(folder / "my-images.bin")
    (folder / "train-labels-idx1-ubyte").rename(folder / "my-labels.bin")
    assert_same(read(images), DataSet(some_data().train, None, ""))


def test_a_truncated_file_names_expected_and_found_bytes(folder: Path) -> None:
    path = folder / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:123])
    with pytest.raises(DataError, match=r"names 12 images of 28x28 = 9424 bytes, but the file holds 123"):
        read(folder)


def test_a_file_shorter_than_its_header_is_cut_off(folder: Path) -> None:
    (folder / "train-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01\0")
    with pytest.raises(DataError, match="train-labels-idx1-ubyte is cut off: it holds 5 bytes"):
        read(folder)


@pytest.mark.parametrize("start", [b"\0\0\x09\x03", b"\x89PNG"])
def test_a_wrong_magic_number_is_shown(folder: Path, start: bytes) -> None:
    path = folder / "train-images-idx3-ubyte"
    path.write_bytes(start + path.read_bytes()[4:])
    for source in (folder, path):
        with pytest.raises(DataError, match=f"begins with 0x{start.hex()}.*0x00000803"):
            read(source)


def test_labels_in_place_of_images_are_refused(folder: Path) -> None:
    (folder / "t10k-labels-idx1-ubyte").replace(folder / "t10k-images-idx3-ubyte")
    with pytest.raises(DataError, match="t10k-labels-idx1-ubyte is not beside it"):
        read(folder)


def test_a_damaged_gzip_is_reported_with_its_name(folder: Path) -> None:
    path = folder / "train-images-idx3-ubyte"
    packed = gzip.compress(path.read_bytes())
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(DataError, match="train-images-idx3-ubyte is damaged: it does not unpack"):
        read(folder)


def test_pictures_of_another_size_are_refused(tmp_path: Path) -> None:
    (tmp_path / "train-images-idx3-ubyte").write_bytes(
        bytes.fromhex("00000803000000010000000800000008") + bytes(64)
    )
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(bytes.fromhex("000008010000000105"))
    with pytest.raises(DataError, match=r"28x28 expected, got shape \(1, 8, 8\)"):
        read(tmp_path)


def promising(count: int) -> bytes:
    return bytes.fromhex("00000803") + struct.pack(">3I", count, 28, 28)


@pytest.mark.parametrize("packer", [bytes, gzip.compress])
@pytest.mark.parametrize("count", [1_000_000, 2**32 - 1])
def test_a_header_that_promises_what_is_not_there_costs_nothing(folder: Path, packer, count: int) -> None:
    (folder / "train-images-idx3-ubyte").write_bytes(packer(promising(count) + bytes(784)))
    with pytest.raises(DataError, match=f"train-images-idx3-ubyte names {count} images of 28x28"):
        read(folder)


def test_more_than_is_promised_is_damage_however_much_it_is(folder: Path) -> None:
    with (folder / "train-images-idx3-ubyte").open("r+b") as file:
        file.truncate(2**40)
    with pytest.raises(DataError, match="= 9424 bytes, but the file holds 1058000 or more"):
        read(folder)


def test_what_unpacks_to_far_more_than_its_size_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "UNPACKED_FREELY", 2**20)
    (folder / "train-images-idx3-ubyte").write_bytes(gzip.compress(promising(20_000) + bytes(20_000 * 784)))
    with pytest.raises(DataError, match="is refused: it unpacks to more than 200 times its size"):
        read(folder)
