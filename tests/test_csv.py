from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import measured
import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray
from some_digits import assert_same, assert_survives_a_round_trip, data_sets, some_data, some_digits

from digitcli.data import formats
from digitcli.data.digits import DataSet, Digits
from digitcli.data.formats import csv
from digitcli.errors import DataError

DIGITS = some_digits(12)
PIXELS = DIGITS.images.reshape(12, 784)
ONE_HOT = np.eye(10, dtype=np.uint8)[DIGITS.labels]


def read(path: Path) -> DataSet:
    return formats.read(path, lambda done, total: None)


def lines(values: NDArray[Any], fmt: str = "%d") -> list[str]:
    return [",".join(fmt % value for value in row) for row in np.atleast_2d(values.T).T]


def write(path: Path, *rows: str, newline: str = "\n") -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(newline.join(rows) + newline, newline="")
    return path


def pair(folder: Path, pixels: list[str], labels: list[str]) -> Path:
    write(folder / "digit_xtrain.csv", *pixels)
    write(folder / "digit_ytrain.csv", *labels)
    return folder


def together() -> list[str]:
    return [f"{label},{row}" for label, row in zip(DIGITS.labels, lines(PIXELS), strict=True)]


def assert_digits(found: DataSet, expected: Digits = DIGITS) -> None:
    assert_same(found, DataSet(expected, None, ""))


@given(data_sets())
@settings(max_examples=10, deadline=None)
def test_what_is_written_is_read(dataset: DataSet) -> None:
    assert_survives_a_round_trip(dataset, "csv")


@pytest.mark.parametrize("fmt", ["%d", "%.1f", "%.18e"])
@pytest.mark.parametrize("scale", [1, 255])
def test_pixels_may_be_0_to_255_or_0_to_1_in_any_notation(tmp_path: Path, fmt: str, scale: int) -> None:
    pixels = PIXELS if scale == 255 else (PIXELS > 127)
    expected = DIGITS if scale == 255 else Digits((DIGITS.images > 127) * np.uint8(255), DIGITS.labels, "")
    assert_digits(read(pair(tmp_path, lines(pixels, fmt), lines(DIGITS.labels))), expected)


def test_fractions_are_rounded_to_the_pixel_they_came_from(tmp_path: Path) -> None:
    assert_digits(read(pair(tmp_path, lines(PIXELS / 255, "%.4f"), lines(DIGITS.labels, "%.18e"))))


@pytest.mark.parametrize("fmt", ["%d", "%.1f"])
def test_labels_may_be_one_hot(tmp_path: Path, fmt: str) -> None:
    assert_digits(read(pair(tmp_path, lines(PIXELS), lines(ONE_HOT, fmt))))


def test_headers_are_skipped(tmp_path: Path) -> None:
    header = ",".join(f"pixel{index}" for index in range(784))
    assert_digits(read(pair(tmp_path, [header, *lines(PIXELS)], ["label", *lines(DIGITS.labels)])))


def test_quotes_blank_lines_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    rows = ['"' + row.replace(",", '", "') + '"' for row in lines(PIXELS)]
    write(tmp_path / "digit_xtrain.csv", *rows[:5], "", *rows[5:], "", newline="\r\n")
    write(tmp_path / "digit_ytrain.csv", *lines(DIGITS.labels), "")
    assert_digits(read(tmp_path))


def test_a_byte_order_mark_and_gzip_are_unpacked(tmp_path: Path) -> None:
    pair(tmp_path, lines(PIXELS), lines(DIGITS.labels))
    path = tmp_path / "digit_xtrain.csv"
    (tmp_path / "digit_xtrain.csv.gz").write_bytes(gzip.compress(b"\xef\xbb\xbf" + path.read_bytes()))
    path.unlink()
    assert_digits(read(tmp_path))


def test_files_longer_than_a_block_are_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv, "BLOCK", 3000)
    progress: list[tuple[int, int | None]] = []
    pair(tmp_path, lines(PIXELS / 255, "%.6f"), lines(DIGITS.labels))
    found = csv.read(tmp_path, lambda done, total: progress.append((done, total)))
    assert_digits(found)
    size = (tmp_path / "digit_xtrain.csv").stat().st_size
    assert len(progress) > 5
    assert (size, size) in progress


def test_the_label_may_come_first_in_one_file(tmp_path: Path) -> None:
    write(tmp_path / "mnist_train.csv", *together())
    write(tmp_path / "mnist_test.csv", "label," + ",".join(map(str, range(784))), *together())
    assert_same(read(tmp_path), DataSet(DIGITS, DIGITS, ""))
    assert_same(read(tmp_path / "mnist_test.csv"), DataSet(None, DIGITS, ""))


@pytest.mark.parametrize("header", [[], [",".join([*(f"pixel{index}" for index in range(784)), "class"])]])
def test_the_label_may_come_last_if_that_is_clear(tmp_path: Path, header: list[str]) -> None:
    rows = [f"{row},{label}" for label, row in zip(DIGITS.labels, lines(PIXELS), strict=True)]
    assert_digits(read(write(tmp_path / "any.csv", *header, *rows)))


def test_training_and_test_parts_are_kept_apart(tmp_path: Path) -> None:
    dataset = some_data()
    csv.write(dataset, tmp_path / "csv")
    assert sorted(path.name for path in (tmp_path / "csv").iterdir()) == [
        "digit_xtest.csv",
        "digit_xtrain.csv",
        "digit_ytest.csv",
        "digit_ytrain.csv",
    ]
    assert_same(read(tmp_path / "csv"), dataset)


