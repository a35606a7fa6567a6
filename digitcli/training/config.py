"""What to train: a preset with whatever the user overrode."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from digitcli import models
from digitcli.errors import UsageError


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides what comes out of a training, besides the data.

    preset: the name it started from; `model` and `recipe` are what is used.
    patience: epochs without a better validation loss after which training stops and goes back to the best
        one; None to run all epochs.
    """

    preset: str
    model: models.ModelSpec
    recipe: models.Recipe
    seed: int = 0
    patience: int | None = None

    def __post_init__(self) -> None:
        if self.patience is not None and self.patience < 1:
            raise UsageError(f"Patience must be at least one epoch, got {self.patience}.")
        if self.patience is not None and self.recipe.val_split == 0:
            raise UsageError("Patience needs a validation split above 0 to watch.")
        if self.seed < 0:
            raise UsageError(f"The seed must not be negative, got {self.seed}.")

    @property
    def run_name(self) -> str:
        """Name of the run's directory: preset, learning rate and epochs."""
        return f"{self.preset}-lr{self.recipe.lr:g}-e{self.recipe.epochs}"


def configure(
    preset: str = models.DEFAULT_PRESET,
    *,
    seed: int = 0,
    patience: int | None = None,
    model: Mapping[str, Any] | None = None,
    recipe: Mapping[str, Any] | None = None,
) -> TrainConfig:
    """The configuration of a preset with some of its values replaced.

    model, recipe: fields of ModelSpec and Recipe to override; those that are None keep the preset's value.
    Raises UsageError for an unknown preset or a value that makes no sense.
    """
    base = models.preset(preset)
    return TrainConfig(
        preset,
        replace(base.model, **_given(model)),
        replace(base.recipe, **_given(recipe)),
        seed=seed,
        patience=patience,
    )


def _given(values: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (values or {}).items() if value is not None}
