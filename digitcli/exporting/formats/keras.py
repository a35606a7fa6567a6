"""Keras's own format: one .keras file that `keras.saving.load_model` reads, to be trained further."""

from __future__ import annotations

import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from digitcli.errors import ModelError
from digitcli.exporting.material import Material
from digitcli.system.tensorflow_setup import import_tensorflow

SUFFIX = ".keras"
SNIPPET = """
import keras
import numpy as np
from PIL import Image

model = keras.saving.load_model({file!r})
pixels = np.asarray(Image.open({picture!r}).convert("L"))  # 28x28, ink bright on black
images = pixels.reshape(1, 28, 28, 1).astype("float32") / 255
print(model.predict(images, verbose=0)[0].argmax())
"""


def takes(network: Any) -> bool:
    """Whether `network` is Keras's, and not a SavedModel's."""
    import_tensorflow()
    import keras

    return isinstance(network, keras.Model)


def write(material: Material, path: Path) -> None:
    """Writes a keras.Model to `path`, with what is known about it as digitcli.json inside.

    Raises ModelError for any other network.
    """
    import keras

    if not takes(material.network):
        raise ModelError("A Keras file can only be made from a Keras model: a .keras or .h5 file, or a run.")
    # Keras insists on the ending.
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        named = Path(folder, f"model{SUFFIX}")
        keras.saving.save_model(material.network, named)
        with zipfile.ZipFile(named, "a") as archive:
            archive.writestr("digitcli.json", json.dumps(material.about, indent=2))
        named.replace(path)
