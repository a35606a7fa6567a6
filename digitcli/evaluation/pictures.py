"""How well labelled pictures are read, through the whole of predict: found, read, marked or refused."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import numpy as np

from digitcli.errors import DataError
from digitcli.evaluation.comparison import Comparison, mcnemar
from digitcli.evaluation.metrics import wilson_interval
from digitcli.reading.prediction import Classifier, Mode, Prediction, predict
from digitcli.sources.expand import read_found
from digitcli.sources.source import Source
from digitcli.system.progress import Progress

COVERAGES = (1.0, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5)
"""Shares of the answers, the surest ones, of which the errors are told."""


@dataclass(frozen=True)
class Labelled:
    """A picture and what it holds.

    file: where it is, or the archive that it is in. name: as predict calls it. text: its digits; none if it
    has none. groups: what else its row says, by column.
    """

    file: str
    name: str
    text: str
    groups: dict[str, str]


@dataclass(frozen=True)
class Scored:
    """A picture with what was read in it."""

    labelled: Labelled
    prediction: Prediction

    @property
    def read(self) -> str:
        """The digits that were read, without lines and signs."""
        return digits_of(self.prediction.text or "")

    @property
    def right(self) -> bool:
        """Whether all of it is right; of a picture without a digit, whether it got none."""
        return self.read == self.labelled.text and self.prediction.error is None

    @property
    def silently_wrong(self) -> bool:
        """Whether it got a wrong answer that is not marked."""
        return not self.right and bool(self.read) and not self.prediction.uncertain


@dataclass(frozen=True)
class Summary:
    """The figures of some pictures.

    right: the share read right; interval: its 95 % confidence interval. silently_wrong: the share that got a
    wrong answer without a mark. no_answer: the share that holds digits and got none. digit_errors: digits
    taken for others, missed or invented, by digit that is there; None if there is none.
    """

    pictures: int
    right: float
    interval: tuple[float, float]
    silently_wrong: float
    no_answer: float
    digit_errors: float | None

    @classmethod
    def of(cls, scored: Sequence[Scored]) -> Summary:
        """Those of some pictures, one at least."""
        count, right = len(scored), sum(each.right for each in scored)
        there = sum(len(each.labelled.text) for each in scored)
        errors = sum(distance(each.labelled.text, each.read) for each in scored if each.labelled.text)
        return cls(
            pictures=count,
            right=right / count,
            interval=wilson_interval(right, count),
            silently_wrong=sum(each.silently_wrong for each in scored) / count,
            no_answer=sum(bool(each.labelled.text) and not each.read for each in scored) / count,
            digit_errors=errors / there if there else None,
        )


@dataclass(frozen=True)
class PictureScores:
    """How well pictures were read.

    all: the figures of all of them. groups: by column and what stands in it, in the order of the file.
    risks: by share of the answers, the surest first, how many of these are wrong. scored: each picture.
    unreadable: pictures with an error.
    """

    all: Summary
    groups: dict[str, dict[str, Summary]]
    risks: dict[float, float]
    unreadable: int
    scored: tuple[Scored, ...] = field(repr=False)


def read_labels(path: Path) -> list[Labelled]:
    """The rows of a CSV file with a header, in their order.

    Its columns are `path`, relative to it, or `archive` and `member`; `text`, of which the digits count; and
    any others, to group by. Raises DataError if it is not there, or not such a file.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as CSV: {error}.") from None
    columns = set(rows[0]) if rows else set()
    where = ["archive", "member"] if {"archive", "member"} <= columns else ["path"]
    if missing := [name for name in (*where, "text") if name not in columns]:
        raise DataError(
            f"{path} has no column {' and no column '.join(missing)}. Its header must name path, or archive"
            " and member, and text."
        )
    return [_labelled(row, where, path) for row in rows]


def evaluate_pictures(
    classifier: Classifier,
    labelled: Sequence[Labelled],
    mode: Mode | None = None,
    on_progress: Progress = lambda done, total: None,
) -> PictureScores:
    """Reads every picture and compares.

    mode: as for `predict`. Without one, pictures whose label has several digits are read as by --many, since
    who has numbers knows it, and all others as predict finds out by itself.
    Raises DataError if there is no label, or a picture is not in its archive.
    """
    if not labelled:
        raise DataError("There is no labelled picture.")
    modes = [mode or ("many" if len(each.text) > 1 else "auto") for each in labelled]
    scored: dict[str, Scored] = {}
    for each in dict.fromkeys(modes):
        some = [one for one, its in zip(labelled, modes, strict=True) if its == each]
        by_name = {one.name: one for one in some}
        for prediction in predict(sources_of(some), classifier, mode=each):
            scored[prediction.path] = Scored(by_name[prediction.path], prediction)
            on_progress(len(scored), len(labelled))
    if missing := [each.name for each in labelled if each.name not in scored]:
        raise DataError(f"{missing[0]} is not in its archive, or has several pages.")
    every = tuple(scored[each.name] for each in labelled)
    return PictureScores(
        all=Summary.of(every),
        groups={
            column: _by(every, lambda one, column=column: one.labelled.groups[column])  # type: ignore[misc]
            for column in every[0].labelled.groups
        },
        risks=risks(every),
        unreadable=sum(each.prediction.error is not None for each in every),
        scored=every,
    )


def risks(scored: Iterable[Scored]) -> dict[float, float]:
    """By share of the answers, the surest first, how many of these are wrong; empty if there is none."""
    answers = sorted(
        (each for each in scored if each.read), key=lambda each: -(each.prediction.confidence or 0)
    )
    if not answers:
        return {}
    wrong = np.cumsum([not each.right for each in answers])
    counts = {share: max(1, round(share * len(answers))) for share in COVERAGES}
    return {share: float(wrong[count - 1] / count) for share, count in counts.items()}


def compare_pictures(first: PictureScores, second: PictureScores) -> Comparison:
    """McNemar's test of two models on the same pictures, each right as a whole or not."""
    pairs = [(one.right, other.right) for one, other in zip(first.scored, second.scored, strict=True)]
    return mcnemar(
        sum(one and not other for one, other in pairs), sum(other and not one for one, other in pairs)
    )


def distance(text: str, read: str) -> int:
    """Signs to change, leave out or put in to make the one of the other (Levenshtein 1966)."""
    row = list(range(len(read) + 1))
    for index, sign in enumerate(text, 1):
        before, row[0] = row[0], index
        for place, other in enumerate(read, 1):
            before, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, before + (sign != other))
    return row[-1]


def digits_of(text: str) -> str:
    """The digits of a text."""
    return "".join(each for each in text if each in "0123456789")


def _labelled(row: dict[str, str], where: Sequence[str], path: Path) -> Labelled:
    file = str(path.parent / row[where[0]])
    name = "/".join([file, *(row[column] for column in where[1:])])
    groups = {key: value for key, value in row.items() if key not in ("path", "member", "text")}
    return Labelled(file, name, digits_of(row["text"]), groups)


def sources_of(labelled: Sequence[Labelled]) -> Iterator[Source]:
    """The pictures, those of neighbouring rows that are in one archive in its order."""
    for file, some in groupby(labelled, lambda each: each.file):
        wanted = {each.name for each in some}
        yield from (source for source in read_found([file]) if source.name in wanted)


def _by(scored: Sequence[Scored], key: Callable[[Scored], str]) -> dict[str, Summary]:
    parts: dict[str, list[Scored]] = {}
    for each in scored:
        parts.setdefault(key(each), []).append(each)
    return {name: Summary.of(some) for name, some in parts.items()}
