"""`digitcli predict`: which digit is in a picture, or which digits."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Generator, Iterable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from digitcli.commands import options
from digitcli.errors import UsageError
from digitcli.results import formats
from digitcli.results.formats import Format
from digitcli.results.layout import Layout
from digitcli.system.limits import SECONDS

if TYPE_CHECKING:
    from digitcli.classifiers import Classifier
    from digitcli.output import Output
    from digitcli.reading.expect import Expect
    from digitcli.reading.forms import Form
    from digitcli.reading.prediction import Prediction


_OUTPUT = "What comes out"


def predict(
    pictures: Annotated[
        list[str],
        typer.Argument(
            metavar="IMG|DIR|GLOB|-",
            show_default=False,
        ),
    ],
    single: Annotated[
        bool, typer.Option("--single", "-S", help="Read one digit in each picture, whatever else is there.")
    ] = False,
    many: Annotated[
        bool, typer.Option("--many", "-M", help="Read every digit of a picture, line by line.")
    ] = False,
    pages: Annotated[
        str, typer.Option(metavar="1,3-5", help="Read these pages of a TIFF or PDF.", show_default=False)
    ] = "",
    length: Annotated[
        str | None,
        typer.Option(metavar="5|4-6", help="How many digits each number has."),
    ] = None,
    range_: Annotated[
        str | None,
        typer.Option("--range", metavar="1-31", help="Its least and greatest value."),
    ] = None,
    pattern: Annotated[
        str | None,
        typer.Option(metavar="REGEX", help="What its digits match."),
    ] = None,
    check: Annotated[
        str | None,
        typer.Option(
            metavar="luhn|ean|iban:DE|…",
            help="Its check digit, by a name of python-stdnum.",
        ),
    ] = None,
    form: Annotated[
        Path | None,
        typer.Option(metavar="TOML", help="Read the fields of a form that it describes."),
    ] = None,
    region: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=X,Y,W,H", help="Read this field, in pixels or %; again for more."),
    ] = None,
    signs: Annotated[
        bool,
        typer.Option("--signs", help="Signs in the text, as in 3.14.", rich_help_panel=_OUTPUT),
    ] = False,
    min_confidence: Annotated[
        float,
        typer.Option(
            metavar="0-1",
            min=0.0,
            max=1.0,
            help="Give no answer where it is less sure.",
            show_default=False,
            rich_help_panel=_OUTPUT,
        ),
    ] = 0.0,
    top_k: Annotated[
        int,
        typer.Option(
            "--top-k",
            "-k",
            metavar="1-10",
            min=1,
            max=10,
            help="Show so many of the likeliest digits.",
            show_default=False,
            rich_help_panel=_OUTPUT,
        ),
    ] = 1,
    format: Annotated[
        Format | None,
        typer.Option(
            "--format",
            "-f",
            metavar="FORMAT",
            help=f"{'|'.join(Format)}; else a table.",
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    as_json: options.Json = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Its suffix tells the format, too.",
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with --output where it stopped.", rich_help_panel=_OUTPUT)
    ] = False,
    force: options.Force = False,
    show: Annotated[
        bool, typer.Option("--show", help="Draw what the network saw.", rich_help_panel=_OUTPUT)
    ] = False,
    annotate: Annotated[
        Path | None,
        typer.Option(metavar="FILE|DIR", help="Draw it on a copy of each picture.", rich_help_panel=_OUTPUT),
    ] = None,
    save_digits: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Keep each digit there, for review.",
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    time_limit: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            min=0.1,
            help=f"Give up a picture that takes more computing than {SECONDS:g} s.",
            show_default=False,
            rich_help_panel=options.RUNNING,
        ),
    ] = SECONDS,
    model: options.Model = None,
    engine: options.EngineOption = options.Engine.LOCAL,
    address: options.Address = None,
    views: options.Views = 1,
    trust: options.Trust = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Tell which digit is in a picture, or which digits, or in each of many.

    Pictures, folders, archives, arrays, Parquet, addresses, - for stdin: a row each. Examples:

      digitcli predict scans/ --many --output read.csv
      digitcli predict scan.pdf --pages 2- --length 5 --json | jq -r '.results[].text'
    """
    from digitcli.commands.predict_results import draw, print_results, show_parts
    from digitcli.commands.reading_display import with_progress
    from digitcli.reading import prediction
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
    fields = _form(form, region, expect)
    alone = single or top_k > 1 or annotate or show or save_digits
    if fields and (alone or engine is options.Engine.RAY):
        raise UsageError(
            "--form and --region go without --single, --top-k, --annotate, --show, --save-digits and Ray."
        )
    layout = Layout(mode, top_k, signs, tuple(each.name for each in fields.fields) if fields else ())
    if engine is options.Engine.RAY:
        from digitcli.commands.reading_display import with_progress_of_parts
        from digitcli.results.parts import predict_parts

        folder = _folder(output, format, show=show, copies=annotate or save_digits)
        out = options.output("predict", as_json, quiet, verbose, debug)
        classifier = _load(model, views, trust, out)
        done = predict_parts(
            pictures,
            classifier,
            folder,
            layout,
            address,
            pages=wanted,
            min_confidence=min_confidence,
            time_limit=time_limit,
            expect=expect,
            force=force,
            watched=lambda counts, parts: with_progress_of_parts(counts, parts, out),
        )
        show_parts(done, folder, classifier, out)
        _tell_errors(done.counts.errors, done.counts.pictures, out)
        return
    format = _format(format, output, as_json, show)
    if format:
        formats.require(format)
    if resume and not output:
        raise UsageError("--resume needs --output, the file to go on with.")
    sources = expand(pictures, sys.stdin.buffer, wanted)
    out = options.output("predict", format == "json", quiet, verbose, debug)
    if annotate:
        from digitcli.reading.annotate import annotatable

        sources = annotatable(sources, annotate, force=force or resume)
    tally: Counter[bool] = Counter()
    with ExitStack() as stack:
        file = None
        if output and format:
            from digitcli.results.file import ResultsFile  # of one picture, mostly only printed

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
            form=fields,
        )
        results = _counted(predictions, tally)
        if save_digits:
            from digitcli.review.saved import SavedDigits

            results = SavedDigits(save_digits).keeping(results)
        # Results that come one by one on the terminal show the progress themselves.
        one_by_one = show or (format and isinstance(formats.get(format), formats.Rows))
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
    _tell_errors(tally[True], tally.total(), out)


