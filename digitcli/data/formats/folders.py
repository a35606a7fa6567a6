"""Folders of pictures: one folder per digit, 0 to 9, optionally under train/ and test/.

Pictures that already are in MNIST's convention (28x28, grey, light ink on black) are taken as they
are; if any is not, all go through the same preprocessing as the pictures that predict is given.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digitcli.convention import CLASSES, SIDE
from digitcli.data.digits import DataSet, Digits
from digitcli.errors import DataError
from digitcli.images.decode import open_picture
from digitcli.system.limits import PictureLimits
from digitcli.system.progress import Progress

LOOKS_LIKE = "folders of pictures (named 0 to 9, or train and test with such folders inside)"

PART_FOLDERS = {"train": ("train", "training"), "test": ("test", "testing")}


def recognises(path: Path) -> bool:
    """A folder with a folder named after a digit, or with train or test folders."""
    return path.is_dir() and bool(_digit_folders(path) or _part_folders(path))


def read(path: Path, on_progress: Progress) -> DataSet:
    """All pictures, in the order of their file names, so that digits come mixed if names are shared.

    Raises DataError if there are none, for a folder that is no digit, or a file that is no picture.
    """
    parts = {
        part: _read_part(folder, on_progress)
        for part, folder in (_part_folders(path) or {"train": path}).items()
    }
    return DataSet(parts.get("train"), parts.get("test"), f"pictures in {path}")


def write(dataset: DataSet, path: Path) -> None:
    """Grey PNG files of 28x28, numbered so that reading them restores the order."""
    for part, digits in (("train", dataset.train), ("test", dataset.test)):
        if digits:
            for label in range(CLASSES):
                (path / part / str(label)).mkdir(parents=True)
            width = len(str(len(digits)))
            for number, (image, label) in enumerate(zip(digits.images, digits.labels, strict=True)):
                Image.fromarray(image).save(path / part / str(label) / f"{number:0{width}}.png", "PNG")


def _digit_folders(folder: Path) -> list[Path]:
    return [entry for entry in folder.iterdir() if entry.is_dir() and entry.name.isdecimal()]


def _part_folders(folder: Path) -> dict[str, Path]:
    return {
        part: folder / name
        for part, names in PART_FOLDERS.items()
        for name in names
        if (folder / name).is_dir()
    }


def _read_part(folder: Path, on_progress: Progress) -> Digits:
    paths: list[Path] = []
    for digit_folder in _digit_folders(folder):
        if digit_folder.name not in map(str, range(CLASSES)):
            raise DataError(f"{digit_folder}: the folder's name is not a digit 0-9.")
        paths += (file for file in digit_folder.iterdir() if not file.name.startswith("."))
    if not paths:
        raise DataError(f"{folder} holds no pictures: expected folders 0 to 9 with pictures in them.")
    paths.sort(key=lambda path: (path.name, path.parent.name))
    labels = np.array([int(path.parent.name) for path in paths], np.uint8)
    return Digits(_read_pictures(paths, on_progress), labels, str(folder))


def _read_pictures(paths: list[Path], on_progress: Progress) -> NDArray[np.uint8]:
    """(n, 28, 28) uint8."""
    images = []
    with PictureLimits() as limits:
        for image in _opened(paths, on_progress, limits):
            pixels = as_it_is(image)
            if pixels is None:
                from digitcli.images.preprocess import to_mnist

                return np.stack([to_mnist(each) for each in _opened(paths, on_progress, limits)])
            images.append(pixels)
    return np.stack(images)


def _opened(paths: list[Path], on_progress: Progress, limits: PictureLimits) -> Iterator[Image.Image]:
    for path in _reporting(paths, on_progress):
        with limits.reading(path, str(path)):
            image = open_picture(path)
        yield image


def _reporting(paths: list[Path], on_progress: Progress) -> Iterator[Path]:
    states = [path.stat() for path in paths]
    for path, state in zip(paths, states, strict=True):
        if not stat.S_ISREG(state.st_mode):  # a pipe would be waited for
            raise DataError(f"{path} is not a file with a picture. Remove it.")
    sizes = [state.st_size for state in states]
    total = sum(sizes)
    done = 0
    for path, size in zip(paths, sizes, strict=True):
        yield path
        done += size
        on_progress(done, total)


def as_it_is(image: Image.Image) -> NDArray[np.uint8] | None:
    """The pixels if the picture is in MNIST's convention: most of its border is dark."""
    if image.size != (SIDE, SIDE) or image.mode != "L":
        return None
    pixels = np.asarray(image)
    border = np.concatenate([pixels[0], pixels[-1], pixels[1:-1, 0], pixels[1:-1, -1]])
    return pixels if np.median(border) < 128 else None
