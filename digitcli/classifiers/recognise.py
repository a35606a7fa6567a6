"""Which kind of model a file is, by its content."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from digitcli.classifiers.onnx import may_be_onnx
from digitcli.errors import ModelError

Format = Literal["keras", "h5", "tflite", "onnx", "savedmodel"]


def recognise(path: Path) -> Format:
    """Which kind of model `path` is, by its content. Raises ModelError if it is none."""
    if not path.exists():
        raise ModelError(f"There is no model at {path}.")
    if path.is_dir():
        if (path / "saved_model.pb").exists():
            return "savedmodel"
        raise ModelError(f"{path}: is a folder without a model. Give a run, a SavedModel or a model file.")
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}.") from error
    if head[4:] == b"TFL3":
        return "tflite"
    if head == b"\x89HDF\r\n\x1a\n":
        return "h5"
    if head.startswith(b"PK\x03\x04"):  # an archive; risks.keras looks into it
        return "keras"
    if path.name == "saved_model.pb":
        raise ModelError(f"{path}: is a part of a SavedModel. Give its folder, {path.parent}.")
    if may_be_onnx(head):
        return "onnx"
    raise no_model(path)


def no_model(path: Path) -> ModelError:
    """The error for a file that is no model at all."""
    return ModelError(
        f"{path}: is not a model. Known are .tflite, .onnx, .keras, .h5 and SavedModel folders."
    )
