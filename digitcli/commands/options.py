"""The options that all commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from digitcli.errors import UsageError
from digitcli.output import Output

if TYPE_CHECKING:
    from digitcli.data.digits import DataSet

RUNNING = "How it runs"
"""Panel of a command's help."""

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="No notes and no progress.", rich_help_panel=RUNNING)
]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Tell more about what is done.", rich_help_panel=RUNNING)
]
Debug = Annotated[
    bool, typer.Option("--debug", help="Show the traceback of an error.", rich_help_panel=RUNNING)
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite what is there.")]
Data = Annotated[
    str,
    typer.Option(
        "--data",
        metavar="mnist|synthetic|auto|PATH",
        help="The data set: a name, a file or a folder; or several with + between, to train on all.",
    ),
]
Model = Annotated[
    Path | None,
    typer.Option(
        "--model",
        "-m",
        metavar="PATH",
        help="A run or file. Default: the newest run, or the bundled.",
        rich_help_panel=RUNNING,
    ),
]

Views = Annotated[
    int,
    typer.Option(
        "--views",
        metavar="N",
        help="Read N views of each picture: surer, but N times slower.",
        show_default=False,
        rich_help_panel=RUNNING,
    ),
]


class Engine(StrEnum):
    """What does the work."""

    LOCAL = "local"
    RAY = "ray"


EngineOption = Annotated[
    Engine,
    typer.Option(
        "--engine",
        help="This machine, or all of a Ray cluster.",
        show_default=False,
        rich_help_panel=RUNNING,
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        "--address",
        metavar="auto|HOST:PORT",
        help="The Ray cluster. Default: one of this machine.",
        rich_help_panel=RUNNING,
    ),
]

Trust = Annotated[
    bool,
    typer.Option("--trust", help="Let the model run code and read and write files.", rich_help_panel=RUNNING),
]


def output(command: str, as_json: bool, quiet: bool, verbose: bool, debug: bool) -> Output:
    """The sink for one command. `debug` is read by cli, which also shows errors from before this point."""
    import logging  # which help should not pay for

    # What libraries log, such as Matplotlib that there is no home directory, is no message of ours.
    logging.getLogger().addHandler(logging.NullHandler())
    return Output(command, as_json=as_json, quiet=quiet, verbose=verbose or debug)


def read_data(source: str, out: Output) -> DataSet:
    """The data set that --data names, read with progress shown; another than asked for is said loudly."""
    from digitcli.data.load import load

    drawn = "simulated" in source.split("+")  # which takes minutes, and counts pictures
    with out.progress("Drawing pictures" if drawn else "Reading data", unit="" if drawn else "B") as progress:
        dataset = load(source, progress, out.note)
    if dataset.warning:
        out.warn(dataset.warning)
    return dataset


def seconds(option: str, text: str | None) -> float | None:
    """The seconds of a time such as "90", "90s", "15m" or "1.5h". Raises UsageError if it is none."""
    if text is None:
        return None
    units = {"s": 1, "m": 60, "h": 3600}
    number, unit = (text[:-1], text[-1]) if text[-1:] in units else (text, "s")
    try:
        return float(number) * units[unit]
    except ValueError:
        raise UsageError(f"{option} takes a time such as 60s, 15m or 2h; got '{text}'.") from None


def integers(option: str, text: str | None) -> tuple[int, ...] | None:
    """The whole numbers of a list such as "512,64". Raises UsageError if it is not one."""
    if text is None:
        return None
    try:
        return tuple(int(word) for word in text.split(","))
    except ValueError:
        raise UsageError(
            f"{option} takes whole numbers with commas between, such as 512,64; got '{text}'."
        ) from None
