from __future__ import annotations

import gzip
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from digitcli.data.formats import idx
from digitcli.errors import ImageError
from digitcli.sources import arrays
from digitcli.system import limits

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 28, 28)).astype(np.uint8)


def read(path: str) -> tuple[list[str], np.ndarray]:
    """The names and pixels of the pictures in a file, all of which must be good."""
    sources = list(arrays.read(Path(path)))
    for source in sources:
        assert isinstance(source.content, np.ndarray), source.content
    return [source.name for source in sources], np.array([source.content for source in sources])


def error(path: str) -> str:
    """What is said of the one source of a file that cannot be read."""
    (source,) = arrays.read(Path(path))
    assert isinstance(source.content, ImageError)
    return str(source.content)


def write_idx(path: str, packer: Callable[[bytes], bytes] = bytes) -> None:
    Path(path).write_bytes(packer(idx.header(IMAGES) + IMAGES.tobytes()))


@pytest.mark.parametrize("shape", [(5, 28, 28), (5, 28, 28, 1), (5, 784)])
@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32, ">f8"])
def test_rows_of_npy_are_pictures(shape: tuple[int, ...], dtype: str) -> None:
    np.save("a.npy", IMAGES.reshape(shape).astype(dtype))
    assert arrays.recognises(Path("a.npy"))
    names, images = read("a.npy")
    assert names == [f"a.npy[{row}]" for row in range(5)]
    assert np.array_equal(images, IMAGES)


def test_pixels_from_0_to_1_are_scaled() -> None:
    np.save("float.npy", (IMAGES / 255).astype(np.float32))
    np.save("bool.npy", IMAGES > 127)
    assert np.array_equal(read("float.npy")[1], IMAGES)
    assert np.array_equal(read("bool.npy")[1], (IMAGES > 127) * 255)


def test_an_array_of_28x28_is_one_picture() -> None:
    np.save("one.npy", IMAGES[0])
    assert np.array_equal(read("one.npy")[1], IMAGES[:1])


def test_fortran_order_is_honoured() -> None:
    np.save("f.npy", np.asfortranarray(IMAGES))
    assert np.array_equal(read("f.npy")[1], IMAGES)


def test_labels_in_an_npz_are_passed_over() -> None:
    np.savez_compressed("a.npz", x_test=IMAGES, y_test=np.arange(5), x_train=IMAGES[:2])
    assert arrays.recognises(Path("a.npz"))
    names, images = read("a.npz")
    assert names == [f"a.npz/x_test[{row}]" for row in range(5)] + ["a.npz/x_train[0]", "a.npz/x_train[1]"]
    assert np.array_equal(images[:5], IMAGES)


@pytest.mark.parametrize("packer", [bytes, gzip.compress])
def test_idx_files_are_read_packed_or_not(packer: Callable[[bytes], bytes]) -> None:
    write_idx("images", packer)
    assert arrays.recognises(Path("images"))
    assert np.array_equal(read("images")[1], IMAGES)


def test_many_rows_are_read_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "BLOCK", 2)
    for array in (IMAGES, np.asfortranarray(IMAGES)):
        np.save("a.npy", array)
        assert np.array_equal(read("a.npy")[1], IMAGES)


def test_values_out_of_range_are_errors_of_their_rows() -> None:
    array = (IMAGES / 255).astype(np.float32)
    array[1, 0, 0] = np.nan
    array[3, 0, 0] = -1
    np.save("a.npy", array)
    sources = list(arrays.read(Path("a.npy")))
    bad = [source.name for source in sources if isinstance(source.content, ImageError)]
    assert bad == ["a.npy[1]", "a.npy[3]"]
    assert "a.npy[3] holds values outside 0-1" in str(sources[3].content)


def test_a_truncated_file_gives_its_whole_rows_and_an_error() -> None:
    write_idx("a.idx")
    Path("a.idx").write_bytes(Path("a.idx").read_bytes()[:-1])
    *rows, last = arrays.read(Path("a.idx"))
    assert len(rows) == 4
    assert str(last.content) == "a.idx is damaged: it ends after 4 of 5 pictures."


def test_what_holds_no_pictures_says_what_it_holds() -> None:
    np.save("labels.npy", np.arange(5))
    assert error("labels.npy") == (
        "labels.npy holds an array of shape (5,); (n, 28, 28) or (n, 784) is expected."
    )
    np.savez("labels.npz", a=np.arange(5), b=np.arange(4))
    assert "labels.npz/a holds an array of shape (5,)" in error("labels.npz")
    np.save("words.npy", np.array(["a", "b"]))
    assert "holds values of type <U1" in error("words.npy")


def test_pickled_objects_are_refused() -> None:
    np.save("objects.npy", np.array([{}, {}]), allow_pickle=True)
    assert "holds values of type object" in error("objects.npy")


def test_a_pixel_that_is_no_number_spoils_its_own_row_only() -> None:
    array = IMAGES.astype(np.float32)
    array[0, 0, 0] = np.nan
    np.save("a.npy", array)
    first, *others = arrays.read(Path("a.npy"))
    assert "a.npy[0] holds values outside 0-255" in str(first.content)
    assert np.array_equal([other.content for other in others], IMAGES[1:])


