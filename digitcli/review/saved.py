"""Keeps what the network saw of each digit, with its guess, for `review` to correct."""

from __future__ import annotations

import csv
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digitcli.data import reviewed
from digitcli.errors import OutputError
from digitcli.system.files import require_replaceable

if TYPE_CHECKING:
    from digitcli.reading.prediction import Prediction


class SavedDigits:
    """A folder of digits that grows: pictures of 28x28, and a row for each in digits.csv.

    folder: made if it is absent; to what an earlier run kept there is added.
    Raises OutputError if it holds other things, or cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        require_replaceable(folder, reviewed.DIGITS)
        self._folder = folder
        self._table = folder / reviewed.DIGITS
        self._count = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if self._table.exists():
                self._count = sum(1 for _ in reviewed.rows(self._table, reviewed.COLUMNS))
            else:
                self._table.write_text(",".join(reviewed.COLUMNS) + "\n", encoding="utf-8")
        except OSError as error:
            raise OutputError(f"Cannot write {folder}: {error.strerror}.") from error

    def keeping(self, predictions: Iterable[Prediction]) -> Generator[Prediction, None, None]:
        """The same predictions; each is kept before it is passed on. Raises OutputError if that fails."""
        with self._errors(), self._table.open("a", newline="", encoding="utf-8") as file:
            rows = csv.writer(file, lineterminator="\n")
            for prediction in predictions:
                for pixels, guess, confidence in _digits(prediction):
                    self._count += 1
                    name = f"{self._count:06}.png"
                    Image.fromarray(pixels).save(self._folder / name)
                    picture = prediction.path.encode("utf-8", "replace").decode()
                    rows.writerow([name, picture, guess, f"{confidence:.4f}"])
                yield prediction

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutputError(f"Cannot write {self._folder}: {error.strerror}.") from error


def _digits(prediction: Prediction) -> Iterator[tuple[NDArray[np.uint8], int, float]]:
    """What the network saw of each digit of a picture, the digit it took it for, and how surely."""
    if prediction.image is not None and prediction.probabilities:
        ((digit, confidence),) = prediction.likeliest(1)
        yield prediction.image, digit, confidence
    for line in prediction.lines:
        yield from ((each.pixels, each.digit, each.confidence) for each in line)
