"""LiteRT's format, formerly TensorFlow Lite: one small file that starts in milliseconds."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from digitcli.classifiers.networks import DEFAULT_SIGNATURE, OUTPUT, serving_function
from digitcli.exporting.formats import savedmodel
from digitcli.exporting.material import Material
from digitcli.system.quiet import native_stderr_hidden
from digitcli.system.tensorflow_setup import import_tensorflow

SUFFIX = ".tflite"
SNIPPET = """
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

run = Interpreter({file!r}).get_signature_runner()
pixels = np.asarray(Image.open({picture!r}).convert("L"))  # 28x28, ink bright on black
images = pixels.reshape(1, 28, 28, 1).astype("float32") / 255
print(run(images=images)["probabilities"][0].argmax())
"""


def write(material: Material, path: Path) -> None:
    """Writes a network to `path`, in float32, with the signature serving_default of the SavedModel."""
    path.write_bytes(convert(material))


def convert(
    material: Material,
    run: Callable[[Any], bytes] = lambda converter: converter.convert(),
    batch: int | None = None,
) -> bytes:
    """The .tflite file of a network, with what is known about it as its metadata "digitcli".

    run: what TensorFlow's converter is to do. batch: as for `serving_function`.
    """
    tf = import_tensorflow()
    signatures = {DEFAULT_SIGNATURE: serving_function(material.network, batch=batch)}
    # Through a SavedModel, since that is the one way into the converter that keeps the signature.
    with tempfile.TemporaryDirectory(prefix="digitcli-") as folder, native_stderr_hidden():
        savedmodel.save(Path(folder), signatures)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        return with_metadata(run(converter), material.about)


def with_metadata(file: bytes, about: dict[str, Any]) -> bytes:
    """A .tflite file with its metadata "digitcli", as JSON."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(file, 0)
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = list(json.dumps(about).encode())
    entry.name, entry.buffer = "digitcli", len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]
    return packed(model)


def packed(model: Any) -> bytes:
    """The .tflite file of a `ModelT` of LiteRT's schema."""
    import flatbuffers

    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def is_ours(path: Path) -> bool:
    """Whether a .tflite file takes and gives what an export does, and so may be passed on as one."""
    from ai_edge_litert.interpreter import Interpreter

    with native_stderr_hidden():
        interpreter = Interpreter(str(path))
    wanted = {DEFAULT_SIGNATURE: {"inputs": ["images"], "outputs": [OUTPUT]}}
    return bool(interpreter.get_signature_list() == wanted)
