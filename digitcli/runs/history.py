"""How a training went, epoch by epoch, and the history.csv that keeps it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from digitcli.errors import ModelError


@dataclass(frozen=True)
class EpochReport:
    """One finished epoch, a row of history.csv. Without a validation split its figures are None.

    member: which network of an ensemble, from 1. epoch: from 1. loss, val_loss: nats.
    lr: the learning rate at its start. seconds: with its validation.
    """

    member: int
    epoch: int
    loss: float
    accuracy: float
    val_loss: float | None
    val_accuracy: float | None
    lr: float
    seconds: float


def write(history: Sequence[EpochReport], path: Path) -> None:
    """Writes one row per epoch, under a header."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [column.name for column in fields(EpochReport)])
        writer.writeheader()
        writer.writerows(asdict(report) for report in history)


def read(path: Path) -> tuple[EpochReport, ...]:
    """What `write` wrote. Raises ModelError if the file is absent or damaged."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return tuple(_report(row) for row in csv.DictReader(file))
    except (OSError, KeyError, TypeError, ValueError, csv.Error) as error:
        raise ModelError(f"{path} is not the history of a run: {error}.") from error


def _report(row: dict[str, str]) -> EpochReport:
    def optional(name: str) -> float | None:
        return float(row[name]) if row[name] else None

    return EpochReport(
        member=int(row["member"]),
        epoch=int(row["epoch"]),
        loss=float(row["loss"]),
        accuracy=float(row["accuracy"]),
        val_loss=optional("val_loss"),
        val_accuracy=optional("val_accuracy"),
        lr=float(row["lr"]),
        seconds=float(row["seconds"]),
    )
