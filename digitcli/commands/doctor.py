"""`digitcli doctor`: what is installed, and what would be used."""

from __future__ import annotations

from dataclasses import asdict

from digitcli.commands import options


def doctor(
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Tell what is installed here and what would be used, as a report of a fault needs it.

    Versions, instructions of the processor, which extras are there, where MNIST
    is found, and which model predict and evaluate would use.

    [bold]Example[/bold]

      digitcli doctor --json
    """
    from digitcli.diagnosis import diagnose

    out = options.output("doctor", json, quiet, verbose, debug)
    found = diagnose()
    out.document(
        {
            **asdict(found),
            "mnist": [
                {"name": place.name, "path": place.path and str(place.path), "state": place.state}
                for place in found.mnist
            ],
        }
    )
    out.table(
        ["package", "version"], ([name, each or "not installed"] for name, each in found.versions.items())
    )
    out.lines("")
    extras = [[name, " ".join(missing)] for name, missing in found.extras.items()]
    out.table(["extra", "missing"], extras)
    out.lines("")
    out.table(["MNIST in", "state"], ([place.name, place.state] for place in found.mnist))
    out.lines("")
    rows = [
        ["cores", str(found.cores)],
        ["processor", " ".join(found.processor)],
        ["model", found.model],
    ]
    out.table(["what is used", ""], rows)
