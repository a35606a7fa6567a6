from __future__ import annotations

import io
import os
import struct
import sys
import threading
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import bombs
import numpy as np
import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from digitcli.errors import ImageError
from digitcli.images import decode
from digitcli.images.decode import open_picture
from digitcli.system.limits import PictureLimits


def encoded(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def heic(image: Image.Image, **options: Any) -> bytes:
    """As `encoded`, in HEIC, without Pillow's own learning of it."""
    buffer = io.BytesIO()
    pillow_heif.from_pillow(image).save(buffer, quality=95, **options)
    return buffer.getvalue()


def bar(mode: str = "L", paper: object = 255, ink: object = 0) -> Image.Image:
    """A bar in the left upper part of a page of 30x20."""
    image = Image.new(mode, (30, 20), paper)
    ImageDraw.Draw(image).rectangle((3, 2, 6, 11), fill=ink)
    return image


@pytest.mark.parametrize("format", ["PNG", "BMP", "GIF", "TIFF", "PPM", "WEBP", "ICO"])
def test_formats_without_loss_keep_their_pixels(format: str) -> None:
    options = {"lossless": True} if format == "WEBP" else {"sizes": [(30, 20)]} if format == "ICO" else {}
    picture = open_picture(encoded(bar("RGB", "white", "black"), format, **options))
    assert np.array_equal(np.asarray(picture.convert("L")), np.asarray(bar()))


@pytest.mark.parametrize("tile", [0, 512])
def test_photos_of_iphones_are_upright(tile: int) -> None:
    photo = bar("RGB", "white", "black").resize((900, 600), Image.Resampling.NEAREST)
    sideways = Image.Exif()
    sideways[0x0112] = 6
    for exif, turned in ((Image.Exif(), photo), (sideways, photo.transpose(Image.Transpose.ROTATE_270))):
        seen = open_picture(heic(photo, exif=exif.tobytes(), tile_size=tile))
        assert (seen.mode, seen.size) == ("RGB", turned.size)
        assert np.abs(np.asarray(seen).astype(int) - np.asarray(turned)).mean() < 2


def test_a_heic_is_reduced_to_what_is_enough() -> None:
    photo = heic(bar("RGB", "white", "black").resize((900, 600), Image.Resampling.NEAREST))
    assert open_picture(photo, least_side=300).size == (300, 200)
    assert open_picture(photo, least_side=1000).size == (900, 600)


def test_a_damaged_heic_says_so() -> None:
    content = heic(Image.effect_noise((600, 400), 90).convert("RGB"))
    for cut in (content[: len(content) // 2], content[:40]):
        with pytest.raises(ImageError, match=r"^x\.heic is damaged and cannot be decoded: \w.*\.$"):
            open_picture(cut, "x.heic")


def test_where_nothing_reads_heic_it_is_told_what_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.setattr(Image, "ID", [each for each in Image.ID if each != "HEIF"])
    with pytest.raises(
        ImageError, match=r"^x\.heic is in HEIC, .*pip install 'digitcli\[heic\]'; or save it as JPEG"
    ):
        open_picture(heic(bar("RGB", "white", "black")), "x.heic")


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr"])
def test_every_colour_mode_becomes_grey_or_rgb(mode: str) -> None:
    picture = open_picture(encoded(bar().convert(mode), "JPEG" if mode in ("CMYK", "YCbCr") else "PNG"))
    assert picture.mode in ("L", "RGB")
    grey = np.asarray(picture.convert("L"))
    assert grey[6, 4] < 30 < 225 < grey[18, 28]


@pytest.mark.parametrize("white", [255, 1023, 4095, 65535])
def test_sixteen_bit_greys_are_scaled_by_the_bits_in_use(white: int) -> None:
    pixels = np.asarray(bar()).astype(np.uint16) // 255 * white
    assert np.array_equal(np.asarray(open_picture(encoded(Image.fromarray(pixels)))), np.asarray(bar()))


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_thirty_two_bit_greys_are_scaled(dtype: type) -> None:
    pixels = (np.asarray(bar()) // 255).astype(dtype)
    assert np.array_equal(
        np.asarray(open_picture(encoded(Image.fromarray(pixels), "TIFF"))), np.asarray(bar())
    )


@pytest.mark.parametrize(("ink", "background"), [((0, 0, 120), 255), ((250, 250, 200), 0)])
def test_transparent_strokes_lie_over_what_they_stand_out_from(ink: tuple[int, ...], background: int) -> None:
    picture = open_picture(encoded(bar("RGBA", (ink[0], ink[1], ink[2], 0), (*ink, 255))))
    assert picture.getpixel((20, 15)) == (background,) * 3
    assert picture.getpixel((4, 5)) == ink


def test_transparency_around_a_page_continues_the_page() -> None:
    page = Image.new("RGBA", (60, 60), (0, 0, 0, 0))
    page.paste(bar("RGBA", (240, 230, 220, 255), (10, 10, 10, 255)), (15, 20))
    assert open_picture(encoded(page)).getpixel((0, 0)) == (240, 230, 220)


def test_a_wholly_transparent_picture_is_blank() -> None:
    assert open_picture(encoded(Image.new("RGBA", (9, 9), (255, 0, 0, 0)))).getextrema() == (0, 0)


def test_a_palette_with_a_transparent_entry_is_laid_over_the_likelier_background() -> None:
    image = bar("P", 0, 1)
    image.putpalette([0, 0, 0, 0, 0, 0])
    picture = open_picture(encoded(image, transparency=0))
    assert picture.getpixel((20, 15)) == (255, 255, 255)
    assert picture.getpixel((4, 5)) == (0, 0, 0)


def test_exif_rotation_is_undone() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held turned by 90 degrees
    sideways = encoded(bar().rotate(90, expand=True), "PNG", exif=exif)
    assert np.array_equal(np.asarray(open_picture(sideways)), np.asarray(bar()))


def test_of_an_animation_the_first_frame_is_read() -> None:
    animation = encoded(bar(), "GIF", save_all=True, append_images=[Image.new("L", (30, 20), 255)])
    assert np.asarray(open_picture(animation).convert("L"))[6, 4] == 0


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"gone\.png: no such file"):
        open_picture(tmp_path / "gone.png")


def test_a_folder_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="is a folder"):
        open_picture(tmp_path)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", r"x\.png is empty"),
        (b"hello", r"x\.png is not a picture"),
        (encoded(Image.effect_noise((60, 60), 90))[:1500], r"x\.png is damaged"),
        (encoded(Image.effect_noise((60, 60), 90), "JPEG")[:900], r"x\.png is damaged"),
    ],
)
def test_what_is_no_whole_picture_is_refused(tmp_path: Path, data: bytes, complaint: str) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(data)
    with pytest.raises(ImageError, match=complaint):
        open_picture(path)


