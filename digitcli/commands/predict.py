"""`digitcli predict`: which digit is in a picture, or which digits."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, closing
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from digitcli.commands import options
from digitcli.commands.predict_results import Format, Layout
from digitcli.errors import OutputError, UsageError
from digitcli.limits import SECONDS

if TYPE_CHECKING:
    from digitcli.classifiers import Classifier
    from digitcli.output import Output
    from digitcli.prediction import Prediction
    from digitcli.sources.source import Source


_KNOWN = "What is known of the number"


def predict(
    pictures: Annotated[
        list[str],
        typer.Argument(
            metavar="IMG|DIR|GLOB|-",
            help="Pictures; folders, archives (zip, tar), arrays (.npy, .npz, IDX) and Parquet of them; "
            "patterns; any of these at an address (s3://, gs://); or - for stdin: paths, one per line, or "
            "one picture.",
        ),
    ],
    model: options.Model = None,
    single: Annotated[
        bool, typer.Option("--single", "-S", help="Read one digit in each picture, whatever else is there.")
    ] = False,
    many: Annotated[
        bool, typer.Option("--many", "-M", help="Read every digit of a picture, line by line.")
    ] = False,
    signs: Annotated[
        bool, typer.Option("--signs", help="Give the text with the signs between its digits, such as 3.14.")
    ] = False,
    pages: Annotated[str, typer.Option(metavar="1,3-5", help="Read these pages of a TIFF or PDF only.")] = "",
    length: Annotated[
        str | None,
        typer.Option(metavar="5|4-6", help="Digits of each number.", rich_help_panel=_KNOWN),
    ] = None,
    range_: Annotated[
        str | None,
        typer.Option("--range", metavar="1-31", help="Least and greatest value.", rich_help_panel=_KNOWN),
    ] = None,
    pattern: Annotated[
        str | None,
        typer.Option(metavar="REGEX", help="What the digits of each match.", rich_help_panel=_KNOWN),
    ] = None,
    check: Annotated[
        str | None,
        typer.Option(
            metavar="luhn|ean|iban:DE|…",
            help="A check digit, by the name of python-stdnum's module.",
            rich_help_panel=_KNOWN,
        ),
    ] = None,
    format: Annotated[
        Format | None,
        typer.Option(
            "--format", "-f", help="Default: a table; when piped, tab-separated lines with a header."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write to this file; its suffix tells the format, too."),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with --output where the same command was stopped, if it was."),
    ] = False,
    top_k: Annotated[
        int, typer.Option("--top-k", "-k", min=1, max=10, help="Show so many of the likeliest digits.")
    ] = 1,
    min_confidence: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Give no answer where the model is less sure than this.")
    ] = 0.0,
    show: Annotated[
        bool, typer.Option("--show", help="Draw on the terminal what the network saw, and how sure it is.")
    ] = False,
    annotate: Annotated[
        Path | None,
        typer.Option(help="Draw what was read on a copy of the picture: to this file, or into this folder."),
    ] = None,
    time_limit: Annotated[
        float,
        typer.Option(
            metavar="SECONDS", min=0.1, help="Give up a picture that takes more computing than this."
        ),
    ] = SECONDS,
    engine: options.EngineOption = options.Engine.LOCAL,
    address: options.Address = None,
    views: options.Views = 1,
    trust: options.Trust = False,
    force: options.Force = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Tell which digit is in a picture, or which digits, or in each of many.

    Pictures may be of any size and format, dark on light or light on dark.
    There is a row for each: path, digit, confidence (0-1) and note. Where several
    digits are found, all of them stand in the row, with a space between lines,
    and the confidence is that all are right; --single and --many force one way.

    Signs between the digits (. , - / : + × ÷ = and brackets) are told in the
    note, and stand in the text with --signs.

    Each page of a TIFF or PDF (digitcli\\[pdf]) is a picture, named scan.pdf\\[2];
    --pages chooses.

    Where there is no digit to tell, because the picture holds none or the model
    is not sure enough, it is empty and the note says why; the note also marks
    what is uncertain. A picture that cannot be read has its error as the note;
    the others are still read, and the exit code is 1.

    JSON and Parquet hold more: the likeliest digits, or the box of each of several.
    plain is for the shell: tab-separated, without a header. json, the same as
    --json, is one document. parquet needs --output and digitcli\\[parquet].

    --engine ray reads on all machines of a Ray cluster, or without --address on
    this one, and needs digitcli\\[ray]. --output is then a folder, which all
    machines share, for Parquet files of some 10,000 pictures each. Started again,
    the same command goes on where it was stopped.

    [bold]Examples[/bold]

      digitcli predict img.png --show

      digitcli predict scans/ --output digits.csv

      digitcli predict numbers.jpg --annotate read.png

      digitcli predict --many forms/ --json | jq -r '.results[].text'

      digitcli predict --many --signs sums/

      digitcli predict '**/*.png' --top-k 3 --min-confidence 0.9

      digitcli predict scan.pdf --many --pages 2-

      digitcli predict letters.zip mnist.npz --format jsonl

      digitcli predict scans/ --output digits.csv --resume

      digitcli predict 'scans/*.parquet' --engine ray --output digits/

      digitcli predict 's3://bucket/scans/*.png' --output digits.csv

      find . -name '*.jpg' | digitcli predict - --json | jq .results
    """
    from digitcli import prediction
    from digitcli.commands.predict_results import draw, print_results
    from digitcli.commands.reading_display import with_progress
    from digitcli.reading.expect import Expect
    from digitcli.sources.expand import expand
    from digitcli.sources.pages import Pages

    if many and top_k > 1:
        raise UsageError("--top-k contradicts --many, which gives the likeliest text. Leave one of them out.")
    if many and single:
        raise UsageError("--single contradicts --many. Leave both out to let each picture tell.")
    if address and engine is options.Engine.LOCAL:
        raise UsageError("--address is for --engine ray.")
    wanted = Pages(pages)
    expect = Expect(_two("--length", length), _two("--range", range_), pattern, check)
    if expect and (single or top_k > 1):
        raise UsageError(f"{expect} is known of a number; leave --single and --top-k out.")
    mode: prediction.Mode = "single" if single else "many" if many else "auto"
    layout = Layout(mode, top_k, signs)
    if engine is options.Engine.RAY:
        from digitcli.commands.predict_parts import predict_parts

        folder = _folder(output, format, show=show, annotate=annotate)
        out = options.output("predict", as_json, quiet, verbose, debug)
        predict_parts(
            pictures,
            _load(model, views, trust, out),
            folder,
            layout,
            address,
            out,
            pages=wanted,
            min_confidence=min_confidence,
            time_limit=time_limit,
            expect=expect,
            force=force,
        )
        return
    format = _format(format, output, as_json, show)
    if format is Format.PARQUET:
        from digitcli.sources.parquet import require_pyarrow

        require_pyarrow()
    if resume and not output:
        raise UsageError("--resume needs --output, the file to go on with.")
    sources = expand(pictures, sys.stdin.buffer, wanted)
    out = options.output("predict", format is Format.JSON, quiet, verbose, debug)
    if annotate:
        sources = _annotatable(sources, annotate, force or resume)
    tally: Counter[bool] = Counter()
    with ExitStack() as stack:
        file = None
        if output and format:
            from digitcli.commands.results_file import ResultsFile  # of one picture, mostly only printed

            file = stack.enter_context(ResultsFile(output, format, layout, force=force, resume=resume))
            if file.finished:
                out.note(f"{output} is there already; nothing is left to do.")
                return
            sources = file.left(sources)
            tally.update({True: file.errors, False: file.done.total() - file.errors})
        classifier = _load(model, views, trust, out)
        described = {"path": str(classifier.path), "runtime": classifier.runtime}

        predictions = prediction.predict(
            sources,
            classifier,
            mode=mode,
            min_confidence=min_confidence,
            annotate=annotate,
            time_limit=time_limit,
            expect=expect,
        )
        results = _counted(predictions, tally)
        # Results that come one by one on the terminal show the progress themselves.
        one_by_one = show or format in (Format.PLAIN, Format.CSV, Format.JSONL)
        if out.shows_progress and not (one_by_one and out.is_terminal and not output):
            results = with_progress(results, pictures, out, done=tally.total())
        stack.enter_context(closing(predictions))
        stack.enter_context(closing(results))
        if file:
            file.write(results, described)
            out.note(f"Wrote {output}: {tally.total()} pictures.")
        elif show and out.is_terminal:
            draw(results, out)
        else:
            print_results(results, format, layout, described, out)
    if tally[True]:
        out.warn(f"{tally[True]} of {tally.total()} pictures could not be read.")
        raise typer.Exit(1)


