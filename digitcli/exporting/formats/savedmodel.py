"""TensorFlow's SavedModel: a folder that TensorFlow Serving and plain TensorFlow run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from digitcli.networks import DEFAULT_SIGNATURE, serving_function
from digitcli.tensorflow_setup import import_tensorflow

SUFFIX = ".savedmodel"


def write(network: Any, path: Path) -> None:
    """Writes a keras.Model or tf.Module to the folder `path`.

    Its signature serving_default takes `images`, (n, 28, 28, 1) float32 in 0-1, and gives `probabilities`,
    (n, 10) float32.
    """
    tf = import_tensorflow()
    module = tf.Module()
    module.serve = serving_function(network)
    # The variables alone: where a Keras model is tracked as a whole, LiteRT's converter (TensorFlow 2.21)
    # does not see that they are constant, and leaves them out.
    module.weights = list(module.serve.get_concrete_function().variables)
    tf.saved_model.save(module, str(path), signatures={DEFAULT_SIGNATURE: module.serve})
