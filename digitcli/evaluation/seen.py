"""Whether a model has seen before what it is scored on."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from digitcli import runs
from digitcli.data.digits import DataSet
from digitcli.errors import ModelError

Seen = Literal["these images", "this data set", "other data"]


def trained_on(run: Path, dataset: DataSet) -> tuple[Seen, str]:
    """How what a run was trained on relates to a data set of which `scored` is scored, and its origin.

    Raises ModelError if its record does not tell.
    """
    record = runs.read_record(run)
    try:
        origin, train, test = (record["data"][name] for name in ("origin", "train", "test"))
        seen = {part["sha256"] for part in (train, test) if part}
    except (KeyError, TypeError) as error:
        raise ModelError(
            f"{run / runs.RECORD} is damaged: it does not say what the model was trained on."
        ) from error
    if train and dataset.scored.sha256 == train["sha256"]:
        return "these images", origin
    same = any(part and part.sha256 in seen for part in (dataset.train, dataset.test))
    return "this data set" if same else "other data", origin