def _two(option: str, text: str | None) -> tuple[int, int] | None:
    """What an option such as `4-6`, or `5`, says."""
    if text is None:
        return None
    least, dash, most = text.partition("-")
    try:
        return int(least), int(most if dash else least)
    except ValueError:
        raise UsageError(f"{option} {text} is neither a number nor a range such as 4-6.") from None


def _format(format: Format | None, output: Path | None, as_json: bool, show: bool) -> Format | None:
    """The format that the options say together; None for a table. Raises UsageError if they contradict."""
    if as_json and format not in (None, Format.JSON):
        raise UsageError(f"--json contradicts --format {format}. Leave one of them out.")
    if as_json:
        format = Format.JSON
    if output and not format:
        suffix = output.suffix.lower().removeprefix(".")
        if suffix not in list(Format):
            raise UsageError(f"The suffix of {output} is that of no format. Name one with --format.")
        format = Format(suffix)
    if format is Format.PARQUET and not output:
        raise UsageError("--format parquet needs a file to write, --output FILE.")
    if show and format:
        raise UsageError(f"--show draws instead of writing {format}. Leave one of them out.")
    return format


def _folder(output: Path | None, format: Format | None, *, show: bool, annotate: Path | None) -> Path:
    """Where the parts go. Raises UsageError if the options do not fit."""
    if not output:
        raise UsageError("--engine ray needs --output, a folder for its results.")
    if format not in (None, Format.PARQUET):
        raise UsageError(f"--engine ray writes Parquet, so leave --format {format} out.")
    if show or annotate:
        raise UsageError("--show and --annotate are for --engine local, so leave them out.")
    if re.match(r"[a-z][a-z0-9+.-]+:/", str(output)):
        raise UsageError(f"--output {output} is an address. Name a folder that all machines share.")
    return output


def _load(model: Path | None, views: int, trust: bool, out: Output) -> Classifier:
    """The model, which is told."""
    from digitcli import classifiers, runs

    found = runs.find_model(model)
    classifier = classifiers.load(found.path, views=views, trust=out.warn if trust else None)
    out.note(f"Model: {found.description}, through {classifier.runtime}.")
    return classifier


def _annotatable(sources: Iterator[Source], annotate: Path, force: bool) -> Iterator[Source]:
    """The same sources. Raises UsageError if their copies cannot be written to `annotate`."""
    from digitcli.annotate import is_folder, known_format

    if not force and annotate.exists() and not (annotate.is_dir() and not any(annotate.iterdir())):
        raise OutputError(f"{annotate} exists already. Choose another name, or write over it with --force.")
    if is_folder(annotate):
        return sources
    known_format(annotate)
    first = list(islice(sources, 2))
    if len(first) > 1:
        raise UsageError(f"--annotate {annotate} takes one picture, and there are several. Name a folder.")
    return iter(first)


def _counted(results: Iterable[Prediction], tally: Counter[bool]) -> Generator[Prediction, None, None]:
    # In passing, so that no result has to be kept.
    for result in results:
        tally[result.error is not None] += 1
        yield result
