"""Parquet: pictures as the bytes of their files, and a column `label` with the digits that they show.

Pictures that already are in MNIST's convention (28x28, grey, light ink on black) are taken as they are; each
of the others goes through the same preprocessing as the pictures that predict is given.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digitcli.convention import CLASSES, SIDE
from digitcli.data.digits import DataSet, Digits
from digitcli.data.formats.folders import as_it_is
from digitcli.data.unpack import MOST_BYTES
from digitcli.errors import DataError, ImageError
from digitcli.images.decode import open_picture
from digitcli.sources import parquet
from digitcli.sources.source import Source
from digitcli.system.limits import PictureLimits
from digitcli.system.progress import Progress

LOOKS_LIKE = (
    "Parquet (pictures as bytes, and `label`; or a folder with train*.parquet, test*.parquet or both)"
)

_PARTS = ("train", "test")


def recognises(path: Path) -> bool:
    """A Parquet file, or a folder with some whose names begin with train or test."""
    return parquet.recognises(path) if path.is_file() else bool(path.is_dir() and files(path))


def files(path: Path) -> dict[str, list[Path]]:
    """The files of each part, in order; a single file is the training part."""
    if path.is_file():
        return {"train": [path]}
    found = {part: sorted(path.glob(f"{part}*.parquet")) for part in _PARTS}
    return {part: its for part, its in found.items() if its}


def scored(path: Path) -> list[Path]:
    """The files that a model is scored on."""
    found = files(path)
    return found.get("test", found.get("train", []))


def read(path: Path, on_progress: Progress) -> DataSet:
    """All rows, in order. Raises DataError if there are none, or a picture or label is absent or damaged."""
    parts = {part: _read_files(its, path, on_progress) for part, its in files(path).items()}
    return DataSet(parts.get("train"), parts.get("test"), f"Parquet {path}")


def read_rows(path: Path, rows: range | None = None) -> Digits:
    """Some rows of one file, or all."""
    images, labels = [], []
    with PictureLimits() as limits:
        for source, label in parquet.read_labelled(path, rows):
            images.append(_pixels(source, limits))
            if label is None or not 0 <= label < CLASSES:
                raise DataError(f"{source.name}: its label is {label}; a digit 0-9 is expected.")
            labels.append(label)
            if len(images) * SIDE * SIDE > MOST_BYTES:
                raise DataError(f"{path} holds more than {MOST_BYTES // SIDE**2} pictures. Split it.")
    if not images:
        raise DataError(f"{path} holds no pictures.")
    return Digits(np.stack(images), np.array(labels, np.uint8), str(path))


def write(dataset: DataSet, path: Path) -> None:
    """A folder with train.parquet and test.parquet, as far as there are such parts, of grey PNG."""
    parquet.require_pyarrow()
    import pyarrow as pa
    from pyarrow.parquet import write_table

    path.mkdir()
    for part, digits in (("train", dataset.train), ("test", dataset.test)):
        if digits:
            columns = {"image": list(_packed(digits)), parquet.LABEL: digits.labels}
            with (path / f"{part}.parquet").open("wb") as file:
                write_table(pa.table(columns), file, row_group_size=10_000)


def _read_files(paths: list[Path], name: Path, on_progress: Progress) -> Digits:
    sizes = [path.stat().st_size for path in paths]
    read = []
    for number, path in enumerate(paths, 1):
        read.append(read_rows(path))
        on_progress(sum(sizes[:number]), sum(sizes))
    images, labels = (np.concatenate([getattr(each, of) for each in read]) for of in ("images", "labels"))
    return Digits(images, labels, str(paths[0] if len(paths) == 1 else name))


def _pixels(source: Source, limits: PictureLimits) -> NDArray[np.uint8]:
    if isinstance(source.content, ImageError):
        raise DataError(str(source.content))
    assert isinstance(source.content, bytes)
    with limits.reading(source, source.name):
        image = open_picture(source.content, source.name)
        pixels = as_it_is(image)
        if pixels is None:
            from digitcli.images.preprocess import to_mnist

            pixels = to_mnist(image)
    return pixels


def _packed(digits: Digits) -> Iterator[bytes]:
    for image in digits.images:
        file = io.BytesIO()
        Image.fromarray(image).save(file, "PNG")
        yield file.getvalue()
