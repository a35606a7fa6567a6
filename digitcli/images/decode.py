"""Any picture file, upright, opaque and in 8 bits."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from digitcli.errors import ImageError, reason
from digitcli.images import tiff
from digitcli.images.paper import quantile
from digitcli.system import limits

MAX_SIDE = 65_535
"""Pixels; a JPEG has no more. Decoders hold whole rows besides the picture."""

MAX_SIZE = 64 * 2**20
"""Bytes of one picture that comes through a pipe, or out of an archive, and so is held in memory."""

# Bytes that a pixel takes while it is decoded and turned; other modes are copied on their way to RGB.
_BYTES = {"1": 3, "L": 3, "RGB": 9}
_BYTES_WITH_COPIES = 16
# Some decoders take more (as measured with noise), since they hold all planes, or several frames.
_BYTES_OF_FORMAT = {"WEBP": 24, "AVIF": 24, "JPEG2000": 26, "HEIF": 12}
_BYTES_OF_PROGRESSIVE_JPEG = 6  # for what is sent in several scans, until the last one has come

# Bytes of a file that are decoded in a second (slowest measured), where one call decodes all of it, which
# nothing can interrupt.
_BYTES_A_SECOND = {
    "WEBP": 6 * 10**6,
    "AVIF": 4 * 10**6,
    "JPEG2000": 4 * 10**6,
    "ICNS": 4 * 10**6,
    "HEIF": 4 * 10**6,
}

_HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
"""Brands of ISO/IEC 23008-12, "HEIF", after the size and the name of a file's first box."""

_PROGRAMS = ("EPS", "WMF")  # are drawn by another program, which does what the picture says

_ORIENTATION = 0x0112  # EXIF's tag for how the camera was held
_INTERRUPTIBLE = 4096  # bytes of a progressive JPEG decoded at a time, which may hold many scans
_FULL_SCALES = (1, 255, 1023, 4095, 65535, 2**32 - 1)  # the white of 1, 8, 10, 12, 16 and 32 bits
_LARGE = 2048  # pixels on the longer side; what is transparent is reduced towards it, to be copied for less
_TWO_TONED = 96  # of 255: a stroke's own brightness varies less, a page with writing on it more


def open_picture(
    source: str | Path | bytes,
    name: str | None = None,
    *,
    page: int | None = None,
    least_side: int | None = None,
    seconds: float = limits.SECONDS,
) -> Image.Image:
    """The picture as a person would see it, in mode L or RGB; of an animation, the first frame.

    source: a file, or the bytes of one; in any format that Pillow reads, or HEIC, as iPhones write it.
    name: what to call it in messages; the path unless given.
    page: which frame of a TIFF, counted from 0.
    least_side: pixels on the longer side that are enough. A larger JPEG is then decoded at the eighth,
        quarter or half of its size that still has them, which costs less than half the time; a larger HEIC
        is reduced, which spares memory.
    seconds: in which decoders must be done that nothing can interrupt. To hold the others to it, and all of
        them to their memory whatever the file says, call this within `PictureLimits.reading`; which also
        keeps Pillow from warning about odd metadata.
    Raises ImageError if it is not there, not a picture, damaged, a program, or would take more than that or
        than limits.MEMORY.
    """
    name = name or ("The picture" if isinstance(source, bytes) else str(source))
    with _opened(source, name) as file:
        try:
            with _pillow_image(file, name) as image:
                if image.format in _PROGRAMS:
                    raise ImageError(
                        f"{name} is a program that draws ({image.format}), and is not run. Save it as PNG."
                    )
                if image.format == "TIFF":
                    _turn_to(image, page, file, name)
                _require_size(image, name, least_side)
                _require_quick(image, file, name, seconds)
                if image.info.get("progressive"):
                    image.decodermaxblock = _INTERRUPTIBLE
                image.load()
                if image.format == "HEIF" and least_side:  # which a whole photo is far more than
                    return _opaque_8_bit(_upright(image.reduce(_scale(image, least_side))))
                return _opaque_8_bit(_upright(image))
        except UnidentifiedImageError:
            raise ImageError(f"{name} is not a picture, or in a format that Pillow does not read.") from None
        except Image.DecompressionBombError:
            pixels = 2 * (Image.MAX_IMAGE_PIXELS or 0)  # a warning up to there
            raise ImageError(
                f"{name} is too large: more than {pixels} pixels. Make it smaller first."
            ) from None
        except MemoryError:
            raise ImageError(f"{name} {limits.TOO_MUCH_MEMORY}. Make it smaller first.") from None
        except ImageError:
            raise
        except Exception as error:  # decoders of damaged files raise whatever their parsing tripped over
            raise ImageError(f"{name} is damaged and cannot be decoded: {reason(error)}.") from error


