"""Any picture file, upright, opaque and in 8 bits."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from digitcli.errors import ImageError

_ORIENTATION = 0x0112  # EXIF's tag for how the camera was held
_FULL_SCALES = (1, 255, 1023, 4095, 65535, 2**32 - 1)  # the white of 1, 8, 10, 12, 16 and 32 bits
_TWO_TONED = 96  # of 255: a stroke's own brightness varies less, a page with writing on it more


def open_picture(source: Path | bytes, name: str | None = None) -> Image.Image:
    """The picture as a person would see it, in mode L or RGB; of an animation, the first frame.

    source: a file, or the bytes of one; in any format that Pillow reads.
    name: what to call it in messages; the path unless given.
    Raises ImageError if it is not there, not a picture, damaged, or larger than Pillow deems safe.
    """
    name = name or (str(source) if isinstance(source, Path) else "The picture")
    data = _read(source, name) if isinstance(source, Path) else source
    if not data:
        raise ImageError(f"{name} is empty (0 bytes).")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about odd metadata, which changes no pixel
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(io.BytesIO(data)) as image:
                image.load()
                return _opaque_8_bit(_upright(image))
        except UnidentifiedImageError:
            raise ImageError(f"{name} is not a picture, or in a format that Pillow does not read.") from None
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            raise ImageError(
                f"{name} is too large: more than {Image.MAX_IMAGE_PIXELS} pixels. Make it smaller first."
            ) from None
        except Exception as error:  # decoders of damaged files raise whatever their parsing tripped over
            raise ImageError(
                f"{name} is damaged and cannot be decoded: {error or type(error).__name__}."
            ) from error


def _read(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ImageError(f"{name}: no such file.") from None
    except IsADirectoryError:
        raise ImageError(f"{name} is a folder, not a picture.") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) else error
        raise ImageError(f"{name} cannot be read: {reason}.") from None


def _upright(image: Image.Image) -> Image.Image:
    if image.getexif().get(_ORIENTATION, 1) == 1:
        return image
    from PIL import ImageOps

    return ImageOps.exif_transpose(image)


def _opaque_8_bit(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        return _scaled_to_8_bit(image)
    if image.has_transparency_data:
        return _over_likelier_background(image.convert("RGBA"))
    # 1 and L hold grey values only; everything else may hold colour.
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def _scaled_to_8_bit(image: Image.Image) -> Image.Image:
    # Pillow would clip at 255. White is the full scale of the fewest bits that hold the brightest pixel,
    # since cameras and scanners keep 10 or 12 bits in 16.
    pixels = np.nan_to_num(np.asarray(image, dtype=np.float64)).clip(0, _FULL_SCALES[-1])
    brightest = pixels.max()
    full_scale = next(scale for scale in _FULL_SCALES if brightest <= scale)
    return Image.fromarray((pixels * (255 / full_scale)).round().astype(np.uint8))


def _over_likelier_background(image: Image.Image) -> Image.Image:
    alpha = image.getchannel("A")
    if alpha.getextrema() == (255, 255):
        return image.convert("RGB")
    visible = np.asarray(alpha) >= 128
    if not visible.any():
        return Image.new("L", image.size)
    brightness = np.asarray(image.convert("L"))[visible]
    if np.ptp(np.percentile(brightness, (2, 98))) > _TWO_TONED:
        # Ink and paper are both there: what is transparent continues the paper.
        colour = tuple(np.median(np.asarray(image)[visible][:, :3], axis=0).astype(int).tolist())
    else:
        # Only strokes are there, so the background must be what they stand out from.
        colour = (255, 255, 255) if np.median(brightness) < 128 else (0, 0, 0)
    background = Image.new("RGBA", image.size, (*colour, 255))
    background.alpha_composite(image)
    return background.convert("RGB")
