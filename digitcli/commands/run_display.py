"""What is told of a training before and after it: the presets, what is about to be trained, and the run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from digitcli import models, runs
from digitcli.output import Output
from digitcli.runs import history

if TYPE_CHECKING:
    from digitcli.data.digits import DataSet
    from digitcli.training.config import TrainConfig


def show_plan(doing: str, config: TrainConfig, dataset: DataSet, out: Output) -> None:
    """What is about to be trained, and on what."""
    out.note(f"Data: {dataset.origin}")
    members = f"{config.members} networks of " if config.members > 1 else ""
    length = f"{config.recipe.epochs} epochs" if config.time_budget is None else f"{config.time_budget:g} s"
    out.note(f"{doing} {config.preset}: {members}{models.parameter_count(config.model):,} parameters, "
             f"{length}, seed {config.seed}")  # fmt: skip


def show_presets(out: Output) -> None:
    """Every preset with its size."""
    parameters = {
        name: preset.members * models.parameter_count(preset.model) for name, preset in models.PRESETS.items()
    }
    out.document(
        {
            "presets": [
                {"name": name, "summary": p.summary, "parameters": parameters[name],
                 "members": p.members, "epochs": p.recipe.epochs, "aim": p.aim}
                for name, p in models.PRESETS.items()
            ]
        }
    )  # fmt: skip
    out.table(
        ["preset", "network", "parameters", "epochs", "aim on MNIST"],
        (
            [name, p.summary, f"{parameters[name]:,}", p.recipe.epochs, f">= {p.aim} %"]
            for name, p in models.PRESETS.items()
        ),
        right=["parameters", "epochs", "aim on MNIST"],
    )


def show_run(directory: Path, out: Output, more: Mapping[str, object] | None = None) -> None:
    """What a run's record says; `more` is for the JSON document."""
    record = runs.read_record(directory)
    metrics = record["metrics"]
    epochs = history.read(directory / runs.HISTORY)[-1].epoch
    out.document(
        {
            "run": str(directory),
            "preset": record["config"]["preset"],
            "parameters": record["parameters"],
            "members": record["config"]["members"],
            "epochs": epochs,
            "best_epoch": metrics["best_epoch"],
            "val_accuracy": metrics["val_accuracy"],
            "test_accuracy": metrics["test_accuracy"],
            "test_loss": metrics["test_loss"],
            "seconds": metrics["seconds"],
            **(more or {}),
        }
    )
    out.table(
        ["what", "value"],
        [
            ["run", directory],
            ["parameters", f"{record['parameters']:,}"],
            ["epoch kept", f"{metrics['best_epoch']} of {epochs}"],
            ["validation accuracy", _percent(metrics["val_accuracy"])],
            ["test accuracy", _percent(metrics["test_accuracy"])],
            ["training time", f"{metrics['seconds']:.1f} s"],
        ],
    )


def _percent(share: float | None) -> str:
    return "not measured" if share is None else f"{share:.2%}"