def npy(shape: str, order: str = "False", descr: str = "'|u1'", rows: bytes = b"") -> bytes:
    """A .npy file with that header, whatever is in it."""
    header = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}}}".encode()
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + rows


TERA = 2**40
ROW = bytes(784)


@pytest.mark.parametrize(
    ("content", "rows", "complaint"),
    [
        (b"\0\0\x08\x03" + struct.pack(">3I", 2**32 - 1, 28, 28) + ROW * 2, 2, "ends after 2 of 4294967295"),
        (npy(f"({TERA}, 28, 28)", rows=ROW), 1, f"ends after 1 of {TERA}"),
        (npy(f"({TERA}, 784)", descr="'<f8'", rows=ROW * 8), 1, f"ends after 1 of {TERA}"),
        (npy(f"({TERA}, 28, 28)", order="True", rows=ROW), 0, f"holds {TERA} pictures in Fortran order"),
        (npy("(80_000, 28, 28)", order="True", rows=ROW), 0, "ends before its last picture"),
        (npy("(-1, 28, 28)", rows=ROW), 0, "holds an array of shape (-1, 28, 28)"),
        (npy("(2, 28, 28)", descr="'|O'", rows=b"cos\nsystem\n"), 0, "holds values of type object"),
        (npy("(2, 28, 28)", descr="'|V2000000000'"), 0, "holds values of type |V2000000000"),
        (b"\x93NUMPY\2\0\xff\xff\xff\xff{", 0, "its header is of 4294967295 bytes"),
        (b"\x93NUMPY\1\0\xff\xff" + b"(" * 65535, 0, "its header is of 65535 bytes"),
        (b"\x93NUMPY\1\0\x10\x27" + b"(" * 10_000, 0, "its header cannot be read"),
        (b"\0\0\x08\xff" + bytes(100), 0, "is damaged"),
        (b"\0\0\x08", 0, "is not an array"),
    ],
)
def test_headers_that_promise_what_is_not_there_cost_nothing(
    content: bytes, rows: int, complaint: str
) -> None:
    Path("lying").write_bytes(content)
    assert arrays.recognises(Path("lying"))
    tracemalloc.start()
    *read, last = arrays.read(Path("lying"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(read) == rows
    assert complaint in str(last.content)
    assert peak < 32 * 2**20


@pytest.mark.parametrize("kind", ["npz", "idx"])
def test_arrays_that_unpack_to_far_more_than_their_size_are_refused(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "UNPACKED_FREELY", 2**20)
    zeros = np.zeros((20_000, 28, 28), np.uint8)
    if kind == "npz":
        np.savez_compressed("bomb.npz", a=zeros[:2], b=zeros)
    else:
        Path("bomb.idx").write_bytes(gzip.compress(idx.header(zeros) + zeros.tobytes()))
    *rows, last = arrays.read(Path(f"bomb.{kind}"))
    assert len(rows) < 10_000
    assert "unpacks to more than 200 times its size" in str(last.content)


def test_an_array_that_is_packed_with_any_memory_is_refused() -> None:
    with zipfile.ZipFile("a.npz", "w", zipfile.ZIP_LZMA) as file:
        file.writestr("x.npy", npy("(1, 28, 28)", rows=ROW))
    assert "a.npz/x is packed as NumPy never does" in error("a.npz")


def test_what_a_file_begins_as_it_is_although_it_ends_as_an_archive() -> None:
    np.savez("z.npz", x=IMAGES[:2])
    Path("both").write_bytes(npy("(1, 28, 28)", rows=ROW) + Path("z.npz").read_bytes())
    assert read("both")[0] == ["both[0]"]


@pytest.mark.parametrize(
    "content", [b"", b"\x93NUMPX", b"\0\0\x01\0", b"PK\x03\x04 no zip", b"\x1f\x8b\x08 no gzip"]
)
def test_other_files_are_not_recognised(content: bytes) -> None:
    Path("x").write_bytes(content)
    assert not arrays.recognises(Path("x"))


@example(position=69, damage=b"\0\0", name="n")  # NumPy's own parser raises a TokenError
@given(
    position=st.integers(0, 10_000), damage=st.binary(min_size=1, max_size=4), name=st.sampled_from("nzig")
)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damage_anywhere_gives_pictures_or_errors(position: int, damage: bytes, name: str) -> None:
    if not Path("n").exists():
        np.save("n.npy", IMAGES)
        Path("n.npy").rename("n")
        np.savez_compressed("z.npz", x=IMAGES, y=np.arange(5))
        Path("z.npz").rename("z")
        write_idx("i")
        write_idx("g", gzip.compress)
    content = bytearray(Path(name).read_bytes())
    position %= len(content)
    content[position : position + len(damage)] = damage
    Path("damaged").write_bytes(content)
    if arrays.recognises(Path("damaged")):
        for source in arrays.read(Path("damaged")):
            assert isinstance(source.content, ImageError | np.ndarray)
