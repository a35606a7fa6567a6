"""What to train: a preset with whatever the user overrode."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from digitcli import models, runs
from digitcli.errors import ModelError, UsageError


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides what comes out of a training, besides the data.

    preset: the name it started from; `model` and `recipe` are what is used.
    patience: epochs without a better validation loss after which training stops and goes back to the best
        one; None to run all epochs.
    members: networks to train, each from a seed of its own, that read together by the mean of their logits.
    time_budget: seconds that training takes, whatever number of epochs that is; None for the recipe's epochs.
    start: the run that it goes on from, or "bundled"; None to begin with random weights.
    teacher: the run, or "bundled", whose answers are learnt beside the labels; None for labels alone.
    """

    preset: str
    model: models.ModelSpec
    recipe: models.Recipe
    seed: int = 0
    patience: int | None = None
    members: int = 1
    time_budget: float | None = None
    start: str | None = None
    teacher: str | None = None

    def __post_init__(self) -> None:
        if self.patience is not None and self.patience < 1:
            raise UsageError(f"Patience must be at least one epoch, got {self.patience}.")
        if self.patience is not None and self.recipe.val_split == 0:
            raise UsageError("Patience needs a validation split above 0 to watch.")
        if self.members < 1:
            raise UsageError(f"An ensemble needs at least one member, got {self.members}.")
        if self.time_budget is not None and not 0 < self.time_budget < math.inf:
            raise UsageError(f"The time budget must be a time above 0 seconds, got {self.time_budget:g}.")
        if self.seed < 0:
            raise UsageError(f"The seed must not be negative, got {self.seed}.")

    @property
    def run_name(self) -> str:
        """Name of the run's directory: preset, learning rate, epochs or seconds, members if several."""
        length = f"e{self.recipe.epochs}" if self.time_budget is None else f"{self.time_budget:g}s"
        members = f"-x{self.members}" if self.members > 1 else ""
        return f"{self.preset}-lr{self.recipe.lr:g}-{length}{members}"


def configure(
    preset: str = models.DEFAULT_PRESET,
    *,
    seed: int = 0,
    patience: int | None = None,
    members: int | None = None,
    time_budget: float | None = None,
    model: Mapping[str, Any] | None = None,
    recipe: Mapping[str, Any] | None = None,
    teacher: Path | None = None,
) -> TrainConfig:
    """The configuration of a preset with some of its values replaced.

    teacher: a run, or "bundled", whose answers are learnt beside the labels.
    members, and model and recipe with fields of ModelSpec and Recipe: what is None keeps the preset's value.
    Raises UsageError for an unknown preset or a value that makes no sense, ModelError if the teacher is no
    run.
    """
    base = models.preset(preset)
    return TrainConfig(
        preset,
        replace(base.model, **_given(model)),
        replace(base.recipe, **_given(recipe)),
        seed=seed,
        patience=patience,
        members=base.members if members is None else members,
        time_budget=time_budget,
        teacher=trained(teacher)[0] if teacher else None,
    )


def configure_from(
    model: Path,
    *,
    seed: int = 0,
    patience: int | None = None,
    time_budget: float | None = None,
    recipe: Mapping[str, Any] | None = None,
    teacher: Path | None = None,
) -> TrainConfig:
    """The configuration to go on from a run, or with "bundled" from the model that comes with digitcli.

    The network is that model's, the recipe `models.GOING_ON` with some of its values replaced.
    Raises ModelError if it is no run, UsageError for a value that makes no sense.
    """
    name, before = trained(model)
    return replace(
        before,
        recipe=replace(models.GOING_ON, **_given(recipe)),
        seed=seed,
        patience=patience,
        time_budget=time_budget,
        start=name,
        teacher=trained(teacher)[0] if teacher else None,
    )


def trained(model: Path) -> tuple[str, TrainConfig]:
    """What a run, or "bundled", is called in a configuration, and how it was trained.

    Raises ModelError if it is no run with Keras's file.
    """
    found = runs.find_model(model, prefer=runs.KERAS_MODEL)
    if found.run is None or found.path.name != runs.KERAS_MODEL:
        raise ModelError(f"{model} is no run with a {runs.KERAS_MODEL}, so training cannot start from it.")
    try:
        config = from_dict(runs.read_record(found.run)["config"])
    except (KeyError, TypeError, UsageError) as error:
        raise ModelError(f"{found.run / runs.RECORD} does not tell how it was trained: {error}.") from error
    return runs.BUNDLED_NAME if found.run == runs.BUNDLED.parent else str(found.run.absolute()), config


def _given(values: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (values or {}).items() if value is not None}


def from_dict(values: Mapping[str, Any]) -> TrainConfig:
    """The configuration that `dataclasses.asdict` made these values of, also by way of JSON.

    Raises KeyError, TypeError or UsageError if it did not.
    """
    model = dict(values["model"])
    if isinstance(depth := model.get("depth", 1), int):  # in older runs, of each stage from the third on
        stages = len(model["channels"])
        model["depth"] = (1, *[depth] * stages)[: max(stages - 1, 0)]
    model |= {name: tuple(model[name]) for name in ("channels", "depth", "hidden")}
    return TrainConfig(
        **{**values, "model": models.ModelSpec(**model), "recipe": models.Recipe(**values["recipe"])}
    )