def _form(form: Path | None, regions: list[str] | None, expect: Expect) -> Form | None:
    """The fields that the options name; expect: what is known of those of `regions`."""
    if not form and not regions:
        return None
    from digitcli.reading.forms import Form, blank_of, read_form, region

    read = read_form(form) if form else Form(())
    if form and expect:
        raise UsageError(f"{expect} is said in {form}, for each field.")
    more = tuple(region(text, expect) for text in regions or [])
    both = Form(read.fields + more, read.blank)
    blank_of(both)  # so that what is wrong with it is told before the first picture
    return both


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
    if as_json and format not in (None, "json"):
        raise UsageError(f"--json contradicts --format {format}. Leave one of them out.")
    if as_json:
        format = Format("json")
    if output and not format:
        suffix = output.suffix.lower().removeprefix(".")
        if suffix not in list(Format):
            raise UsageError(f"The suffix of {output} is that of no format. Name one with --format.")
        format = Format(suffix)
    if format and not output and not isinstance(formats.get(format), formats.Rows | formats.Printed):
        raise UsageError(f"--format {format} needs a file to write, --output FILE.")
    if show and format:
        raise UsageError(f"--show draws instead of writing {format}. Leave one of them out.")
    return format


def _folder(output: Path | None, format: Format | None, *, show: bool, copies: Path | None) -> Path:
    """Where the parts go. Raises UsageError if the options do not fit."""
    if not output:
        raise UsageError("--engine ray needs --output, a folder for its results.")
    if format not in (None, "parquet"):
        raise UsageError(f"--engine ray writes Parquet, so leave --format {format} out.")
    if show or copies:
        raise UsageError("--show, --annotate and --save-digits are for --engine local, so leave them out.")
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


def _tell_errors(errors: int, pictures: int, out: Output) -> None:
    """Raises typer.Exit if there are any."""
    if errors:
        out.warn(f"{errors} of {pictures} pictures could not be read.")
        raise typer.Exit(1)


def _counted(results: Iterable[Prediction], tally: Counter[bool]) -> Generator[Prediction, None, None]:
    # In passing, so that no result has to be kept.
    for result in results:
        tally[result.error is not None] += 1
        yield result
