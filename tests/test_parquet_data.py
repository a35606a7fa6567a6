"""Labelled Parquet as a data set."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from PIL import Image
from some_digits import assert_same, assert_survives_a_round_trip, data_sets, some_data, some_digits

from digitcli.data import formats
from digitcli.data.digits import DataSet
from digitcli.errors import DataError, ImageError, MissingExtraError
from digitcli.sources import parquet

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


def read(path: Path) -> DataSet:
    return formats.read(path, lambda done, total: None)


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def write(columns: dict[str, Any]) -> Path:
    pq.write_table(pa.table(columns), "x.parquet")
    return Path("x.parquet")


@given(data_sets(dark_border=True))
@settings(max_examples=10, deadline=None)
def test_pictures_in_mnists_convention_are_read_as_they_were_written(dataset: DataSet) -> None:
    assert_survives_a_round_trip(dataset, "parquet")


def test_a_file_is_the_training_part_and_files_of_a_part_are_read_in_order(tmp_path: Path) -> None:
    formats.get("parquet").write(some_data(), tmp_path / "data")
    assert_same(read(tmp_path / "data" / "test.parquet"), DataSet(some_data().test, None, ""))
    (tmp_path / "data" / "test.parquet").unlink()
    whole = pq.read_table(tmp_path / "data" / "train.parquet")
    for number, start in enumerate((0, 2)):
        piece = whole.slice(start, 2 if number == 0 else None)
        pq.write_table(piece, tmp_path / "data" / f"train-0000{number}.parquet")
    (tmp_path / "data" / "train.parquet").unlink()
    assert_same(read(tmp_path / "data"), DataSet(some_data().train, None, ""))


def test_what_is_not_in_mnists_convention_becomes_so_each_by_itself() -> None:
    digits = some_digits(2)
    page = np.full((90, 60), 255, np.uint8)
    page[20:70, 27:33] = 0
    found = read(write({"image": [png(digits.images[0]), png(page)], "label": [3, 1]})).train
    assert found is not None
    assert found.labels.tolist() == [3, 1]
    assert (found.images[0] == digits.images[0]).all()
    assert found.images[1, 0, 0] < 30
    assert found.images[1, 14, 12:17].max() > 200


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"image": [b"no picture"], "label": [1]}, r"x.parquet\[0\] is not a picture"),
        ({"image": [None], "label": [1]}, r"x.parquet\[0\] is null"),
        ({"image": ["good", "good"], "label": [1, None]}, r"x.parquet\[1\]: its label is None"),
        ({"image": ["good"], "label": [10]}, r"x.parquet\[0\]: its label is 10; a digit 0-9"),
        ({"image": ["good"], "label": ["seven"]}, "has no column 'label' of whole numbers"),
        ({"image": ["good"]}, "has no column 'label' of whole numbers"),
        ({"image": pa.array([], pa.binary()), "label": pa.array([], pa.int8())}, "holds no pictures"),
    ],
)
def test_what_is_absent_or_damaged_is_told(rows: dict[str, Any], message: str) -> None:
    good = png(some_digits(1).images[0])
    if isinstance(rows["image"], list):
        pictures = [good if each == "good" else each for each in rows["image"]]
        rows = {**rows, "image": pa.array(pictures, pa.binary())}
    with pytest.raises((DataError, ImageError), match=message):
        read(write(rows))


def test_without_pyarrow_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    path = write({"image": [png(some_digits(1).images[0])], "label": [1]})
    monkeypatch.setattr(parquet, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="digitcli\\[parquet\\]"):
        read(path)
    with pytest.raises(MissingExtraError, match="digitcli\\[parquet\\]"):
        formats.get("parquet").write(some_data(), Path("out"))
