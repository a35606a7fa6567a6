"""Keras's own format: one .keras file that `keras.saving.load_model` reads, to be trained further."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from digitcli.errors import ModelError

SUFFIX = ".keras"


def write(network: Any, path: Path) -> None:
    """Writes a keras.Model to `path`. Raises ModelError for any other network."""
    import keras

    if not isinstance(network, keras.Model):
        raise ModelError("A Keras file can only be made from a Keras model: a .keras or .h5 file, or a run.")
    # Keras insists on the ending.
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        named = Path(folder, f"model{SUFFIX}")
        keras.saving.save_model(network, named)
        named.replace(path)