@pytest.mark.parametrize("header", [b"P6 10000 10000 255", b"P5 20000 20000 255", b"P5 50000 50000 255"])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(header: bytes) -> None:
    with pytest.raises(ImageError, match=r"bomb\.pnm is too large: .* Make it smaller first"):
        open_picture(header + b"\n", "bomb.pnm")


@pytest.mark.parametrize("size", [b"70000 1", b"1 70000"])
def test_endless_rows_and_columns_are_refused(size: bytes) -> None:
    with pytest.raises(ImageError, match=r"rows\.pgm is too large: .* more than 65535 on a side"):
        open_picture(b"P5 " + size + b" 255\n" + bytes(70_000), "rows.pgm")


def test_the_longest_row_that_is_read_can_be() -> None:
    assert open_picture(b"P5 65535 1 255\n" + bytes(65_535)).size == (65_535, 1)


def test_a_heic_has_so_many_pixels_as_phones_take_and_not_many_more() -> None:
    page = Image.new("RGB", (6400, 4800), "white")
    with pytest.raises(ImageError, match=r"6400x4800 pixels would take \d+ MB, more than 330"):
        open_picture(heic(page))
    with PictureLimits() as limits, limits.reading(page, "x"):
        assert open_picture(heic(page.crop((0, 0, 5712, 4284)), tile_size=512)).size == (5712, 4284)


@pytest.mark.parametrize("format", ["WEBP", "AVIF", "JPEG2000"])
def test_formats_whose_decoders_take_much_memory_may_have_fewer_pixels(format: str) -> None:
    with pytest.raises(ImageError, match=r"4400x3400 pixels would take \d+ MB, more than 330"):
        open_picture(bombs.blank(format, (4400, 3400), **({"speed": 10} if format == "AVIF" else {})))


