"""Files made to cost whoever reads them far more than their size: here to see that they do not."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image


def png(width: int, height: int, colour: int, row: bytes, extra: bytes = b"") -> bytes:
    """Of equal rows, each with its filter's byte. colour: 0 grey, 2 RGB, 6 RGBA. extra: more chunks."""
    packer = zlib.compressobj(1)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    chunks = [png_chunk(b"IHDR", header), extra, png_chunk(b"IDAT", data), png_chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def icon(side: int) -> bytes:
    """An icon that says it has 16x16 pixels, but holds a PNG of side x side."""
    content = png(side, side, 6, b"\0" * (4 * side + 1))
    return struct.pack("<HHHBBBBHHII", 0, 1, 1, 16, 16, 0, 0, 1, 32, len(content), 22) + content


def tiff(entries: dict[int, tuple[int, int, int]], content: bytes) -> bytes:
    """With one directory, of tag: (type, count, value), and `content` behind it, of which -1 is the place."""
    place = 8 + 2 + 12 * len(entries) + 4
    packed = b"".join(
        struct.pack("<HHII", tag, kind, count, place if value == -1 else value)
        for tag, (kind, count, value) in sorted(entries.items())
    )
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + packed + bytes(4) + content


def tiled(side: int) -> bytes:
    """A TIFF of 16x16 in one tile of side x side, deflated."""
    packer = zlib.compressobj(1)
    data = b"".join(packer.compress(bytes(side)) for _ in range(side)) + packer.flush()
    image = {256: (3, 1, 16), 257: (3, 1, 16), 258: (3, 1, 8), 259: (3, 1, 8), 262: (3, 1, 1), 277: (3, 1, 1)}
    tile = {322: (4, 1, side), 323: (4, 1, side), 324: (4, 1, -1), 325: (4, 1, len(data))}
    return tiff(image | tile, data)


def exif_of_copies(count: int = 20_000, size: int = 500_000) -> bytes:
    """A PNG with EXIF of many tags, each of which is the whole rest of it."""
    entries = {1000 + index: (7, size, -1) for index in range(count)}
    return png(20, 20, 2, b"\0" + b"\xff" * 60, png_chunk(b"eXIf", tiff(entries, bytes(size))))


def jpeg_of_scans(side: int, scans: int) -> bytes:
    """A progressive JPEG, grey, in which each scan says in a few bytes that all blocks stay as they are."""
    blocks = (side // 8) ** 2
    runs, rest = divmod(blocks, 32767)
    first = _bits("0" * blocks)
    again = _bits(("0" + "1" * 14) * runs + ("0" + f"{rest - 16384:014b}" if rest >= 16384 else ""))
    frame = struct.pack(">BHHBBBB", 8, side, side, 1, 1, 0x11, 0)
    one_code = bytes([1] + [0] * 15)
    return (
        b"\xff\xd8"
        + _segment(0xDB, b"\0" + b"\1" * 64)
        + _segment(0xC2, frame)
        + _segment(0xC4, b"\0" + one_code + b"\0")  # 0 is: no difference
        + _segment(0xC4, b"\x10" + one_code + b"\xe0")  # 0 is: a run of so many blocks, in 14 bits
        + _segment(0xDA, bytes([1, 1, 0, 0, 0, 0]))
        + first
        + (_segment(0xDA, bytes([1, 1, 0, 1, 63, 0])) + again) * scans
        + b"\xff\xd9"
    )


def _segment(marker: int, data: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def _bits(text: str) -> bytes:
    text += "1" * (-len(text) % 8)
    packed = int(text, 2).to_bytes(len(text) // 8, "big") if text else b""
    return packed.replace(b"\xff", b"\xff\0")


def blank(format: str, size: tuple[int, int], **options: object) -> bytes:
    """An empty page."""
    file = io.BytesIO()
    Image.new("RGB", size, "white").save(file, format, **options)
    return file.getvalue()
