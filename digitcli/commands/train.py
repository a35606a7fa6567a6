"""`digitcli train`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from digitcli import models
from digitcli.commands import options
from digitcli.errors import UsageError
from digitcli.output import Output

if TYPE_CHECKING:
    from digitcli.data.digits import DataSet
    from digitcli.training.cluster import Cluster
    from digitcli.training.config import TrainConfig

Network = "Network"
Training = "Training"
Distribution = "Several machines"
Tuning = "Tuning"
STARTING = "Starting TensorFlow"
_TO_RESUME_WITH = {"resume", "data", "json", "quiet", "verbose", "debug"}


def train(
    context: typer.Context,
    preset: Annotated[
        str, typer.Option("--preset", "-p", metavar="NAME", help=f"One of: {', '.join(models.PRESETS)}.")
    ] = models.DEFAULT_PRESET,
    list_presets: Annotated[
        bool, typer.Option("--list-presets", help="Show the presets with their sizes, and train nothing.")
    ] = False,
    data: options.Data = "mnist",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The run directory. Default: MNIST/runs/PRESET-lrLR-eEPOCHS."),
    ] = None,
    force: options.Force = False,
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN", help="Go on with a training that was stopped, as if it had never been stopped."
        ),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="RUN|bundled",
            help="Go on from a trained model, with other data. For corrected digits: --data DIR+mnist.",
        ),
    ] = None,
    teacher: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN|bundled",
            help="Learn also how sure this trained model is of each image. With an ensemble as teacher, one "
            "network comes near to it.",
        ),
    ] = None,
    hidden: Annotated[
        str | None,
        typer.Option(metavar="512,64", help="Units of the hidden layers.", rich_help_panel=Network),
    ] = None,
    dropout: Annotated[
        float | None, typer.Option(help="Share of units dropped in training.", rich_help_panel=Network)
    ] = None,
    epochs: Annotated[
        int | None, typer.Option("--epochs", "-e", help="Passes over the data.", rich_help_panel=Training)
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images per step.", rich_help_panel=Training)] = None,
    lr: Annotated[
        float | None, typer.Option(help="Learning rate, the highest one.", rich_help_panel=Training)
    ] = None,
    optimizer: Annotated[
        str | None,
        typer.Option(metavar="NAME", help=f"{', '.join(models.OPTIMIZERS)}.", rich_help_panel=Training),
    ] = None,
    schedule: Annotated[
        str | None,
        typer.Option(metavar="NAME", help=f"{', '.join(models.SCHEDULES)}.", rich_help_panel=Training),
    ] = None,
    augment: Annotated[
        bool | None,
        typer.Option("--augment/--no-augment", help="Warp the images at random.", rich_help_panel=Training),
    ] = None,
    val_split: Annotated[
        float | None,
        typer.Option(help="Share of the training images held out for validation.", rich_help_panel=Training),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(
            help="Stop after so many epochs without a better validation loss, and keep the best epoch.",
            rich_help_panel=Training,
        ),
    ] = None,
    time_budget: Annotated[
        str | None,
        typer.Option(
            metavar="60s|15m|2h",
            help="Train as well as that time allows, whatever number of epochs that is.",
            rich_help_panel=Training,
        ),
    ] = None,
    ensemble: Annotated[
        int | None,
        typer.Option(
            "--ensemble",
            metavar="N",
            help="Train N networks that read together, by the mean of their logits.",
            rich_help_panel=Training,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Decides everything random.", rich_help_panel=Training)] = 0,
    tune: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Train N times, with other learning rates, widths, dropout and augmentation where none are "
            "given, and keep the best on the validation split. If it is stopped, the same command goes on.",
            rich_help_panel=Tuning,
        ),
    ] = None,
    engine: options.EngineOption = options.Engine.LOCAL,
    address: options.Address = None,
    tensorboard: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Also write TensorBoard logs to this folder.")
    ] = None,
    workers: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT,…",
            help="Train on several machines: the same command on each, with all their addresses.",
            rich_help_panel=Distribution,
        ),
    ] = None,
    index: Annotated[
        int | None,
        typer.Option(
            metavar="I",
            help="Which of --workers this is, from 0; the first one writes the run.",
            rich_help_panel=Distribution,
        ),
    ] = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Train a network and keep it as a run directory.

    A preset is a network with the recipe that trains it; every value below
    replaces the preset's own.

    Several processes train one network together, each on its share of every
    batch, with --workers and --index, or where TF_CONFIG or srun say which there
    are. If one stops, all stop; the same command on all goes on from the last
    checkpoint.

    [bold]Examples[/bold]

      digitcli train

      digitcli train --preset mlp-512-64 --epochs 18 --output my-run

      digitcli train --time-budget 60s

      digitcli train --preset best --ensemble 5

      digitcli train --hidden 300,100 --preset mlp-512 --lr 0.002 --patience 3

      digitcli train --preset mlp-512-64 --tune 8 --engine ray

      digitcli train --preset best --ensemble 1 --teacher MNIST/runs/best-lr0.008-e16-x3

      digitcli train --from bundled --data mine+mnist

      digitcli train --resume MNIST/runs/cnn-lr0.008-e18

      digitcli train --workers a:5000,b:5000 --index 0
    """
    out = options.output("train", json, quiet, verbose, debug)
    from digitcli.training import cluster as clusters

    cluster = clusters.find(None if workers is None else workers.split(","), index)
    if resume:
        if cluster:
            raise UsageError("Several workers go on by the same command that they were started with.")
        _resume(resume, _data_to_resume(context, data), out)
        return
    from digitcli.commands.run_display import show_plan, show_presets, show_run

    if list_presets:
        show_presets(out)
        return

    _require_engine(engine, tune, address, tensorboard)
    if tune is not None and cluster:
        raise UsageError("--tune has its own way to several machines, --address, instead of workers.")
    from digitcli.system.files import require_free
    from digitcli.training.config import configure, configure_from

    seconds = options.seconds("--time-budget", time_budget)
    recipe = {
        "epochs": epochs,
        "batch_size": batch_size,
        "lr": lr,
        "optimizer": optimizer,
        "schedule": schedule,
        "augment": augment,
        "val_split": val_split,
    }
    if start:
        if hidden or dropout is not None or ensemble or tune or "preset" in _given(context):
            raise UsageError(
                "--from goes on with the network that is there, so --preset, --hidden, --dropout, --ensemble "
                "and --tune contradict it. Leave them out."
            )
        config = configure_from(
            start, seed=seed, patience=patience, time_budget=seconds, recipe=recipe, teacher=teacher
        )
    else:
        config = configure(
            preset,
            seed=seed,
            patience=patience,
            members=ensemble,
            time_budget=seconds,
            model={"hidden": options.integers("--hidden", hidden), "dropout": dropout},
            recipe=recipe,
            teacher=teacher,
        )
    first = cluster is None or cluster.index == 0
    if output is not None and not force and first:
        require_free(output)

    dataset = options.read_data(data, out)
    show_plan("Training" if tune is None else "Tuning", config, dataset, out)
    if tune is not None:
        from digitcli.commands.tuning_display import TuningDisplay, document, show_trials
        from digitcli.training.tuning import tune as tune_run

        given = {"lr": lr, "width": hidden, "dropout": dropout, "augment": augment}
        with TuningDisplay(out, config, tune) as tuning:
            tuned = tune_run(
                config,
                dataset,
                tune,
                output,
                fixed={name for name, value in given.items() if value is not None},
                address=address,
                source=data,
                force=force,
                on_epoch=tuning.epoch,
                on_trial=tuning.trial,
            )
        show_trials(out, tuned)
        show_run(tuned.directory, out, document(tuned))
        return
    from digitcli.commands.training_display import TrainingDisplay

    with out.progress(STARTING):
        from digitcli.training.run import train as train_run

    if cluster and not first:
        _assist(config, dataset, cluster, out)
        return
    with TrainingDisplay(out, config) as display:
        run = train_run(
            config,
            dataset,
            output,
            source=data,
            force=force,
            tensorboard=tensorboard,
            cluster=cluster,
            on_step=display.step,
            on_epoch=display.epoch,
            on_warning=out.warn,
        )
    show_run(run.directory, out)


