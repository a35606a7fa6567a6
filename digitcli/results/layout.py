"""What `digitcli predict` tells of each result, in whatever format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from digitcli.reading.forms import Filled
    from digitcli.reading.prediction import Mode, Prediction

_KEYS: dict[Mode, tuple[str, ...]] = {
    "single": ("path", "digit", "confidence", "uncertain", "top", "reason", "error"),
    "many": ("path", "text", "full", "confidence", "uncertain", "digits", "reason", "error"),
    "auto": ("path", "digit", "text", "full", "confidence", "uncertain", "top", "digits", "reason", "error"),
}

_FORM_KEYS = ("path", "confidence", "uncertain", "fields", "reason", "error")


@dataclass(frozen=True)
class Layout:
    """What is written of each result: a row for eyes and CSV, an object for JSON and Parquet.

    top_k: how many of the likeliest digits, where one digit is read.
    signs: whether the text has the signs between its digits.
    fields: the names of a form's, of which each has a column for its text and one for its confidence.
    """

    mode: Mode
    top_k: int = 1
    signs: bool = False
    fields: tuple[str, ...] = ()

    @property
    def columns(self) -> list[str]:
        """The header of the rows."""
        if self.fields:
            pairs = ([name, f"{name}_confidence"] for name in self.fields)
            return ["path", *(column for pair in pairs for column in pair), "note"]
        what = "text" if self.mode == "many" else "digit"
        return ["path", what, "confidence", *(["top"] if self.top_k > 1 else []), "note"]

    def row(self, result: Prediction) -> list[str]:
        """Text; only a path may have newlines."""
        if self.fields:
            return [result.path, *self._cells(result), note(result)]
        confidence = "" if result.confidence is None else f"{result.confidence:.4f}"
        if self.top_k == 1:
            return [result.path, self.text(result).replace("\n", " "), confidence, self._note(result)]
        top = " ".join(f"{digit}:{probability:.4f}" for digit, probability in result.likeliest(self.top_k))
        return [result.path, self.text(result).replace("\n", " "), confidence, top, self._note(result)]

    def _cells(self, result: Prediction) -> list[str]:
        if not result.fields:  # since it could not be read
            return [""] * (2 * len(self.fields))
        pairs = (
            [((each.full if self.signs else each.text) or "").replace("\n", " "), f"{each.confidence:.4f}"]
            for each in result.fields
        )
        return [cell for pair in pairs for cell in pair]

    def text(self, result: Prediction) -> str:
        """What was read, lines on lines of their own."""
        return (result.full if self.signs else result.text) or ""

    def _note(self, result: Prediction) -> str:
        notes = [note(result)]
        if result.has_signs and not self.signs:
            notes.append(f"signs: {(result.full or '').replace(chr(10), ' ')}")
        return "; ".join(filter(None, notes))

    def as_dict(self, result: Prediction) -> dict[str, Any]:
        """As docs/schemas/predict.json has it."""
        everything = {
            "path": result.path,
            "digit": result.digit,
            "text": self.text(result) or None,
            "full": result.full,
            "confidence": result.confidence,
            "uncertain": result.uncertain,
            "top": [{"digit": digit, "probability": share} for digit, share in result.likeliest(self.top_k)],
            "digits": [
                {"digit": digit.digit, "confidence": digit.confidence, "box": list(digit.box)}
                for line in result.lines
                for digit in line
            ],
            "fields": {each.name: self._field(each) for each in result.fields},
            "reason": result.reason,
            "error": result.error,
        }
        return {key: everything[key] for key in self.keys}

    def _field(self, filled: Filled) -> dict[str, Any]:
        return {
            "text": filled.full if self.signs else filled.text,
            "full": filled.full,
            "confidence": filled.confidence,
            "uncertain": filled.uncertain,
            "reason": filled.reason,
        }

    @property
    def keys(self) -> tuple[str, ...]:
        """Those of the objects."""
        return _FORM_KEYS if self.fields else _KEYS[self.mode]

    def told(self, cells: Sequence[str]) -> tuple[str, bool]:
        """Of a row: the picture, and whether it could not be read. Raises ValueError if it is no such row."""
        from digitcli.reading.prediction import NO_INK, NONE_FOUND

        if len(cells) != len(self.columns):
            raise ValueError
        return cells[0], not cells[2] and cells[-1] not in (NO_INK, NONE_FOUND)


def note(result: Prediction) -> str:
    """What one should know of a result: why there is none, or that it is to be doubted."""
    if result.fields:
        doubtful = (each for each in result.fields if each.reason or each.uncertain)
        return "; ".join(f"{each.name}: {each.reason or 'uncertain'}" for each in doubtful)
    return result.error or result.reason or ("uncertain" if result.uncertain else "")
