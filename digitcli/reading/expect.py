"""What is known of a number before it is read: its length, its range, a pattern, a check digit."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Any

from digitcli.errors import UsageError

UNBOUNDED = 10**6
"""Digits of a number whose length is not known, at most."""


@dataclass(frozen=True)
class Expect:
    """What a number's digits, without signs, are known to be; what is None is not known.

    length: how many there are, or the least and the most. range: the least and the greatest value.
    pattern: a regular expression that all of them match. check: what they check out by: the name of one of
    python-stdnum's modules, as luhn, ean, isbn, imei or de.idnr, or iban:DE for an IBAN whose country is
    printed before its digits.
    Raises UsageError for what nothing can fit.
    """

    length: int | tuple[int, int] | None = None
    range: tuple[int, int] | None = None
    pattern: str | None = None
    check: str | None = None

    def __post_init__(self) -> None:
        """Finds mistakes before the first picture is read."""
        least, most = self.lengths
        if not 1 <= least <= most:
            raise UsageError(f"No number has a length of {self.length} digits.")
        if self.range and not 0 <= self.range[0] <= self.range[1]:
            raise UsageError(f"No number is in the range {self.range[0]}-{self.range[1]}.")
        try:
            re.compile(self.pattern or "")
        except re.error as error:
            raise UsageError(f"'{self.pattern}' is no regular expression: {error}.") from None
        _ = self._checks_out

    def __bool__(self) -> bool:
        """Whether anything is known."""
        return self != ANY

    @property
    def lengths(self) -> tuple[int, int]:
        """The fewest and the most digits."""
        if isinstance(self.length, int):
            return self.length, self.length
        return self.length or (1, UNBOUNDED)

    def fits(self, text: str) -> bool:
        """Whether a text of digits is such a number."""
        least, most = self.lengths
        return (
            least <= len(text) <= most
            and (not self.range or self.range[0] <= int(text) <= self.range[1])
            and (not self.pattern or re.fullmatch(self.pattern, text) is not None)
            and self._checks_out(text)
        )

    def __str__(self) -> str:
        """As on the command line."""
        lengths = sorted({*self.lengths})
        known = {
            "--length": self.length and "-".join(map(str, lengths)),
            "--range": self.range and "-".join(map(str, self.range)),
            "--pattern": self.pattern,
            "--check": self.check,
        }
        return " ".join(f"{option} {value}" for option, value in known.items() if value)

    @cached_property
    def _checks_out(self) -> Callable[[str], bool]:
        if not self.check:
            return lambda text: True
        name, _, country = self.check.partition(":")
        try:
            if not re.fullmatch(r"[a-z_]+(\.[a-z0-9_]+)?", name):
                raise ImportError
            valid: Callable[[str], Any] = import_module(f"stdnum.{name}").is_valid
        except (ImportError, AttributeError):
            raise UsageError(
                f"There is no check called '{self.check}'. Known are luhn, ean, isbn, imei, verhoeff, iban:DE"
                " and all else that python-stdnum has, as de.idnr."
            ) from None
        return lambda text: bool(valid(country + text))

    def __getstate__(self) -> dict[str, Any]:
        """Without what cannot be sent to another process."""
        return {name: value for name, value in vars(self).items() if name != "_checks_out"}


ANY = Expect()
"""Nothing is known."""
