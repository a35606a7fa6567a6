from __future__ import annotations

import os
from pathlib import Path

import bombs
import numpy as np
import pytest
from hypothesis import given, settings
from PIL import Image
from some_digits import assert_same, assert_survives_a_round_trip, data_sets, some_data, some_digits

from digitcli.data import formats
from digitcli.data.digits import DataSet
from digitcli.errors import DataError, ImageError


def read(path: Path) -> DataSet:
    return formats.read(path, lambda done, total: None)


@given(data_sets(dark_border=True))
@settings(max_examples=15, deadline=None)
def test_pictures_in_mnists_convention_are_read_as_they_were_written(dataset: DataSet) -> None:
    assert_survives_a_round_trip(dataset, "folders")


def test_digit_folders_without_train_and_test_are_the_training_part(tmp_path: Path) -> None:
    formats.get("folders").write(some_data(), tmp_path / "data")
    assert_same(read(tmp_path / "data" / "test"), DataSet(some_data().test, None, ""))


def test_hidden_files_and_files_beside_the_folders_are_passed_over(tmp_path: Path) -> None:
    formats.get("folders").write(some_data(), tmp_path / "data")
    (tmp_path / "data" / "LICENSE").write_text("free")
    (tmp_path / "data" / "train" / "3" / ".DS_Store").write_bytes(b"\0")
    assert_same(read(tmp_path / "data"), some_data())


def test_dark_strokes_on_white_of_any_size_become_light_on_black(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    picture = np.full((90, 60), 255, np.uint8)
    picture[20:70, 27:33] = 0
    Image.fromarray(picture).save(tmp_path / "1" / "one.png")
    found = read(tmp_path).train
    assert found is not None
    assert found.labels.tolist() == [1]
    assert found.images[0, 0, 0] < 30
    assert found.images[0, 14, 12:17].max() > 200


def test_one_picture_on_white_sends_all_through_the_same_preprocessing(tmp_path: Path) -> None:
    digits = some_digits(2)
    for label, pixels in ((0, digits.images[0]), (1, 255 - digits.images[1])):
        (tmp_path / str(label)).mkdir()
        Image.fromarray(pixels).save(tmp_path / str(label) / "a.png")
    found = read(tmp_path).train
    assert found is not None
    assert found.images[:, 0, 0].max() < 30


def test_a_file_that_is_no_picture_is_named(tmp_path: Path) -> None:
    formats.get("folders").write(some_data(), tmp_path / "data")
    (tmp_path / "data" / "train" / "5" / "notes.txt").write_text("not a picture")
    with pytest.raises((DataError, ImageError), match=r"notes\.txt is not a picture"):
        read(tmp_path / "data")


def test_a_picture_that_is_cut_off_is_named(tmp_path: Path) -> None:
    formats.get("folders").write(some_data(), tmp_path / "data")
    path = next((tmp_path / "data" / "train" / "5").iterdir())
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises((DataError, ImageError), match=path.name):
        read(tmp_path / "data")


def test_digit_folders_without_pictures_are_refused(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    with pytest.raises(DataError, match="holds no pictures"):
        read(tmp_path)


def test_a_folder_beyond_nine_is_refused(tmp_path: Path) -> None:
    for name in ("9", "10"):
        (tmp_path / name).mkdir()
    with pytest.raises(DataError, match="10: the folder's name is not a digit 0-9"):
        read(tmp_path)


@pytest.mark.parametrize("name", ["bomb.png", "broken.png"])
def test_a_picture_that_cannot_be_read_is_named_whatever_is_wrong_with_it(tmp_path: Path, name: str) -> None:
    formats.get("folders").write(some_data(), tmp_path / "data")
    good = next((tmp_path / "data" / "train" / "5").iterdir()).read_bytes()
    content = {"bomb.png": bombs.jpeg_of_scans(5120, 20_000), "broken.png": good.replace(b"IDAT", b"I\0AT")}
    (tmp_path / "data" / "train" / "5" / name).write_bytes(content[name])
    with pytest.raises(ImageError, match=name):
        read(tmp_path / "data")


def test_a_pipe_among_the_pictures_is_not_waited_for(tmp_path: Path) -> None:
    formats.get("folders").write(some_data(), tmp_path / "data")
    os.mkfifo(tmp_path / "data" / "train" / "5" / "pipe.png")
    with pytest.raises(DataError, match=r"pipe\.png is not a file"):
        read(tmp_path / "data")
