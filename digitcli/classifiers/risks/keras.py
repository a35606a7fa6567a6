"""What a Keras file asks for beyond calculating, found without loading it.

A .keras or .h5 file names classes and functions, and Keras calls them with arguments from the file. Each year
so far brought new ways to misuse that, most of them past Keras's own safe_mode (CVE-2024-3660, 2025-1550,
2025-8747, 2025-9905, 2025-9906, 2025-12058, 2025-49655, 2026-1462, 2026-1669). Here, names must come from the
parts of Keras that networks are made of.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from digitcli.classifiers.networks import first_line
from digitcli.classifiers.recognise import Format, no_model
from digitcli.errors import ModelError

KINDS: tuple[Format, ...] = ("keras", "h5")

RISKY = {"Lambda", "__lambda__", "TFSMLayer", "JaxLayer", "FlaxLayer", "TorchModuleWrapper"}
"""They run code that comes with the file or lies beside it."""
RISKY |= {"IndexLookup", "IntegerLookup", "StringLookup", "TextVectorization"}  # may name a file of words

FUNCTIONS = {"activations", "constraints", "initializers", "losses", "metrics", "ops", "regularizers"}
CLASSES = FUNCTIONS | {
    "dtype_policies",
    "engine",
    "layers",
    "mixed_precision",
    "models",
    "optimizers",
    "quantizers",
    "random",
}
"""The parts of Keras that networks are made of; in others there are functions that read files or run code."""

MOST_EXPANSION = 100
SMALL = 2**26
"""Bytes that a part of an archive may always have; of more, it must be stored with a share of its size."""


def find(path: Path, kind: Format) -> list[str]:
    """The layers of a .keras or .h5 file that could run code or read files.

    Raises ModelError for what is never loaded: code of other modules than Keras's, weights in other files,
    archives that expand enormously; and if the file is damaged.
    """
    try:
        config, weights = _open_archive(path) if kind == "keras" else _open_h5(path)
        for link in weights:
            raise ModelError(f"{path}: its weights {link}, which is not read. Save it again as one file.")
        return list(_risks(path, config))
    except ModelError:
        raise
    except Exception as error:  # zipfile and h5py raise nearly every kind there is
        raise ModelError(f"{path}: cannot be read, it may be damaged: {first_line(error)}") from error


def _open_archive(path: Path) -> tuple[Any, list[str]]:
    """The configuration in a .keras file, and which weights lie elsewhere."""
    with zipfile.ZipFile(path) as archive:
        for part in archive.infolist():
            if part.file_size > max(SMALL, MOST_EXPANSION * part.compress_size):
                raise ModelError(f"{path}: its {quoted(part.filename)} unpacks to far more than its size.")
        if not {"config.json", "model.weights.h5"} <= set(archive.namelist()):
            raise no_model(path)
        config = json.loads(archive.read("config.json"))
        # How it was trained is not loaded, so it may name what it wants.
        config.pop("compile_config", None)
        elsewhere = [
            link
            for name in archive.namelist()
            if name.endswith(".h5")
            for link in _elsewhere(io.BytesIO(archive.read(name)))
        ]
    return config, elsewhere


def _open_h5(path: Path) -> tuple[Any, list[str]]:
    import h5py

    with h5py.File(path) as file:
        config = file.attrs.get("model_config", "{}")
    return json.loads(config), _elsewhere(path)


def _elsewhere(source: Path | io.BytesIO) -> list[str]:
    """Which data of an HDF5 file lie in other files, and in which."""
    import h5py

    found = []

    def see_link(name: str, link: Any) -> None:
        if isinstance(link, h5py.ExternalLink):
            found.append(f"{quoted(name)} lie in another file, {quoted(link.filename)}")

    def see_object(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and (item.external or item.is_virtual):
            files = [each[0] for each in item.external or ()] or [
                each.file_name for each in item.virtual_sources()
            ]
            found.append(f"{quoted(name)} lie in another file, {quoted(files[0])}")

    with h5py.File(source) as file:
        file.visititems_links(see_link)
        file.visititems(see_object)
    return found


def _risks(path: Path, value: Any) -> Iterator[str]:
    """What is risky in a configuration; not what is inside of that."""
    if isinstance(value, dict):
        risk = _risk(path, value) if "class_name" in value else None
        if risk:
            yield risk
            return
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _risks(path, each)


def _risk(path: Path, entry: dict[str, Any]) -> str | None:
    """The class or function of an entry, if it is risky."""
    is_function = entry["class_name"] == "function"
    config = entry.get("config")
    name = str(config if is_function else entry["class_name"])
    # Old files tell no module, since all classes are Keras's.
    module = str(entry.get("module") or "keras")
    called = config.get("name", name) if isinstance(config, dict) else name
    if name in RISKY:
        return f"layer {quoted(called)} ({name})"
    if is_function and module == "builtins":  # which is what Keras calls its own, and looks up there alone
        return None
    package, *parts = (part for part in f"{module}.{name}".split(".") if part != "src")
    place = parts[0] if len(parts) > 1 else ""
    if package == "keras" and (place in FUNCTIONS or (not is_function and place in CLASSES | {""})):
        return None
    raise ModelError(
        f"{path}: Keras does not know its {'function' if is_function else 'layer'} {quoted(name)}, which is "
        f"code of the module {quoted(module)}. Export it to .tflite where it was made."
    )


def quoted(name: object) -> str:
    """A name from a file, fit for a line of ours: short, and without what controls a terminal."""
    return repr(str(name)[:50])
