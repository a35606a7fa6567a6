from __future__ import annotations

import io
import os
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from digitcli.data import synthetic
from digitcli.images.decode import open_picture
from digitcli.images.preprocess import to_mnist
from digitcli.reading.prepared import prepared
from digitcli.sources.source import Source

DIGITS = [to_mnist(Image.fromarray(each)) for each in synthetic.generate(20, seed=6).images]


def png(image: Image.Image | np.ndarray, **how: object) -> bytes:
    file = io.BytesIO()
    image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    image.save(file, "PNG", **how)
    return file.getvalue()


def of_content(content: object) -> np.ndarray | None:
    return prepared([Source("it", content)]).get(0)  # type: ignore[arg-type]


@pytest.mark.parametrize("negative", [False, True], ids=["ink bright", "ink dark"])
def test_what_is_in_mnist_form_is_known_in_arrays_bytes_and_files(tmp_path: Path, negative: bool) -> None:
    sources, expected = [], []
    for place, digit in enumerate(DIGITS):
        pixels = 255 - digit if negative else digit
        path = tmp_path / f"{place}.png"
        path.write_bytes(png(pixels, compress_level=place % 10))
        sources += [Source("array", pixels), Source("bytes", path.read_bytes()), Source("file", str(path))]
        expected += 3 * [digit]
    found = prepared(sources)
    assert list(found) == list(range(len(expected)))
    np.testing.assert_array_equal(np.stack([*found.values()]), expected)


def test_it_is_told_by_its_place_among_others() -> None:
    page = np.full((28, 28), 200, np.uint8)
    shown = [page, DIGITS[0], page, 255 - DIGITS[1]]
    found = prepared([Source("it", png(each)) for each in shown])
    assert list(found) == [1, 3]
    np.testing.assert_array_equal(found[3], DIGITS[1])


def test_where_more_is_said_of_a_picture_it_is_for_those_who_understand_it() -> None:
    digit = Image.fromarray(DIGITS[0])
    turned, text = Image.Exif(), PngImagePlugin.PngInfo()
    turned[0x0112] = 6
    text.add_text("of", "somebody")
    assert of_content(png(digit)) is not None
    for content in (
        png(digit, exif=turned),
        png(digit, transparency=0),
        png(digit, pnginfo=text),
        png(digit.convert("RGB")),
        png(digit.convert("P")),
        png(digit.resize((56, 56))),
    ):
        assert of_content(content) is None


@given(
    place=st.integers(33, 400),
    value=st.integers(0, 255),
    cut=st.integers(0, 60),
    digit=st.sampled_from(DIGITS),
    mended=st.booleans(),
)
def test_a_damaged_file_is_read_by_nobody_or_alike(
    place: int, value: int, cut: int, digit: np.ndarray, mended: bool
) -> None:
    content = bytearray(png(digit))
    content[min(place, len(content) - 1)] = value
    if mended:  # its check sum fits again
        content[-16:-12] = zlib.crc32(content[37:-16]).to_bytes(4)
    content = content[: len(content) - cut] if cut < 50 else content
    found = of_content(bytes(content))
    if found is not None:
        np.testing.assert_array_equal(found, to_mnist(open_picture(bytes(content))))


def test_pixels_that_end_too_soon_are_not_taken_for_a_picture() -> None:
    packed = zlib.compress(b"\0" + bytes(28))
    chunk = b"IDAT" + packed
    content = png(DIGITS[0])
    short = content[:33] + len(packed).to_bytes(4) + chunk + zlib.crc32(chunk).to_bytes(4) + content[-12:]
    assert of_content(short) is None


def test_a_pipe_is_left_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert of_content(str(tmp_path / "pipe.png")) is None  # or it would wait for ever


def test_what_cannot_be_read_is_left_to_be_told_of() -> None:
    for content in ("nowhere.png", "a\0b.png", b""):
        assert of_content(content) is None