@pytest.mark.parametrize("block", [csv.BLOCK, 3000])
@pytest.mark.parametrize(
    ("line", "row", "message"),
    [
        (7, "0," * 782 + "0", "line 7 has 783 values, the first has 784"),
        (8, "0," * 784 + "0", "line 8 has 785 values, the first has 784"),
        (9, "0,0,x7" + ",0" * 781, "line 9, column 3: 'x7' is not a number"),
        (9, "0,0," + ",0" * 781, "line 9, column 3: '' is not a number"),
        (10, "0,300" + ",0" * 782, "line 10: pixel value 300 is not between 0 and 255"),
        (10, "0,-1" + ",0" * 782, "line 10: pixel value -1 is not between 0 and 255"),
        (10, "0,nan" + ",0" * 782, "line 10: pixel value nan is not between 0 and 255"),
    ],
)
def test_a_bad_row_is_named_by_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int, line: int, row: str, message: str
) -> None:
    monkeypatch.setattr(csv, "BLOCK", block)
    rows = lines(PIXELS)
    rows[line - 1] = row
    with pytest.raises(DataError, match=f"digit_xtrain.csv: {message}"):
        read(pair(tmp_path, rows, lines(DIGITS.labels)))


def test_lines_are_counted_with_header_and_blank_lines(tmp_path: Path) -> None:
    header = ",".join(f"pixel{index}" for index in range(784))
    rows = [header, "", *lines(PIXELS)[:3], "", "0,999" + ",0" * 782]
    with pytest.raises(DataError, match="line 7: pixel value 999"):
        read(pair(tmp_path, rows, lines(DIGITS.labels)))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["3", "12"], "line 2: label 12 is not a digit 0-9"),
        (["3", "-1"], "line 2: label -1 is not a digit 0-9"),
        (["3", "2.5"], "line 2: label 2.5 is not a digit 0-9"),
        (["0,0,0,0,0,0,0,0,0,1", "0,0,1,0,0,0,0,0,0,1"], "line 2: the label is not one-hot"),
        (["0,0,0,0,0,0,0,0,0,1", "0,0,0,0,0,0,0,0,0,0"], "line 2: the label is not one-hot"),
        (["1,2,3"], r"hold 3 values; expected 1 \(a digit\) or 10 \(a one-hot code\)"),
        ([], "2 images but 0 labels"),
        (["1"], "2 images but 1 labels"),
    ],
)
def test_bad_labels_are_refused(tmp_path: Path, labels: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(pair(tmp_path, lines(PIXELS[:2]), labels))


@pytest.mark.parametrize("content", ["", "label\n"])
def test_an_empty_file_is_refused(tmp_path: Path, content: str) -> None:
    pair(tmp_path, lines(PIXELS), [])
    (tmp_path / "digit_ytrain.csv").write_text(content)
    with pytest.raises(DataError, match=r"digit_ytrain\.csv holds no data"):
        read(tmp_path)


def test_pictures_of_another_size_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"hold 65 values; expected 785 \(a label and the pixels of 28x28\)"):
        read(write(tmp_path / "eight.csv", *["5" + ",1" * 64] * 3))


def test_pixels_without_labels_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "digit_xtest.csv", *lines(PIXELS))
    with pytest.raises(DataError, match=r"digit_ytest\.csv is not beside it"):
        read(tmp_path)


def test_text_with_commas_is_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not a data set"):
        read(write(tmp_path / "letter.csv", "Dear reader, hello", "and, so on"))


@pytest.mark.parametrize("name", ["digit_xtrain.csv", "digit_ytrain.csv", "mnist_train.csv"])
def test_a_line_without_end_is_refused(tmp_path: Path, name: str) -> None:
    if name != "mnist_train.csv":
        pair(tmp_path, lines(PIXELS), lines(DIGITS.labels))
    with (tmp_path / name).open("wb") as file:
        file.write(b"1,2,3")
        file.truncate(2**40)
    with pytest.raises(DataError, match=f"{name} holds a line of more than 65536 bytes"):
        read(tmp_path)


def test_a_line_without_end_after_good_ones_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv, "BLOCK", 3000)
    pair(tmp_path, lines(PIXELS), lines(DIGITS.labels))
    with (tmp_path / "digit_xtrain.csv").open("ab") as file:
        file.truncate(2**40)
    with pytest.raises(DataError, match=r"digit_xtrain\.csv holds a line of more than 65536 bytes"):
        read(tmp_path)


def test_a_long_line_within_a_block_is_refused(tmp_path: Path) -> None:
    pair(tmp_path, [*lines(PIXELS), "1," * 40_000], lines(DIGITS.labels))
    with pytest.raises(DataError, match=r"digit_xtrain\.csv: line 13 is of 80001 bytes, more than 65536"):
        read(tmp_path)


def test_many_short_lines_do_not_become_rows_of_full_length(tmp_path: Path) -> None:
    pair(tmp_path, [",".join("0" * 784), *"0" * 4_000_000], ["1"])
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from digitcli.data import formats\n"
        "try: formats.read(Path(sys.argv[1]), lambda done, total: None)\n"
        "except Exception as error: print(error)\n"
    )
    done = measured.python("-c", program, tmp_path)
    assert done.peak < measured.BOUND
    assert done.stdout.endswith("digit_xtrain.csv: line 2 has 1 values, the first has 784.\n")


def test_zeros_are_no_numbers(tmp_path: Path) -> None:
    rows = lines(PIXELS)
    rows[3] = "\0" + rows[3][1:]
    with pytest.raises(DataError, match="line 4, column 1: '\0' is not a number"):
        read(pair(tmp_path, rows, lines(DIGITS.labels)))


def test_a_number_beyond_all_bounds_is_out_of_range(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 1: pixel value inf is not between 0 and 255"):
        read(pair(tmp_path, ['"1e300", ' + "0," * 782 + "0"], ["1"]))
