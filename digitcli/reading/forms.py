"""Forms: named fields of a picture, each read for itself, and what is known of it."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from digitcli.errors import UsageError
from digitcli.images.decode import open_picture
from digitcli.images.ink import Box
from digitcli.reading.expect import ANY, Expect
from digitcli.reading.likelihood import Probabilities, not_sure_enough
from digitcli.reading.numbers import read_numbers

if TYPE_CHECKING:
    from digitcli.images.registration import Blank

Length = tuple[float, bool]
"""A number of pixels or, true, of hundredths of the picture."""

_SURE = 0.99
"""Confidence below which a field is marked. What goes on into a table is seldom looked at again, so more is
marked than elsewhere: of 6,400 simulated fields 20 %, and 0.4 % are wrong unseen; by 0.8, 6 % and 1.3 %."""

_KNOWN = {"length", "range", "pattern", "check"}
_NAME = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True)
class Field:
    """A place on a form. box: left, top, width, height. expect: what is known of the number there."""

    name: str
    box: tuple[Length, Length, Length, Length]
    expect: Expect = ANY

    def on(self, size: tuple[int, int]) -> Box:
        """Left, top, right, bottom on a picture of that size (width, height), in pixels."""
        whole = (*size, *size)
        left, top, width, height = (
            each * of / 100 if relative else each
            for (each, relative), of in zip(self.box, whole, strict=True)
        )
        right, bottom = min(left + width, size[0]), min(top + height, size[1])
        return max(0, round(left)), max(0, round(top)), round(right), round(bottom)


@dataclass(frozen=True)
class Filled:
    """What was read in a field.

    text: the digits; None if there is none to tell. full: with the signs. confidence: that all of it is
    right, 0-1. reason: why there is no text.
    """

    name: str
    text: str | None = None
    full: str | None = None
    confidence: float = 0.0
    reason: str | None = None

    @property
    def uncertain(self) -> bool:
        """Whether there is a text, but it should be looked at."""
        return self.text is not None and self.confidence < _SURE


@dataclass(frozen=True)
class Form:
    """Fields, and the picture of the blank that sheets are laid on; without one they are read as they are."""

    fields: tuple[Field, ...]
    blank: Path | None = None

    def __post_init__(self) -> None:
        """Raises UsageError if two fields have one name."""
        names = [field.name for field in self.fields]
        if twice := [name for name in names if names.count(name) > 1]:
            raise UsageError(f"Two fields are called '{twice[0]}'.")


def read_form(path: Path) -> Form:
    """The form that a TOML file describes: `blank`, and for each `[[field]]` its name, box, length, range …

    Raises UsageError, which names the line, for what makes no sense.
    """
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} cannot be read as a form: {error}.") from None
    starts = [number for number, line in enumerate(text.splitlines(), 1) if line.strip() == "[[field]]"]
    for key in table.keys() - {"blank", "field"}:
        raise UsageError(f"{path}: a form has no '{key}', only blank and [[field]].")
    fields = table.get("field", [])
    if not isinstance(fields, list) or not fields:
        raise UsageError(f"{path} has no [[field]].")
    read = []
    for index, each in enumerate(fields):
        line = starts[index] if index < len(starts) else 0
        try:
            read.append(_field(each))
        except UsageError as error:
            raise UsageError(f"{path}, the field at line {line}: {error}") from None
    blank = table.get("blank")
    if blank is not None and not (path.parent / str(blank)).is_file():
        raise UsageError(f"{path}: there is no blank at {path.parent / str(blank)}.")
    return Form(tuple(read), None if blank is None else path.parent / str(blank))


def region(text: str, expect: Expect = ANY) -> Field:
    """The field that `[NAME=]X,Y,W,H` says, in pixels or, with %, per cent; `text` without a name."""
    name, _, box = text.rpartition("=")
    return _field({"name": name or "text", "box": box.split(",")}, expect)


def read_fields(
    image: Image.Image, form: Form, probabilities: Probabilities, min_confidence: float = 0.0
) -> tuple[Filled, ...] | None:
    """What stands in each field of a sheet, mode L or RGB; None if it cannot be laid on the form's blank.

    min_confidence: below it, 0-1, a field has no text.
    """
    size = image.size
    part: Callable[[Box], Image.Image] = image.crop
    blank = blank_of(form)
    if blank:
        laid = blank.laid(image)
        if laid is None:
            return None
        size, part = blank.size, laid.without_print
    return tuple(_read(part, field.on(size), field, probabilities, min_confidence) for field in form.fields)


@cache
def blank_of(form: Form) -> Blank | None:
    """Its blank, ready to lay sheets on. Raises ImageError if it cannot be read."""
    if form.blank is None:
        return None
    from digitcli.images.registration import Blank

    return Blank(open_picture(form.blank))


def _read(
    part: Callable[[Box], Image.Image],
    box: Box,
    field: Field,
    probabilities: Probabilities,
    min_confidence: float,
) -> Filled:
    """What stands in a field, in the part of the sheet within its box: left, top, right, bottom."""
    left, top, right, bottom = box
    if right - left < 4 or bottom - top < 4:
        return Filled(field.name, reason="outside the picture")
    numbers = read_numbers(part(box), probabilities, field.expect)
    if not numbers:
        return Filled(field.name, reason="no digits")
    confidence = math.prod(number.confidence for number in numbers)
    if field.expect and not confidence:
        return Filled(field.name, reason=f"nothing fits {field.expect}")
    text = "\n".join(number.text for number in numbers)
    if confidence < min_confidence:
        return Filled(field.name, confidence=confidence, reason=not_sure_enough(text, confidence))
    return Filled(field.name, text, "\n".join(number.full for number in numbers), confidence)


def _field(table: Any, expect: Expect = ANY) -> Field:
    if not isinstance(table, Mapping):
        raise UsageError("a field is a table.")
    if unknown := table.keys() - {"name", "box"} - _KNOWN:
        raise UsageError(f"a field has no '{min(unknown)}', only name, box, {', '.join(sorted(_KNOWN))}.")
    name = table.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UsageError(f"a field's name is a word of letters, digits and _, not '{name}'.")
    box = table.get("box")
    if not isinstance(box, list) or len(box) != 4:
        raise UsageError(f"the box of '{name}' is left, top, width and height, not {box}.")
    known = {
        key: _pair(value) if key in ("length", "range") else value
        for key, value in table.items()
        if key in _KNOWN
    }
    left, top, width, height = (_length(each, name) for each in box)
    if min(left[0], top[0]) < 0 or min(width[0], height[0]) <= 0:
        raise UsageError(f"the box of '{name}' is empty or begins outside of the picture.")
    return Field(name, (left, top, width, height), Expect(**known) if known else expect)


def _pair(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _length(value: Any, name: str) -> Length:
    text = str(value).strip()
    try:
        return float(text.removesuffix("%")), text.endswith("%")
    except ValueError:
        raise UsageError(
            f"the box of '{name}' has '{value}', which is neither pixels nor per cent."
        ) from None