def test_a_progressive_jpeg_may_have_fewer_pixels_whatever_scale_is_enough() -> None:
    bomb = bombs.jpeg_of_scans(8192, 0)
    with pytest.raises(ImageError, match="8192x8192 pixels would take"):
        open_picture(bomb, least_side=480)


def test_of_what_no_timer_interrupts_only_so_many_bytes_are_decoded() -> None:
    noise = Image.effect_noise((600, 600), 90)
    content = encoded(noise, "JPEG2000")
    assert open_picture(content).size == (600, 600)
    with pytest.raises(ImageError, match=r"x\.jp2 takes longer than 0\.02 s .*--time-limit"):
        open_picture(content, "x.jp2", seconds=0.02)


@pytest.mark.parametrize(
    "program",
    [
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 20 20\n%%EndComments\n(pwned) print\n",
        b"\xd7\xcd\xc6\x9a\0\0"
        + struct.pack("<hhhhHI", 0, 0, 100, 100, 72, 0)
        + b"\0\0\x01\0\x09\0"
        + bytes(60),
    ],
)
def test_a_picture_that_is_a_program_is_not_run(program: bytes) -> None:
    with pytest.raises(ImageError, match=r"x is a program that draws \((EPS|WMF)\), and is not run"):
        open_picture(program, "x")


def test_of_an_endless_animation_no_more_than_the_first_frame_is_looked_at(tmp_path: Path) -> None:
    start = encoded(bar(), "GIF").removesuffix(b";")
    frame = start[start.index(b",") :]
    with (tmp_path / "endless.gif").open("wb") as file:
        file.write(start + frame * 3 + b"!\xff\x0bdamage")
        file.truncate(2**40)
    assert np.asarray(open_picture(tmp_path / "endless.gif").convert("L"))[6, 4] == 0


def test_what_a_file_begins_as_it_is_whatever_else_it_is_too() -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("evil.png", b"no picture")
    for format in ("PNG", "JPEG", "GIF", "BMP"):
        assert open_picture(encoded(bar(), format) + archive.getvalue()).size == (30, 20)


def test_an_endless_pipe_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "MAX_SIZE", 10_000)
    os.mkfifo(tmp_path / "pipe")

    def write() -> None:
        with suppress(BrokenPipeError), (tmp_path / "pipe").open("wb") as pipe:
            while True:
                pipe.write(bytes(1000))

    writer = threading.Thread(target=write)
    writer.start()
    with pytest.raises(ImageError, match="pipe is too large for a pipe: more than 10000 bytes"):
        open_picture(tmp_path / "pipe")
    writer.join()


@pytest.mark.parametrize(
    ("least_side", "size"), [(None, (1200, 900)), (1000, (1200, 900)), (200, (300, 225))]
)
def test_a_jpeg_is_decoded_at_the_scale_that_is_enough(least_side: int | None, size: tuple[int, int]) -> None:
    photo = encoded(bar("RGB", "white", "navy").resize((1200, 900)), "JPEG")
    picture = open_picture(photo, least_side=least_side)
    assert picture.size == size
    whole = open_picture(photo).resize(size)
    assert np.abs(np.asarray(picture).astype(int) - np.asarray(whole)).mean() < 2


def test_other_formats_keep_their_size_though_less_is_enough() -> None:
    assert open_picture(encoded(bar()), least_side=10).size == (30, 20)


def test_a_pipe_is_read_like_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(encoded(bar())))
    writer.start()
    assert np.array_equal(np.asarray(open_picture(tmp_path / "pipe")), np.asarray(bar()))
    writer.join()


@given(
    position=st.integers(0, 2000),
    damage=st.binary(min_size=1, max_size=8),
    format=st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"]),
)
@settings(max_examples=80, deadline=None)
def test_damage_anywhere_gives_a_picture_or_an_image_error(position: int, damage: bytes, format: str) -> None:
    data = bytearray(encoded(bar("RGB", "white", "navy"), format))
    position %= len(data)
    data[position : position + len(damage)] = damage
    try:
        picture = open_picture(bytes(data), "x")
    except ImageError:
        return
    assert picture.mode in ("L", "RGB")
