"""The parts that pictures are cut into."""

from __future__ import annotations

import io
import struct
import zipfile
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from digitcli.errors import ImageError, UsageError
from digitcli.sources import parts
from digitcli.sources.parts import Part, cut

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


@pytest.fixture(autouse=True)
def few_make_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PICTURES", 3)
    monkeypatch.setattr(parts, "BYTES", 1000)


def folder(count: int, size: int = 1) -> str:
    Path("folder").mkdir()
    for number in range(count):
        Path(f"folder/{number}.png").write_bytes(bytes(size))
    return "folder"


def cut_into(*words: str, stdin: bytes = b"") -> list[list[str]]:
    """The names of the pictures in each part."""
    return [[source.name for source in part.sources()] for part in cut(words, io.BytesIO(stdin))]


def rows(start: int, end: int) -> list[str]:
    return [f"x.parquet[{n}]" for n in range(start, end)]


def write(count: int, group: int, size: int = 1) -> str:
    rng = np.random.default_rng(0)
    pictures = [rng.bytes(size) for _ in range(count)]
    pq.write_table(pa.table({"image": pictures}), "x.parquet", row_group_size=group)
    return "x.parquet"


def test_files_are_taken_together_in_their_order() -> None:
    names = [f"folder/{n}.png" for n in range(7)]
    assert cut_into(folder(7)) == [names[:3], names[3:6], names[6:]]


def test_large_files_make_smaller_parts() -> None:
    assert [len(each) for each in cut_into(folder(5, size=600))] == [2, 2, 1]


def test_a_list_through_stdin_is_cut_like_words() -> None:
    names = [f"folder/{n}.png" for n in range(4)]
    folder(4)
    assert cut_into("-", stdin="\n".join(names).encode()) == [names[:3], names[3:]]


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        (1, [(0, 3), (3, 6), (6, 9), (9, 10)]),
        (2, [(0, 4), (4, 8), (8, 10)]),
        (10, [(0, 3), (3, 6), (6, 10)]),
    ],
)
def test_parquet_is_cut_between_row_groups_or_within_large_ones(
    group: int, expected: list[tuple[int, int]]
) -> None:
    assert cut_into(write(10, group)) == [rows(*each) for each in expected]


def test_row_groups_of_large_pictures_make_smaller_parts() -> None:
    assert cut_into(write(4, 1, size=900)) == [rows(n, n + 1) for n in range(4)]


def test_archives_and_arrays_are_parts_of_their_own_between_the_files() -> None:
    with zipfile.ZipFile("some.zip", "w") as archive:
        for number in range(5):
            archive.writestr(f"{number}.png", b"x")
    np.save("some.npy", np.zeros((4, 28, 28), np.uint8))
    assert cut_into("a.png", "some.zip", "b.png", "some.npy") == [
        ["a.png"],
        [f"some.zip/{n}.png" for n in range(5)],
        ["b.png"],
        [f"some.npy[{n}]" for n in range(4)],
    ]


def test_a_damaged_parquet_file_is_one_part_with_its_error() -> None:
    path = Path(write(10, 2))
    path.write_bytes(path.read_bytes()[:-9])
    (part,) = cut([str(path)], io.BytesIO())
    (source,) = part.sources()
    assert "x.parquet is damaged" in str(source.content)


def test_a_footer_that_promises_rows_without_end_is_one_part(monkeypatch: pytest.MonkeyPatch) -> None:
    promised = [parts.parquet.RowGroup(2**60, 100)]
    monkeypatch.setattr(parts.parquet, "row_groups", lambda path: promised)
    assert len(list(islice(cut([write(10, 2)], io.BytesIO()), 9))) == 1


def test_the_same_files_make_the_same_parts_and_others_do_not() -> None:
    path = write(10, 5)
    first, second = cut([path], io.BytesIO()), cut([path], io.BytesIO())
    prints = [part.fingerprint("how") for part in first]
    assert prints == [part.fingerprint("how") for part in second]
    assert len(set(prints)) == 2
    assert not set(prints) & {part.fingerprint("other") for part in cut([path], io.BytesIO())}
    assert Part.of(["a", "b"]).fingerprint("") != Part.of(["a\nb"]).fingerprint("")


def test_many_paths_take_little_memory() -> None:
    part = Part.of(f"a/long/folder/with/pictures/picture-{n:06}.png" for n in range(10_000))
    assert len(part.packed) < 50_000
    assert part.paths[-1] == "a/long/folder/with/pictures/picture-009999.png"


def test_nothing_to_read_and_a_picture_through_stdin_are_told() -> None:
    Path("empty").mkdir()
    with pytest.raises(ImageError, match="No pictures in empty"):
        cut_into("empty")
    with pytest.raises(UsageError, match="A picture through stdin"):
        cut_into("-", stdin=b"\x89PNG" + struct.pack("16x"))
