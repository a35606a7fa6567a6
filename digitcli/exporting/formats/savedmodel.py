"""TensorFlow's SavedModel: a folder that TensorFlow Serving and plain TensorFlow run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitcli.classifiers import Classifier
from digitcli.classifiers.networks import DEFAULT_SIGNATURE, OUTPUT, UINT8_SIGNATURE, serving_function
from digitcli.exporting.material import Material
from digitcli.system.tensorflow_setup import import_tensorflow

SUFFIX = ".savedmodel"
SNIPPET = """
import numpy as np
import tensorflow as tf
from PIL import Image

model = tf.saved_model.load({file!r})
pixels = np.asarray(Image.open({picture!r}).convert("L"))  # 28x28, ink bright on black
images = tf.constant(pixels.reshape(1, 28, 28, 1))
answer = model.signatures["serving_uint8"](images=images)  # serving_default takes float32 in 0-1
print(int(answer["probabilities"][0].numpy().argmax()))
"""


def write(material: Material, path: Path) -> None:
    """Writes a network to the folder `path`.

    Its signature serving_default takes `images`, (n, 28, 28, 1) float32 in 0-1, and serving_uint8 the same as
    uint8 in 0-255; both give `probabilities`, (n, 10) float32. What is known about the model lies in
    assets.extra/digitcli.json.
    """
    serve = serving_function(material.network)
    save(path, {DEFAULT_SIGNATURE: serve, UINT8_SIGNATURE: serving_function(material.network, "uint8")})
    extra = path / "assets.extra"
    extra.mkdir()
    (extra / "digitcli.json").write_text(json.dumps(material.about, indent=2), encoding="utf-8")


def save(path: Path, signatures: dict[str, Any]) -> None:
    """Writes tf.functions of one network, by the names of their signatures, as a SavedModel.

    Raises OSError if it cannot be written.
    """
    tf = import_tensorflow()
    module = tf.Module()
    module.functions = list(signatures.values())
    # The variables alone: where a Keras model is tracked as a whole, LiteRT's converter (TensorFlow 2.21)
    # does not see that they are constant, and leaves them out.
    module.weights = list(module.functions[0].get_concrete_function().variables)
    try:
        tf.saved_model.save(module, str(path), signatures=signatures)
    except tf.errors.OpError as error:
        # TensorFlow names its own operations before and after what the system said.
        raise OSError(error.message.rpartition("; ")[2].partition(" [")[0]) from error


def second(path: Path) -> Classifier:
    """The entry for uint8, ready to run."""
    tf = import_tensorflow()
    owner = tf.saved_model.load(str(path))
    signature = owner.signatures[UINT8_SIGNATURE]

    def run(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        outputs: NDArray[np.float32] = signature(images=tf.constant(images[..., None]))[OUTPUT].numpy()
        return outputs

    # Who holds the signature must outlive it.
    return Classifier(path, "TensorFlow", run, network=owner)
