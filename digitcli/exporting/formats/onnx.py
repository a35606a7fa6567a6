"""ONNX, which ONNX Runtime, OpenCV, Windows, browsers and many others run: one file."""

from __future__ import annotations

import json
import logging
import tempfile
from pathlib import Path
from typing import Any

from digitcli import classifiers
from digitcli.classifiers import Classifier
from digitcli.classifiers.networks import serving_function
from digitcli.errors import MissingExtraError
from digitcli.exporting.material import Material
from digitcli.system.quiet import native_stderr_hidden

SUFFIX = ".onnx"
OPSET = 17
"""Of the operators, from 2022: all runtimes of some age know it."""
SNIPPET = """
import numpy as np
import onnxruntime
from PIL import Image

session = onnxruntime.InferenceSession({file!r})
pixels = np.asarray(Image.open({picture!r}).convert("L"))  # 28x28, ink bright on black
images = pixels.reshape(1, 28, 28, 1).astype("float32") / 255
(probabilities,) = session.run(["probabilities"], {{"images": images}})
print(probabilities[0].argmax())
"""


def write(material: Material, path: Path) -> None:
    """Writes a network to `path`: `images`, (n, 28, 28, 1) float32 in 0-1, to `probabilities`, (n, 10).

    Beside it, as NAME-uint8.onnx, the same for images of uint8 in 0-255, since an ONNX file has one entry.
    Raises MissingExtraError without tf2onnx.
    """
    for dtype, file in (("float32", path), ("uint8", uint8_path(path))):
        proto = convert(material, dtype)
        file.write_bytes(proto.SerializeToString())


def uint8_path(path: Path) -> Path:
    """Where the entry for uint8 lies, beside the export at `path`."""
    return path.with_name(f"{path.stem}-uint8{path.suffix}")


def second(path: Path) -> Classifier:
    """The entry for uint8, ready to run."""
    return classifiers.load_our_own(uint8_path(path))


def companions(path: Path) -> list[Path]:
    """The files that are written beside the export at `path`."""
    return [uint8_path(path)]


def convert(material: Material, dtype: str = "float32", batch: int | None = None) -> Any:
    """The onnx.ModelProto of a network; dtype and batch as for `serving_function`."""
    serve = serving_function(material.network, dtype, batch)
    try:
        with native_stderr_hidden():
            import onnx
            import tf2onnx
    except ImportError as error:
        raise MissingExtraError("tf2onnx", "digitcli[onnx]") from error
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    with native_stderr_hidden():
        proto, _ = tf2onnx.convert.from_function(serve, input_signature=serve.input_signature, opset=OPSET)
    for tensor in (*proto.graph.input, *proto.graph.output):
        if batch is None:
            tensor.type.tensor_type.shape.dim[0].dim_param = "n"
    onnx.helper.set_model_props(proto, {key: _text(value) for key, value in material.about.items()})
    onnx.checker.check_model(proto, full_check=True)
    return proto


def folded(proto: Any) -> Any:
    """The same onnx.ModelProto with all that does not depend on the picture worked out, by ONNX Runtime."""
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError("ONNX Runtime", "digitcli[onnx]") from error
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    with tempfile.TemporaryDirectory(prefix="digitcli-") as folder:
        options.optimized_model_filepath = str(Path(folder, "folded.onnx"))
        with native_stderr_hidden():
            onnxruntime.InferenceSession(
                proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        return onnx.load(options.optimized_model_filepath)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