def _data_to_resume(context: typer.Context, data: str) -> str | None:
    """--data, if it was given. Raises UsageError for options that a resumed training has already."""
    given = _given(context)
    for name in sorted(given - _TO_RESUME_WITH):
        raise UsageError(
            f"--{name.replace('_', '-')} contradicts --resume, which goes on as the training was begun. "
            "Leave it out."
        )
    return data if "data" in given else None


def _given(context: typer.Context) -> set[str]:
    """The options that were given."""
    return {
        name
        for name in context.params
        if (source := context.get_parameter_source(name)) and source.name == "COMMANDLINE"
    }


def _require_engine(
    engine: options.Engine, tune: int | None, address: str | None, tensorboard: Path | None
) -> None:
    """Raises UsageError for options that the engine has not, MissingExtraError if it is not installed."""
    if tune is not None and engine is options.Engine.LOCAL:
        raise UsageError("--tune trains on Ray. Add --engine ray.")
    if engine is options.Engine.RAY and tune is None:
        raise UsageError("--engine ray is for tuning. Add --tune N, or leave it out to train once.")
    if address and engine is options.Engine.LOCAL:
        raise UsageError("--address is where Ray is. Add --engine ray.")
    if tune is not None and tensorboard:
        raise UsageError("--tune writes no TensorBoard logs. Leave --tensorboard out.")
    if tune is not None:
        from digitcli.cluster.ray_setup import require_ray

        require_ray("Ray Tune")


def _resume(directory: Path, data: str | None, out: Output) -> None:
    from digitcli.commands.run_display import show_plan, show_run
    from digitcli.training import unfinished

    plan = unfinished.read_plan(directory)
    source = data or plan.source
    if source is None:
        raise UsageError(
            "This training was begun from Python, so its data are not known. Name them with --data."
        )
    dataset = options.read_data(source, out)
    show_plan("Resuming", plan.config, dataset, out)
    from digitcli.commands.training_display import TrainingDisplay

    with out.progress(STARTING):
        from digitcli.training.run import resume

    with TrainingDisplay(out, plan.config) as display:
        run = resume(directory, dataset, on_step=display.step, on_epoch=display.epoch, on_warning=out.warn)
    show_run(run.directory, out)


def _assist(config: TrainConfig, dataset: DataSet, cluster: Cluster, out: Output) -> None:
    from digitcli.training.run import assist

    place = f"worker {cluster.index} of {len(cluster.workers)}"
    with out.progress(f"Training as {place}"):
        assist(config, dataset, cluster)
    out.note(f"Trained as {place}; the run is where worker 0 wrote it.")
