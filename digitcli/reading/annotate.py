"""What was read, drawn on a copy of the picture it was read in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePath

from PIL import Image, ImageDraw, ImageFont

from digitcli.errors import OutputError, UsageError
from digitcli.sources.source import Source
from digitcli.system.files import atomic_path

LONGEST_SIDE = 2000
"""Pixels of a copy, at most: a photo would take seconds to pack and many megabytes."""

SHORTEST_SIDE = 320
"""Pixels of a copy's longer side, at least, so that there is room for what is written on it."""

_SURE = (0, 90, 200)
_UNSURE = (200, 60, 0)
_HALO = (255, 255, 255)  # around the frames, which so stand out from any ground


@dataclass(frozen=True)
class Mark:
    """What is drawn around one digit.

    text: what to write beside the frame, a word or less. box: left, top, width, height in pixels.
    sure: whether to draw it in blue; else it is orange.
    """

    text: str
    box: tuple[int, int, int, int]
    sure: bool = True


def annotated(image: Image.Image, marks: Sequence[Mark]) -> Image.Image:
    """A copy of the picture with a frame around each digit, and beside it what was read.

    It is in RGB, and reduced or enlarged by a whole number to between SHORTEST_SIDE and LONGEST_SIDE.
    """
    shrunk = max(1, -(-max(image.size) // LONGEST_SIDE))
    grown = max(1, SHORTEST_SIDE // max(image.size))
    copy = image.convert("RGB").reduce(shrunk)
    copy = copy.resize((copy.width * grown, copy.height * grown), Image.Resampling.NEAREST)
    draw = ImageDraw.Draw(copy)
    thickness = max(2, max(copy.size) // 500)
    tallest = max((mark.box[3] for mark in marks), default=0) * grown / shrunk
    font = ImageFont.load_default(min(max(0.25 * tallest, 16), max(copy.size) / 15))
    for mark in marks:
        left, top, width, height = (round(each * grown / shrunk) for each in mark.box)
        colour = _SURE if mark.sure else _UNSURE
        frame = _around((left, top, left + width - 1, top + height - 1), 2 * thickness)
        draw.rectangle(_around(frame, thickness // 2), outline=_HALO, width=2 * thickness)
        draw.rectangle(frame, outline=colour, width=thickness)
        _write(draw, mark.text, frame, font, colour, copy.size)
    return copy


def save_annotated(image: Image.Image, marks: Sequence[Mark], path: Path) -> None:
    """Writes `annotated` to a file, over what is there; its suffix tells the format.

    Raises OutputError if it cannot be written.
    """
    format = known_format(path)
    with atomic_path(path) as temporary:
        annotated(image, marks).save(temporary, format)


def annotatable(sources: Iterator[Source], where: Path, *, force: bool) -> Iterator[Source]:
    """The same sources, if a copy of each can be put to `where`: a folder, or for one picture a file.

    force: write over what is there. Raises OutputError if something is, UsageError if they cannot.
    """
    if not force and where.exists() and not (where.is_dir() and not any(where.iterdir())):
        raise OutputError(f"{where} exists already. Choose another name, or write over it with --force.")
    if is_folder(where):
        return sources
    known_format(where)
    first = list(islice(sources, 2))
    if len(first) > 1:
        raise UsageError(f"--annotate {where} takes one picture, and there are several. Name a folder.")
    return iter(first)


def known_format(path: Path) -> str:
    """What Pillow calls the format of a picture with that suffix. Raises UsageError if there is none."""
    formats = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
    if path.suffix.lower() not in formats:
        raise UsageError(f"Pictures are not written as '{path.suffix}'. Known are {', '.join(formats)}.")
    return formats[path.suffix.lower()]


def is_folder(where: Path) -> bool:
    """Whether that is the name of a folder for copies, and not that of a picture: it has no suffix."""
    return where.is_dir() or not where.suffix


def place(where: Path, name: str) -> Path:
    """The file for the copy of a picture: `where` itself, or in that folder, under the picture's own path.

    In a folder copies are PNGs. None gets outside of it, whatever the name is: those in archives may hold
    anything.
    """
    if not is_folder(where):
        return where
    path = PurePath(name)
    parts = [part.replace(":", "_") for part in path.parts if part not in ("..", path.anchor)]
    inside = where.joinpath(*parts) if parts and name != "-" else where / "stdin"
    return inside if inside.suffix.lower() == ".png" else inside.with_name(f"{inside.name}.png")


def _around(box: tuple[int, int, int, int], room: int) -> tuple[int, int, int, int]:
    left, top, right, bottom = box
    return left - room, top - room, right + room, bottom + room


def _write(
    draw: ImageDraw.ImageDraw,
    text: str,
    frame: tuple[int, int, int, int],
    font: ImageFont.ImageFont | ImageFont.FreeTypeFont,
    colour: tuple[int, int, int],
    size: tuple[int, int],
) -> None:
    """A label on the frame's upper edge, under its lower one, or else within, wherever there is room."""
    _, _, width, height = (round(each) for each in draw.textbbox((0, 0), text, font))
    room = height // 5
    width, height = width + 2 * room, height + 2 * room
    left = max(0, min(frame[0], size[0] - width))
    places = (frame[1] - height, frame[3], max(0, frame[1]))
    top = next((top for top in places[:2] if 0 <= top <= size[1] - height), places[2])
    draw.rectangle((left, top, left + width, top + height), fill=colour)
    draw.text((left + room, top + room), text, _HALO, font)
