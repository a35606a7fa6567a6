"""The command line: the app, and the one place where errors become lines and exit codes.

Exit codes: 0 all done; 1 something failed; 2 wrong usage; 130 interrupted.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from types import ModuleType
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from digitcli.commands import data, form
from digitcli.commands.doctor import doctor
from digitcli.commands.evaluate import evaluate
from digitcli.commands.export import export
from digitcli.commands.predict import predict
from digitcli.commands.review import review
from digitcli.commands.train import train
from digitcli.errors import DigitcliError, Interrupted, OutputError, kind_of
from digitcli.output import Stdout, print_json, printable
from digitcli.system.tensorflow_setup import import_no_more_than_needed
from digitcli.version import __version__

DATA, FORM = "data", "form"  # the commands that have commands of their own
LEAST_COLUMNS = 40  # for help in Typer's tables
HELP = """Trains, evaluates, runs and exports handwritten-digit classifiers.

[bold]Examples[/bold]

  digitcli train --epochs 18

  digitcli predict img.png
"""


class _Group(TyperGroup):
    """Runs a command and turns whatever it raises into one or two lines and an exit code."""

    _how_to_go_on: tuple[str, ...] = ()

    def main(self, args: Sequence[str] | None = None, *extra: Any, **options: Any) -> Any:
        """Called with the command line; ends the process with an exit code."""
        arguments = list(sys.argv[1:] if args is None else args)
        # Looked up here, not by the parser, since errors of the parser itself must honour them too.
        as_json = "--json" in arguments
        debug = "--debug" in arguments
        if not arguments or "--help" in arguments:
            if shutil.get_terminal_size().columns < LEAST_COLUMNS:
                _use_plain_help(self)
            else:
                _import_rich_help()
        try:
            code = super().main(arguments, *extra, **{**options, "standalone_mode": False})
            sys.stdout.flush()
        except DigitcliError as error:
            if debug:
                raise
            code = _fail(arguments, str(error), kind_of(error), error.exit_code, as_json)
        except KeyboardInterrupt:
            code = 130
        except BrokenPipeError:
            code = 1  # the reader (head, less) has what it wants; nothing more can be said to it
        except Exception as error:
            if debug:
                raise
            if isinstance(error, OSError) and error.filename:
                message = f"{error.filename}: {error.strerror}."
                code = _fail(arguments, message, "UnexpectedError", 1, as_json)
            elif type(error).__name__ == "NoArgsIsHelpError":  # which Typer does not export; help is shown
                code = 2
            elif hasattr(error, "format_message"):  # Typer's own complaints about the command line
                message = f"{error.format_message().rstrip('.')}. See digitcli --help."
                code = _fail(arguments, message, "UsageError", 2, as_json)
            else:
                message = f"Unexpected {type(error).__name__}: {error}\nRun again with --debug and report it."
                code = _fail(arguments, message, "UnexpectedError", 1, as_json)
        if code == 130:
            _say(" ".join(["Interrupted.", *self._how_to_go_on]))
        _drop_what_cannot_be_written()
        sys.exit(code or 0)

    def invoke(self, ctx: Any) -> Any:
        """Called with the parsed command line; of Ctrl-C, Typer only leaves an exit code."""
        self._how_to_go_on = ()
        try:
            return super().invoke(ctx)
        except Interrupted as interrupt:
            self._how_to_go_on = interrupt.args
            raise


def _import_rich_help() -> None:
    """Imports what Typer draws help with, less Rich's Markdown and tracebacks: they take half of the time.

    Typer imports both, but uses neither for help in Rich's markup, so empty stand-ins do meanwhile.
    """
    unused = {"rich.markdown": "Markdown", "rich.traceback": "Traceback"}
    absent = [name for name in unused if name not in sys.modules]
    for name in absent:
        sys.modules[name] = ModuleType(name)
        setattr(sys.modules[name], unused[name], type(unused[name], (), {}))
    import typer.rich_utils  # noqa: F401

    for name in absent:
        del sys.modules[name]


def _use_plain_help(command: TyperGroup | TyperCommand) -> None:
    """For terminals on which Typer's tables would have no room for words."""
    import typer.core
    from rich.markup import render

    typer.core.HAS_RICH = False
    command.help = render(command.help or "").plain
    for each in command.commands.values() if isinstance(command, TyperGroup) else ():
        assert isinstance(each, TyperGroup | TyperCommand)
        _use_plain_help(each)


def _fail(arguments: list[str], message: str, kind: str, code: int, as_json: bool) -> int:
    _say(f"Error: {message}")
    if as_json:
        words = arguments[: 2 if arguments[:1] in ([DATA], [FORM]) else 1]
        with suppress(OSError, OutputError):
            print_json(" ".join(words), {"error": {"kind": kind, "message": message}})
    return code


def _say(text: str) -> None:
    with suppress(OSError):  # nobody is there to be told, but the exit code still tells
        sys.stderr.write(f"{printable(text)}\n")


def _drop_what_cannot_be_written() -> None:
    # Else Python would try again when it ends, complain, and change the exit code.
    try:
        sys.stdout.flush()
    except (OSError, OutputError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


app = typer.Typer(
    cls=_Group,
    help=HELP,
    rich_markup_mode="rich",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"digitcli {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


for command in (train, evaluate, predict, review, export, doctor):
    app.command()(command)
app.add_typer(data.app, name=DATA)
app.add_typer(form.app, name=FORM)


def main() -> None:
    """Runs the command line of this process."""
    if os.name != "nt":  # whose console does not take bytes
        sys.stdout = Stdout(sys.stdout)
    import_no_more_than_needed()
    app()
