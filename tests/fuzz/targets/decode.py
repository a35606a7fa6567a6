"""Picture files of every format that is common, and some that are not."""

from __future__ import annotations

import io

import pillow_heif
from fuzz.files import expecting_errors
from fuzz.targets import DEAR
from PIL import Image

from digitcli.images.decode import open_picture
from digitcli.system.limits import PictureLimits

MUTATIONS = DEAR
WITHOUT_ALPHA = ("JPEG", "PPM", "BMP", "PCX", "SGI", "TGA", "DDS", "QOI", "MPO")


def seeds() -> list[bytes]:
    picture = Image.effect_noise((20, 14), 90).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6
    transparent = picture.convert("RGBA")
    transparent.putalpha(Image.linear_gradient("L").resize(picture.size))
    palette = picture.quantize(8)
    deep = picture.convert("I;16")
    frames = {"save_all": True, "append_images": [picture.rotate(90)]}
    return [
        *(_saved(picture, format) for format in WITHOUT_ALPHA),
        *(_saved(transparent, format) for format in ("PNG", "WEBP", "TIFF", "ICO", "AVIF", "JPEG2000")),
        *(_saved(palette, format) for format in ("PNG", "GIF", "TIFF")),
        *(_saved(deep, format) for format in ("PNG", "TIFF", "JPEG2000", "PPM")),
        *(_saved(picture, format, **frames) for format in ("GIF", "WEBP", "TIFF", "PNG", "AVIF")),
        *(_saved(picture, format, exif=exif) for format in ("JPEG", "PNG", "WEBP", "TIFF")),
        *(_saved(picture, "TIFF", compression=each) for each in ("tiff_lzw", "jpeg", "tiff_adobe_deflate")),
        *(_saved(picture.convert("1"), "TIFF", compression=each) for each in ("group3", "group4")),
        *(_saved_heic(each) for each in (picture, transparent)),
        _saved(picture, "JPEG", progressive=True),
        _saved(picture.convert("CMYK"), "JPEG"),
        _saved(picture.convert("1"), "XBM"),
        _saved(picture.convert("F"), "TIFF"),
        _icns(_saved(transparent, "PNG")),
        b"P3 2 1 255 0 0 0 9 9 9\n",
        b"P1 3 2 0 1 0\n1 1 1\n",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n",
    ]


def read(content: bytes) -> None:
    with PictureLimits() as limits, expecting_errors(), limits.reading(content, "x"):
        picture = open_picture(content, "x", least_side=480)
        assert picture.mode in ("L", "RGB")


def _saved(picture: Image.Image, format: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()


def _saved_heic(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    pillow_heif.from_pillow(picture).save(file, tile_size=16)
    return file.getvalue()


def _icns(png: bytes) -> bytes:
    element = b"icp4" + (8 + len(png)).to_bytes(4) + png
    return b"icns" + (8 + len(element)).to_bytes(4) + element