def _pillow_image(file: BinaryIO, name: str) -> ImageFile.ImageFile:
    try:
        return Image.open(file)
    except UnidentifiedImageError:
        file.seek(0)
        head = file.read(12)
        if head[4:8] != b"ftyp" or head[8:] not in _HEIC:
            raise
    try:
        import pillow_heif  # which only the first such picture pays for
    except ImportError:
        raise ImageError(
            f"{name} is in HEIC, as iPhones write it. Install what reads that with:"
            " pip install 'digitcli[heic]'; or save it as JPEG."
        ) from None
    # One thread, since there may be as many processes as cores.
    pillow_heif.register_heif_opener(decode_threads=1, thumbnails=False, aux_images=False, depth_images=False)
    file.seek(0)
    try:
        return Image.open(file)
    except UnidentifiedImageError:
        raise ImageError(f"{name} is damaged and cannot be decoded: a HEIC without a picture.") from None


def _turn_to(image: Image.Image, page: int | None, file: BinaryIO, name: str) -> None:
    """Raises ImageError where there are several pages and none is named: no page is left out unsaid."""
    if page is None:
        file.seek(0)
        frames, _ = tiff.pages(file)
        if len(frames) > 1:
            raise ImageError(f"{name} has {len(frames)} pages. Call it .tif, and each of them is read.")
        page = frames[0] if frames else 0
    image.seek(page)


def read_piped(file: BinaryIO, name: str) -> bytes:
    """The rest of a file that cannot be read twice. Raises ImageError if that is more than MAX_SIZE."""
    content = file.read(MAX_SIZE + 1)
    if len(content) > MAX_SIZE:
        raise ImageError(f"{name} is too large for a pipe: more than {MAX_SIZE} bytes. Save it to a file.")
    return content


@contextmanager
def _opened(source: str | Path | bytes, name: str) -> Iterator[BinaryIO]:
    # A file stays on the disk, of which a decoder of JPEG, PNG or GIF reads no more than the first frame.
    try:
        file: BinaryIO = io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb")  # noqa: SIM115
    except FileNotFoundError:
        raise ImageError(f"{name}: no such file.") from None
    except IsADirectoryError:
        raise ImageError(f"{name} is a folder, not a picture.") from None
    except ValueError as error:  # a NUL in the name
        raise ImageError(f"{name} cannot be read: {error}.") from None
    except OSError as error:
        raise _unreadable(name, error) from None
    with file:
        try:
            if not file.seekable():  # a pipe
                file = io.BytesIO(read_piped(file, name))
            empty = not file.read(1)
            file.seek(0)
        except OSError as error:
            raise _unreadable(name, error) from None
        if empty:
            raise ImageError(f"{name} is empty (0 bytes).")
        yield file


def _unreadable(name: str, error: OSError) -> ImageError:
    return ImageError(f"{name} cannot be read: {error.strerror}.")


