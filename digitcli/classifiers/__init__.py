"""Any model file to ten probabilities per picture: LiteRT first, TensorFlow only for files that need it.

Files are recognised by their content. A model may take its 28x28 pixels in any usual arrangement and give
probabilities or logits; `Classifier` hides the difference.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from digitcli.classifiers.classifier import Classifier
from digitcli.classifiers.recognise import recognise
from digitcli.classifiers.untried import load_untried
from digitcli.errors import ModelError, UsageError
from digitcli.runs import BUNDLED

__all__ = ["Classifier", "load", "load_our_own", "model_bytes"]

THREADS = 2
"""For LiteRT, unless told otherwise. More wait for each other on pictures this small."""


def load(
    path: Path, *, threads: int = THREADS, views: int = 1, trust: Callable[[str], None] | None = None
) -> Classifier:
    """The classifier in a .tflite, .onnx, .keras or .h5 file or a SavedModel folder, whatever its name.

    A file that digitcli does not know is first tried in another process: see trial.
    threads: for LiteRT and ONNX Runtime, at most; TensorFlow decides itself. views: see Classifier.
    trust: let in whatever the file brings along, untried; called before with what could run code or read or
        write files, if there is such a thing. None: that is refused.
    Raises UsageError for less than one view; ModelError, which names the file, if it is absent, damaged, no
    model, no classifier of 28x28 pictures into ten classes, or refused; MissingExtraError if it needs
    TensorFlow or ONNX Runtime and that is not installed.
    """
    if views < 1:
        raise UsageError(f"At least one view of each picture is needed, got {views}.")
    kind = recognise(path)
    if path.parent != BUNDLED.parent:
        from digitcli.classifiers import trial  # the bundled model should not pay for its import

        if trust:
            trial.tell_risks(path, kind, trust)
        else:
            trial.require_passed(path, kind)
    classifier = load_untried(path, kind, threads, safe=trust is None)
    classifier.views = views
    return classifier


def load_our_own(path: Path, *, threads: int = THREADS, views: int = 1) -> Classifier:
    """As `load`, for what digitcli has just written or tried, and so need not try."""
    classifier = load_untried(path, recognise(path), threads, safe=False)
    classifier.views = views
    return classifier


def model_bytes(classifier: Classifier) -> bytes:
    """The model file, which so need not be on the other machines. Raises ModelError if it is not LiteRT's."""
    if classifier.runtime != "LiteRT":
        raise ModelError(
            f"{classifier.path} is run by {classifier.runtime}; --engine ray takes LiteRT only. "
            "Export it first: digitcli export --format tflite"
        )
    return classifier.path.read_bytes()
