"""Pictures to digits: paths in, results out, streamed and in order.

Whatever the number of pictures, one batch of them is in memory at a time.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from digitcli.errors import ImageError
from digitcli.images.decode import open_picture
from digitcli.images.preprocess import to_mnist

PICTURE_SUFFIXES = frozenset(
    {".apng", ".avif", ".bmp", ".dib", ".gif", ".ico", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg"}
    | {".pbm", ".pcx", ".pgm", ".png", ".pnm", ".ppm", ".sgi", ".tga", ".tif", ".tiff", ".webp"}
)
"""What is taken from a folder. A file that is named itself is read whatever it is called."""

BATCH_SIZE = 64

STDIN = "-"

# How the picture formats begin that may come through a pipe; no path begins so.
_PICTURE = re.compile(
    rb"\x89PNG|\xff\xd8\xff|GIF8[79]a|BM.{4}\0{4}|RIFF.{4}WEBP|II\*\0|MM\0\*|P[1-7]\s+[\d#]|\0", re.DOTALL
)
_HEAD = 16  # bytes, enough for all of them


class Classifier(Protocol):
    """What is needed of digitcli.classifiers.Classifier."""

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, 28, 28) uint8 to the probabilities of the digits, (n, 10) float32."""


@dataclass(frozen=True)
class Source:
    """One picture to read: a name to show, and the file or the bytes that hold it."""

    name: str
    content: Path | bytes


@dataclass(frozen=True)
class Prediction:
    """What was read in one picture.

    path: the picture, as it was named.
    digit: 0-9, or None where there is none to tell.
    confidence: the probability of the likeliest digit, 0-1; None if nothing was classified.
    top: the likeliest digits with their probabilities, likeliest first.
    reason: why `digit` is None although the picture could be read.
    error: why the picture could not be read.
    """

    path: str
    digit: int | None = None
    confidence: float | None = None
    top: tuple[tuple[int, float], ...] = ()
    reason: str | None = None
    error: str | None = None


def expand(inputs: Iterable[str], stdin: BinaryIO) -> Iterator[Source]:
    """The pictures that the words of a command line mean, in their order, found as they are asked for.

    inputs: files; folders, of which all pictures are taken, subfolders included, sorted by name; patterns
    that the shell left alone (`**` crosses folders); or `-`, for what comes through stdin: the bytes of one
    picture, or one file, folder or pattern per line.
    What does not exist comes out as it was written; reading it will fail with a clear error.
    Raises ImageError at the end if there was no picture at all.
    """
    words = list(inputs)
    none = True
    for word in words:
        for source in _read_stdin(stdin) if word == STDIN else _expand_path(word):
            none = False
            yield source
    if none:
        places = ", ".join("stdin" if word == STDIN else word for word in words)
        raise ImageError(f"No pictures in {places}. Name a picture, or a folder that holds some.")


def predict(
    sources: Iterable[Source],
    classifier: Classifier,
    *,
    top_k: int = 1,
    min_confidence: float = 0.0,
    batch_size: int = BATCH_SIZE,
) -> Iterator[Prediction]:
    """Reads one digit from each picture, and yields the results in the order of the pictures.

    top_k: how many of the likeliest digits `Prediction.top` holds, 1-10.
    min_confidence: below it, 0-1, the digit is None.
    batch_size: how many pictures are classified, and come out, together.
    A picture that cannot be read gives a Prediction with its error; one without ink, a reason.
    """
    pending = iter(sources)
    while batch := list(islice(pending, batch_size)):
        prepared = [_prepare(source) for source in batch]
        images = [each for each in prepared if not isinstance(each, Prediction)]
        rows = iter(classifier.probabilities(np.stack(images)) if images else ())
        for source, each in zip(batch, prepared, strict=True):
            if isinstance(each, Prediction):
                yield each
            else:
                yield _decide(source.name, next(rows), top_k, min_confidence)


def _expand_path(text: str) -> Iterator[Source]:
    path = Path(text)
    if path.is_dir():
        yield from _pictures_in(text)
    elif glob.has_magic(text) and not path.exists():
        yield from _matches(text)
    else:
        yield Source(text, path)


def _matches(pattern: str) -> Iterator[Source]:
    matches = sorted(glob.glob(pattern, recursive=True))
    if not matches:
        yield Source(pattern, Path(pattern))
    for match in matches:
        if not os.path.isdir(match):
            yield Source(match, Path(match))
        elif "**" not in pattern:  # which finds a folder and also all that is in it
            yield from _pictures_in(match)


def _pictures_in(folder: str) -> Iterator[Source]:
    for parent, folders, files in os.walk(folder):
        folders.sort()
        for file in sorted(files):
            # macOS leaves ._NAME.png beside NAME.png on foreign disks.
            if os.path.splitext(file)[1].lower() in PICTURE_SUFFIXES and not file.startswith("."):
                path = os.path.join(parent, file)
                yield Source(path, Path(path))


def _read_stdin(stdin: BinaryIO) -> Iterator[Source]:
    head = stdin.read(_HEAD)
    if _PICTURE.match(head):
        yield Source(STDIN, head + stdin.read())
        return
    for line in chain((head + stdin.readline()).splitlines(), stdin):
        if path := os.fsdecode(line.rstrip(b"\r\n")):
            yield from _expand_path(path)


def _prepare(source: Source) -> NDArray[np.uint8] | Prediction:
    try:
        image = to_mnist(open_picture(source.content, source.name))
    except ImageError as error:
        return Prediction(source.name, error=str(error))
    return image if image.any() else Prediction(source.name, reason="no ink")


def _decide(name: str, probabilities: NDArray[np.float32], top_k: int, min_confidence: float) -> Prediction:
    order = np.argsort(-probabilities, kind="stable")[:top_k]
    top = tuple((int(digit), float(probabilities[digit])) for digit in order)
    digit, confidence = top[0]
    result = Prediction(name, digit, confidence, top)
    if confidence < min_confidence:
        return replace(result, digit=None, reason=f"not sure enough ({digit} at {confidence:.2f})")
    return result