def _require_size(image: Image.Image, name: str, least_side: int | None) -> None:
    """Also asks a JPEG for the smallest scale that is enough, since that takes less."""
    if max(image.size) > MAX_SIDE:
        raise ImageError(
            f"{name} is too large: {image.width}x{image.height} pixels, more than {MAX_SIDE} on a side."
            " Cut it first."
        )
    size = image.size
    needed = math.prod(size) * _BYTES_OF_PROGRESSIVE_JPEG if image.info.get("progressive") else 0
    scale = _scale(image, least_side)
    if scale > 1:
        image.draft(None, (max(1, image.width // scale), max(1, image.height // scale)))
    each = max(_BYTES.get(image.mode, _BYTES_WITH_COPIES), _BYTES_OF_FORMAT.get(image.format or "", 0))
    needed += math.prod(image.size) * each
    if needed > limits.MEMORY:
        raise ImageError(
            f"{name} is too large: {size[0]}x{size[1]} pixels would take {needed // 10**6} MB,"
            f" more than {limits.MEMORY // 10**6}. Make it smaller first."
        )


def _scale(image: Image.Image, least_side: int | None) -> int:
    """How many times smaller a picture may be."""
    return max(1, max(image.size) // (least_side or max(image.size)))


def _require_quick(image: Image.Image, file: BinaryIO, name: str, seconds: float) -> None:
    if rate := _BYTES_A_SECOND.get(image.format or ""):
        here = file.tell()
        size = file.seek(0, io.SEEK_END)
        file.seek(here)
        if size > rate * seconds:
            raise ImageError(limits.overtime(name, seconds))


def _upright(image: Image.Image) -> Image.Image:
    # Without any metadata, which is quickly told, there is no EXIF.
    if not image.info or image.getexif().get(_ORIENTATION, 1) == 1:
        return image
    from PIL import ImageOps

    return ImageOps.exif_transpose(image)


def _opaque_8_bit(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        return _scaled_to_8_bit(image)
    if image.has_transparency_data:
        return _over_likelier_background(_in_mode("RGBA", image))
    # 1 and L hold grey values only; everything else may hold colour.
    return _in_mode("L" if image.mode in ("1", "L") else "RGB", image)


def _in_mode(mode: str, image: Image.Image) -> Image.Image:
    # Image.convert would copy what is in that mode already.
    return image if image.mode == mode else image.convert(mode)


def _scaled_to_8_bit(image: Image.Image) -> Image.Image:
    # Pillow would clip at 255. White is the full scale of the fewest bits that hold the brightest pixel,
    # since cameras and scanners keep 10 or 12 bits in 16. In place, since such a picture may be large.
    pixels = np.array(image, dtype=np.float32)
    np.nan_to_num(pixels, copy=False)
    pixels.clip(0, _FULL_SCALES[-1], out=pixels)
    brightest = pixels.max()
    pixels *= 255 / next(scale for scale in _FULL_SCALES if brightest <= scale)
    return Image.fromarray(pixels.round(out=pixels).astype(np.uint8))


def _over_likelier_background(image: Image.Image) -> Image.Image:
    alpha = image.getchannel("A")
    if alpha.getextrema() == (255, 255):
        return image.convert("RGB")
    image = image.reduce(max(1, max(image.size) // _LARGE))
    alpha = image.getchannel("A")
    visible = np.asarray(alpha) >= 128
    if not visible.any():
        return Image.new("L", image.size)
    brightness = np.asarray(image.convert("L"))[visible]
    if quantile(brightness, 0.98) - quantile(brightness, 0.02) > _TWO_TONED:
        # Ink and paper are both there: what is transparent continues the paper.
        colour = tuple(quantile(np.asarray(image)[visible][:, :3], 0.5).astype(int).tolist())
    else:
        # Only strokes are there, so the background must be what they stand out from.
        colour = (255, 255, 255) if quantile(brightness, 0.5) < 128 else (0, 0, 0)
    background = Image.new("RGBA", image.size, (*colour, 255))
    background.alpha_composite(image)
    return background.convert("RGB")
