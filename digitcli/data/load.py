"""From what the user calls a data set to the digits in it, and where MNIST may be."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import platformdirs

from digitcli.data import formats, mnist, reviewed
from digitcli.data.digits import DataSet, Digits
from digitcli.errors import DataError, DigitcliError
from digitcli.system.files import atomic_path, require_only
from digitcli.system.progress import Note, Progress

FOLDER = Path("MNIST")
NAMES = ("mnist", "synthetic", "auto", "simulated", "printed")
NO_DATA = {"runs", "README.md"}
"""What else lives in MNIST/."""


class MnistAbsentError(DataError):
    """MNIST is nowhere and cannot be downloaded."""


@dataclass(frozen=True)
class Place:
    """A place where MNIST is looked for.

    found: the file or folder there that is a data set; None if there is none.
    state: the format of what was found, or why nothing was.
    """

    name: str
    path: Path | None
    found: Path | None
    state: str


def places() -> list[Place]:
    """Where MNIST is looked for, in order, and what is there. Reads no more than the first bytes."""
    own = os.environ.get("DIGITCLI_DATA")
    inside = sorted(FOLDER.iterdir()) if FOLDER.is_dir() else []
    return [
        _look("MNIST/", FOLDER, (path for path in inside if path.name not in NO_DATA)),
        _look("$DIGITCLI_DATA", Path(os.path.expanduser(own)) if own else None),
        _look("the cache", cache_folder()),
    ]


def cache_folder() -> Path:
    """Where MNIST is downloaded to, and found again by every later run of this user.

    MNIST/ here for a user without a home directory, for whom there is no such place.
    """
    try:
        return Path(platformdirs.user_cache_dir("digitcli")) / "mnist"
    except RuntimeError:
        return FOLDER


def load(
    source: str,
    on_progress: Progress = lambda done, total: None,
    on_note: Note = lambda text: None,
) -> DataSet:
    """The data set that `source` names.

    source: `mnist` (looked for in `places()`, else downloaded to the cache), `synthetic` (built in),
        `auto` (mnist, or synthetic if MNIST cannot be had), the path of a file or folder, or several of
        these with + between: their training parts together, and the test part of the first that has one.
        Few digits labelled by hand weigh more than their number. To be mixed in there are `simulated` (cut
        out of pictures as people make them) and `printed` (typefaces).
    on_progress: called with bytes, read or downloaded.
    on_note: told if another process is downloading MNIST, which is waited for.

    The DataSet's origin tells what was found, and whether it is the genuine MNIST.
    Raises DataError if nothing is found or what is found is damaged.
    """
    if source == "synthetic":
        return _synthetic()
    if source == "simulated":
        from digitcli.data import simulated

        return simulated.dataset(on_progress=on_progress)
    if source == "printed":
        from digitcli.data import printed

        return printed.dataset()
    if source == "mnist":
        return _load_mnist(on_progress, on_note)
    if source == "auto":
        try:
            return _load_mnist(on_progress, on_note)
        except MnistAbsentError:
            dataset = _synthetic()
            return replace(
                dataset,
                origin=f"{dataset.origin}, NOT MNIST, which cannot be had here",
                warning="MNIST cannot be had here, so SYNTHETIC digits are used instead. "
                "To see why: digitcli data status",
            )
    path = Path(os.path.expanduser(source))  # Path.expanduser would raise where there is no such home
    if "+" in source and not path.exists():
        return _mix([load(each, on_progress, on_note) for each in source.split("+")])
    if not path.exists():
        raise DataError(
            f"There is no data set '{source}': no such file or folder. "
            f"Give a path, or one of the names {', '.join(NAMES)}."
        )
    if reviewed.recognises(path):
        return reviewed.read(path)
    return _load_path(path, on_progress)[0]


def absolute(source: str) -> str:
    """The same source, with paths that are good in any working directory."""
    if "+" in source and not Path(source).expanduser().exists():
        return "+".join(map(absolute, source.split("+")))
    path = Path(source).expanduser()
    return source if source in NAMES or not path.exists() else str(path.absolute())


def convert(
    source: str,
    target: Path,
    format_name: str,
    *,
    force: bool = False,
    on_progress: Progress = lambda done, total: None,
    on_note: Note = lambda text: None,
) -> DataSet:
    """Writes what `load(source)` finds to `target` in the named format, and returns it.

    Raises OutputError if `target` exists, unless `force` is given and it is no folder with other things
    in it, which would go with it.
    """
    data_format = formats.get(format_name)
    with atomic_path(target, force=force) as temporary:
        dataset = load(source, on_progress, on_note)
        data_format.write(dataset, temporary)
        if target.is_dir():
            new = {entry.name for entry in temporary.iterdir()} if temporary.is_dir() else set()
            require_only(target, new)
    return dataset


def verify(
    path: Path | None, on_progress: Progress = lambda done, total: None
) -> tuple[DataSet, mnist.Comparison]:
    """Reads the whole data set at `path`, by default the MNIST that would be used, and compares it.

    Raises DataError if it cannot be read.
    """
    if path is None:
        path = next((place.found for place in places() if place.found), None)
    if path is None:
        raise MnistAbsentError("There is no MNIST to verify. Download it with: digitcli data fetch")
    dataset = formats.read(path, on_progress)
    return dataset, mnist.compare(dataset)


def _look(name: str, path: Path | None, inside: Iterable[Path] = ()) -> Place:
    if path is None:
        return Place(name, None, None, "not set")
    if not path.exists():
        return Place(name, path, None, "does not exist")
    for candidate in (path, *inside):
        format_name = formats.detect(candidate)
        if format_name:
            return Place(name, path, candidate, format_name)
    return Place(name, path, None, "holds no data set")


def _load_mnist(on_progress: Progress, on_note: Note) -> DataSet:
    tried = []
    for place in places():
        if place.found:
            dataset, comparison = _load_path(place.found, on_progress)
            if comparison.is_damaged:
                raise DataError(
                    f"{place.found} holds {comparison.describe()}.\n"
                    f"Fetch it anew with: digitcli data fetch --to {FOLDER}"
                )
            return dataset
        tried.append(f"  {place.name}{f' ({place.path})' if place.path else ''}: {place.state}")
    from digitcli.data import download

    try:
        download.fetch(cache_folder(), on_progress, on_note)
    except DigitcliError as error:
        raise MnistAbsentError(
            "\n".join(
                [
                    "MNIST is not here and cannot be downloaded. Tried:",
                    *tried,
                    f"  {error}".replace("\n", "\n  "),
                    "Put its files into MNIST/, or tell where they are with DIGITCLI_DATA or --data PATH, "
                    "or use --data synthetic.",
                ]
            )
        ) from error
    return _load_path(cache_folder(), on_progress)[0]


def _load_path(path: Path, on_progress: Progress) -> tuple[DataSet, mnist.Comparison]:
    dataset, comparison = verify(path, on_progress)
    return replace(dataset, origin=f"{dataset.origin} ({comparison.describe()})"), comparison


def _mix(sets: list[DataSet]) -> DataSet:
    few = [each.train for each in sets if each.train and each.by_hand]
    parts = [each.train for each in sets if each.train and not each.by_hand]
    origin = " with ".join(each.origin for each in sets)
    if len(parts) + len(few) < len(sets):
        raise DataError(f"{origin}: one of them has no training part, so they cannot be mixed.")
    if not parts:
        parts, few = few, []
    warning = next((each.warning for each in sets if each.warning), None)
    others = [each.others for each in sets if each.others is not None]
    return DataSet(
        _together(parts),
        next((each.test for each in sets if each.test), None),
        origin,
        warning,
        np.concatenate(others) if others else None,
        _together(few) if few else None,
    )


def _together(parts: list[Digits]) -> Digits:
    return Digits(
        np.concatenate([part.images for part in parts]),
        np.concatenate([part.labels for part in parts]),
        " with ".join(part.name for part in parts),
    )


def _synthetic() -> DataSet:
    from digitcli.data import synthetic

    return synthetic.dataset()
