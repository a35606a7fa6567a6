"""Writes a model in another format, and proves that what was written gives the same answers.

Every module in `formats` is a format, called as the module with - for _. It has
    SUFFIX                  what its files end in
    write(network, path)    writes a keras.Model or tf.Module from (n, 28, 28, 1) float32 in 0-1 to (n, 10)
                            probabilities, or raises ModelError for one that it does not take
To add a format, add such a module.
"""

from __future__ import annotations

import importlib
import pkgutil
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from digitcli.errors import DigitcliError, ModelError, unknown_name
from digitcli.exporting import formats

if TYPE_CHECKING:
    from digitcli.classifiers import Classifier
    from digitcli.exporting.parity import Parity
    from digitcli.output import Progress

STEPS = 4


@dataclass(frozen=True)
class Export:
    """A written and proved export.

    path: the file or folder.
    format: one of `format_names()`.
    bytes: its size, of all files together.
    runtime: what ran it for the proof.
    parity: how close it is to the original.
    """

    path: Path
    format: str
    bytes: int
    runtime: str
    parity: Parity


def format_names() -> list[str]:
    """All formats, in alphabetical order. Imports none of them."""
    return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(formats.__path__))


def suffix(format: str) -> str:
    """What files of that format end in. Raises UsageError for an unknown format."""
    ending: str = _module(format).SUFFIX
    return ending


def export(
    model: Path,
    format: str,
    target: Path,
    *,
    force: bool = False,
    on_progress: Progress = lambda done, total: None,
) -> Export:
    """Writes `model` to `target` in that format, loads it again in its own runtime, and compares both.

    Whatever the model takes and gives, the export takes float 28x28x1 in 0-1 and gives probabilities; only a
    .tflite that stays a .tflite is copied as it is.
    Raises UsageError for an unknown format, OutputError if `target` is there and `force` is false, ModelError
    if the model cannot be read or written so or the proof fails. Then nothing is left behind.
    """
    from digitcli import classifiers
    from digitcli.exporting import parity
    from digitcli.files import atomic_path, require_replaceable, size

    writer = _module(format)
    require_replaceable(target, "saved_model.pb")
    with atomic_path(target, force=force) as temporary:
        on_progress(0, STEPS)
        original = classifiers.load(model)
        on_progress(1, STEPS)
        try:
            if original.network is not None:
                writer.write(original.network, temporary)
            elif format == "tflite":
                shutil.copyfile(model, temporary)
            else:
                raise ModelError(
                    f"{model} cannot become {format}: a .tflite has lost what that would need.\n"
                    "Export a run instead (make one with: digitcli train), or a .keras file."
                )
            on_progress(2, STEPS)
            written = _load_written(temporary, f"The {format} export of {model}")
            on_progress(3, STEPS)
            result = parity.prove(original, written)
        except (DigitcliError, OSError):
            raise
        except Exception as error:  # the converters raise nearly every kind there is
            raise ModelError(f"{model} cannot be exported to {format}: {error}") from error
        on_progress(STEPS, STEPS)
        bytes = size(temporary)
    return Export(target, format, bytes, written.runtime, result)


def _load_written(path: Path, name: str) -> Classifier:
    from digitcli import classifiers

    try:
        return classifiers.load(path)
    except ModelError as error:
        # The path is a temporary one that means nothing to the user.
        raise ModelError(f"{name} cannot be used: {str(error).removeprefix(f'{path}: ')}") from error


def _module(format: str) -> Any:
    if format not in format_names():
        raise unknown_name("export format", format, format_names())
    return importlib.import_module(f"{formats.__name__}.{format.replace('-', '_')}")
