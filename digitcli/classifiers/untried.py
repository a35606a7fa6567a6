"""Any model file to a classifier, here and now: LiteRT first, TensorFlow only for files that need it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from digitcli.classifiers.classifier import Classifier
from digitcli.classifiers.litert import LiteRTModel
from digitcli.classifiers.networks import first_line, forward, load_keras, load_saved_model, with_softmax
from digitcli.classifiers.onnx import OnnxModel
from digitcli.classifiers.recognise import Format
from digitcli.convention import SIDE
from digitcli.errors import DigitcliError, ModelError


def load_untried(path: Path, kind: Format, threads: int, *, safe: bool) -> Classifier:
    """As `classifiers.load`, here and now. safe: Python code in a Keras file is not run."""
    try:
        match kind:
            case "tflite":
                litert = LiteRTModel(path, threads)
                return Classifier(path, "LiteRT", litert, batch=litert.batch)
            case "onnx":
                onnx = OnnxModel(path, min(threads, os.cpu_count() or 1))
                return Classifier(path, "ONNX Runtime", onnx, batch=onnx.batch)
            case _:
                return _load_network(path, kind, safe)
    except DigitcliError:
        raise
    except Exception as error:  # the runtimes raise nearly every kind there is
        raise ModelError(f"{path}: does not run on {SIDE}x{SIDE} pictures: {first_line(error)}") from error


def _load_network(path: Path, kind: Literal["keras", "h5", "savedmodel"], safe: bool) -> Classifier:
    if kind == "savedmodel":
        network, batch = load_saved_model(path)
        runtime = "TensorFlow"
    else:
        network, batch = load_keras(path, kind, safe=safe)
        runtime = "Keras"
    classifier = Classifier(path, runtime, forward(network), batch=batch, network=network)
    if not classifier.gives_logits:
        return classifier
    network = with_softmax(network)
    return Classifier(path, runtime, forward(network), batch=batch, network=network)
