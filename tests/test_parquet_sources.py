"""Pictures in Parquet files."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import measured
import numpy as np
import pytest
from PIL import Image

from digitcli.data import synthetic
from digitcli.errors import ImageError, MissingExtraError
from digitcli.sources import parquet
from digitcli.sources.source import Source

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

CONTENT = [b"first", b"second", b"third", b"fourth", b"fifth"]


def write(columns: dict[str, Any], path: str = "x.parquet", **options: Any) -> Path:
    pq.write_table(pa.table(columns), path, **options)
    return Path(path)


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def damage(path: Path, group: int) -> None:
    """Overwrites what a row group has of its last column."""
    column = (
        pq.ParquetFile(path).metadata.row_group(group).column(-1 % pq.ParquetFile(path).metadata.num_columns)
    )
    start = column.dictionary_page_offset or column.data_page_offset
    content = bytearray(path.read_bytes())
    content[start : start + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    path.write_bytes(content)


def errors(sources: list[Source]) -> list[str]:
    return [str(source.content) for source in sources if isinstance(source.content, ImageError)]


def test_pictures_come_in_order_named_by_their_rows() -> None:
    path = write({"n": [1, 2, 3, 4, 5], "picture": CONTENT}, row_group_size=2)
    assert parquet.recognises(path)
    assert list(parquet.read(path)) == [Source(f"{path}[{n}]", each) for n, each in enumerate(CONTENT)]


@pytest.mark.parametrize("column", ["path", "name", "filename", "file_name"])
def test_a_column_of_names_beside_the_pictures_names_them(column: str) -> None:
    path = write({"picture": CONTENT[:3], column: ["a.png", None, "in/b.png"]})
    assert [source.name for source in parquet.read(path)] == [
        f"{path}/a.png",
        f"{path}[1]",
        f"{path}/in/b.png",
    ]


def test_structs_of_bytes_and_path_are_pictures_as_hugging_face_writes_them() -> None:
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    rows = [
        {"bytes": b"1", "path": "a.png"},
        {"bytes": b"2", "path": None},
        None,
        {"bytes": None, "path": "c"},
    ]
    path = write({"image": pa.array(rows, kind), "name": ["w", "x", "y", "z"]})
    sources = list(parquet.read(path))
    assert [source.name for source in sources] == [f"{path}/a.png", f"{path}[1]", f"{path}[2]", f"{path}/c"]
    assert [source.content for source in sources[:2]] == [b"1", b"2"]
    assert errors(sources) == [f"{path}[2] is null.", f"{path}/c is null."]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [(range(5), range(5)), (range(1, 4), range(1, 4)), (range(3, 9), range(3, 5)), (range(2, 2), [])],
)
def test_some_rows_are_read_wherever_row_groups_end(rows: range, expected: range) -> None:
    path = write({"picture": CONTENT}, row_group_size=2)
    assert list(parquet.read(path, rows)) == [Source(f"{path}[{n}]", CONTENT[n]) for n in expected]


def test_the_footer_tells_the_row_groups() -> None:
    groups = parquet.row_groups(write({"picture": CONTENT}, row_group_size=2))
    assert [group.rows for group in groups] == [2, 2, 1]
    assert all(0 < group.bytes < 1000 for group in groups)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"n": [1], "text": ["x"]},
            "x.parquet has no column of pictures, as bytes. Its columns are n, text.",
        ),
        (
            {"a": [b"1"], "n": [1], "b": [b"2"]},
            "x.parquet has several columns of bytes: a, b. Keep only that of the pictures.",
        ),
    ],
)
def test_a_file_without_one_column_of_pictures_says_which_it_has(
    columns: dict[str, Any], message: str
) -> None:
    (source,) = parquet.read(write(columns))
    assert str(source.content) == message


def test_a_damaged_row_group_is_one_error_and_the_others_are_read() -> None:
    path = write({"picture": CONTENT}, row_group_size=2)
    damage(path, 1)
    sources = list(parquet.read(path))
    assert [source.content for source in sources if isinstance(source.content, bytes)] == [
        b"first",
        b"second",
        b"fifth",
    ]
    (error,) = errors(sources)
    assert error.startswith("x.parquet: rows 2 to 3 are damaged: ")
    assert "\n" not in error


@pytest.mark.parametrize("keep", [4, 20, -9])
def test_a_truncated_file_is_one_error(keep: int) -> None:
    path = write({"picture": CONTENT})
    path.write_bytes(path.read_bytes()[:keep])
    (source,) = parquet.read(path)
    assert str(source.content).startswith("x.parquet is damaged: ")


def test_a_file_that_is_gone_is_one_error() -> None:
    (source,) = parquet.read(Path("gone.parquet"))
    assert "gone.parquet is damaged: " in str(source.content)


def test_names_cannot_move_the_cursor() -> None:
    path = write({"picture": [b"1"], "name": ["a\x1b[2J\n.png"]})
    assert next(iter(parquet.read(path))).name == f"{path}/a\\x1b[2J\\n.png"


def test_one_picture_that_stands_for_thousands_is_refused() -> None:
    picture = pa.array([os.urandom(2**16)])
    many = pa.DictionaryArray.from_arrays(pa.array([0] * 5000, pa.int32()), picture).cast(pa.binary())
    path = write({"picture": many})
    assert path.stat().st_size < 2**17
    *read, refused = parquet.read(path)
    assert 0 < len(read) < 5000
    assert "unpacks to more than 200 times its size" in str(refused.content)


def test_pages_that_unpack_to_gigabytes_take_little_memory_and_are_an_error() -> None:
    # 400 MiB of zeros in one value.
    write({"picture": pa.array([bytes(400 * 2**20)], pa.binary())}, compression="zstd", use_dictionary=False)
    done = measured.digitcli("predict", "x.parquet")
    assert done.exit_code == 1
    assert "x.parquet: rows 0 to 0" in done.stdout
    assert "of memory to read" in done.stdout
    assert done.peak < measured.BOUND


def footer_of_columns(groups: int, columns: int) -> bytes:
    """A file that is a footer alone: of row groups with so many columns, of which each takes three bytes.

    Written by hand, in Thrift's compact protocol: pyarrow would write of a column more than nothing.
    """

    def of_structs(each: bytes, count: int) -> bytes:
        return b"\x19\xfc" + bytes([count & 127 | 128, count >> 7 & 127 | 128, count >> 14]) + each * count

    version, root = b"\x15\2", b"\x19\x1c\x48\1s\x15\0\0"
    group = of_structs(b"\x26\0\0", columns) + b"\x16\0\x16\0\0"
    footer = version + root + b"\x16\0" + of_structs(group, groups) + b"\0"
    return b"PAR1" + footer + struct.pack("<I", len(footer)) + b"PAR1"


@pytest.mark.parametrize(("groups", "columns"), [(1, 300_000), (20, 50_000)])
def test_a_footer_that_unpacks_to_far_more_is_refused(groups: int, columns: int) -> None:
    Path("x.parquet").write_bytes(footer_of_columns(groups, columns))
    done = measured.digitcli("predict", "x.parquet")
    assert done.exit_code == 1
    assert "x.parquet is damaged" in done.stdout
    assert done.peak < measured.BOUND


def test_a_long_file_of_large_pictures_is_read_in_little_memory() -> None:
    options = {"compression": "none", "use_dictionary": False, "write_batch_size": 1}
    rng = np.random.default_rng(0)
    # In one row group, of which no more than a buffer may be held either.
    write({"picture": [rng.bytes(2**20) for _ in range(320)]}, row_group_size=320, **options)
    done = measured.python(
        "-c",
        "import pathlib; from digitcli.sources import parquet\n"
        "print(sum(len(each.content) for each in parquet.read(pathlib.Path('x.parquet'))))",
    )
    assert done.stdout.strip() == str(320 * 2**20)
    assert done.peak < measured.BOUND / 2


def test_predict_reads_them_like_files(digitcli: Any) -> None:
    images = synthetic.generate(6, seed=3).images
    Path("files").mkdir()
    for number, image in enumerate(images):
        Path(f"files/{number}.png").write_bytes(png(image))
    path = write({"picture": [*map(png, images), b"no picture", None]})
    result = digitcli("predict", path, "--format", "plain")
    assert result.exit_code == 1
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert [row[0] for row in rows] == [f"{path}[{n}]" for n in range(8)]
    alone = digitcli("predict", "files", "--format", "plain").stdout.splitlines()
    assert [row[1:3] for row in rows[:6]] == [line.split("\t")[1:3] for line in alone]
    assert rows[6][3].startswith(f"{path}[6] is not a picture")
    assert rows[7][3] == f"{path}[7] is null."


def test_without_pyarrow_it_is_said_how_to_get_it(digitcli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write({"picture": CONTENT})
    monkeypatch.setattr(parquet, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError):
        list(parquet.read(path))
    result = digitcli("predict", path)
    assert result.exit_code == 1
    assert "pip install 'digitcli[parquet]'" in result.stderr


def test_other_pictures_do_not_pay_for_pyarrow() -> None:
    Image.new("L", (28, 28), 255).save("blank.png")
    code = "import sys; from digitcli.cli import app; app(['predict', 'blank.png'], standalone_mode=False)"
    program = f"try:\n    {code}\nexcept SystemExit: print('pyarrow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
