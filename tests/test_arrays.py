from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from digitcli.data.formats import idx
from digitcli.errors import ImageError
from digitcli.sources import arrays

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
