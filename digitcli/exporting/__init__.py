"""Writes a model in another format, and proves that what was written gives the same answers.

Every module in `formats` is a format; what one has, is written there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from digitcli.errors import DigitcliError, ModelError
from digitcli.exporting.formats import ALL, format_names, module, suffix
from digitcli.exporting.result import Export

if TYPE_CHECKING:
    from digitcli.classifiers import Classifier
    from digitcli.data.digits import DataSet, Digits
    from digitcli.evaluation import Runnable
    from digitcli.exporting.material import Material
    from digitcli.system.progress import Progress

__all__ = ["ALL", "UNSPECIFIED", "Export", "export", "format_names", "module", "suffix"]

UNSPECIFIED = "unspecified"
BATCH = 256


def export(
    model: Path,
    format: str,
    target: Path,
    data: DataSet,
    *,
    name: str | None = None,
    license: str = UNSPECIFIED,
    force: bool = False,
    trust: Callable[[str], None] | None = None,
    on_progress: Progress = lambda done, total: None,
) -> list[Export]:
    """Writes `model` in that format, loads it again in its own runtime, and compares both.

    format: one of `format_names()`, or "all" for a folder with each that the model can become.
    target: the file or folder. A README.md lies in the folder, or beside the file, called as it with .md.
    data: its test part tells the accuracy; its training part shows what pictures are like.
    name: of the model, for the README; by default that of its file.
    license: that the model is under. trust: as for classifiers.load.

    Whatever the model takes and gives, the export takes float 28x28x1 in 0-1 and gives probabilities. That
    needs a Keras model or a SavedModel; a .tflite can only be exported as one, if it does so already.
    Raises UsageError for an unknown format, OutputError if something is in the way and `force` is false,
    ModelError if the model cannot be read or written so or the proof fails, MissingExtraError if a package is
    not installed. Then nothing is left behind.
    """
    from digitcli import classifiers, evaluation
    from digitcli.classifiers import trial
    from digitcli.exporting.material import Material, describe, typical
    from digitcli.exporting.readme import readme
    from digitcli.system.files import atomic_group, readable, require_free, require_only, require_replaceable

    chosen = format_names() if format == ALL else [format]
    for each in chosen:
        module(each)
    if format == ALL:
        require_only(target, {"README.md"} | {name for each in chosen for name in _names(each)})
    else:
        require_replaceable(target, "saved_model.pb")
    for companion in () if force or format == ALL else _companions(format, target):
        require_free(companion)
    with atomic_group(target, force=force) as temporary:
        on_progress(0, len(chosen))
        original = classifiers.load(model, trust=trust)
        if format == ALL:
            chosen = [each for each in chosen if _takes(each, original.network)]
            if not chosen:
                raise _stays(model, "anything else")
            temporary.mkdir()
        accuracy = evaluation.evaluate(original, data.scored).accuracy
        about = describe(readable(name or model.stem), original.classes, accuracy, _called(data), license)
        material = Material(original.network, about, typical(data))
        results: list[Export] = []
        for each in chosen:
            path = temporary / f"model{suffix(each)}" if format == ALL else temporary
            place = target / path.name if format == ALL else target
            try:
                result = _write_and_prove(each, original, material, path, data.scored)
            except ModelError as error:
                # The path is a temporary one that means nothing to the user.
                told = str(error).replace(str(path), str(place))
                prefix = "" if str(model) in told else f"{model} cannot be exported to {each}: "
                raise ModelError(prefix + told) from error
            results.append(replace(result, path=place))
            on_progress(len(results), len(chosen))
        note = temporary / "README.md" if temporary.is_dir() else temporary.with_name(f"{temporary.name}.md")
        note.write_text(readme(about, results), encoding="utf-8", errors="replace")
    for result in results:
        for path in (result.path, *_companions(result.format, result.path)):
            trial.remember(path)
    return results


def _takes(format: str, network: Any) -> bool:
    takes: Callable[[Any], bool] = getattr(module(format), "takes", lambda network: True)
    return network is not None and takes(network)


def _companions(format: str, path: Path) -> list[Path]:
    """What lies beside an export that is a file."""
    beside: Callable[[Path], list[Path]] = getattr(module(format), "companions", lambda path: [])
    return [path.with_name(f"{path.name}.md"), *beside(path)]


def _names(format: str) -> list[str]:
    """What a folder of all holds of that format."""
    path = Path(f"model{suffix(format)}")
    return [path.name, *(each.name for each in _companions(format, path))]


def _called(data: DataSet) -> str:
    """The part that is scored, without the folders of this machine."""
    from digitcli.data import mnist

    genuine = data.test is not None and mnist.compare(replace(data, train=None)).is_genuine
    return "the MNIST test set" if genuine else Path(data.scored.name).name


def _write_and_prove(
    format: str,
    original: Classifier,
    material: Material,
    path: Path,
    digits: Digits,
) -> Export:
    import numpy as np

    from digitcli import classifiers, evaluation
    from digitcli.classifiers.networks import first_line
    from digitcli.exporting import parity
    from digitcli.system.files import size

    writer = module(format)
    try:
        if original.network is not None:
            writer.write(material, path)
        elif format == "tflite" and original.runtime == "LiteRT" and writer.is_ours(original.path):
            path.write_bytes(writer.with_metadata(original.path.read_bytes(), material.about))
        else:
            raise _stays(original.path, format)
        load: Callable[[Path], Runnable] = getattr(writer, "load", classifiers.load_our_own)
        written = load(path)
        bound = getattr(writer, "BOUND", parity.EXACT)
        proof = parity.prove(original, written, bound)
        if hasattr(writer, "second"):
            parity.prove(original, writer.second(path), bound)
        accuracy = evaluation.evaluate(written, digits, batch_size=len(digits)).accuracy
        parity.prove_accuracy(original, material.about["accuracy"], accuracy, len(digits), bound)
        one, many = digits.images[:1], np.resize(digits.images, (BATCH, *digits.images.shape[1:]))
        milliseconds = 1000 * written.seconds(one, 50)
        images_per_second = BATCH / written.seconds(many, 3)
    except (DigitcliError, OSError):
        raise
    except Exception as error:  # the converters raise nearly every kind there is
        raise ModelError(f"{original.path} cannot be exported to {format}: {first_line(error)}") from error
    return Export(path, format, size(path), written.runtime, proof, accuracy, milliseconds, images_per_second)


def _stays(model: Path, format: str) -> ModelError:
    return ModelError(
        f"{model} cannot become {format}: a .tflite or .onnx file has lost what that would need.\n"
        "Export a run instead (make one with: digitcli train), or a .keras file."
    )
