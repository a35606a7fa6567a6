"""CSV: pixels and labels in separate files, or one file with the label before the pixels.

Pixels are 0-255 or 0-1, labels are digits or one-hot, a header may be there, and gzip is unpacked.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from digitcli.convention import CLASSES, SIDE
from digitcli.data.digits import DataSet, Digits
from digitcli.data.unpack import open_unpacked
from digitcli.errors import DataError
from digitcli.system.progress import Progress

LOOKS_LIKE = "CSV (digit_xtrain.csv and its three companions, or mnist_train.csv with the label first)"

PIXELS = SIDE * SIDE
SEPARATE = {
    "train": ("digit_xtrain.csv", "digit_ytrain.csv"),
    "test": ("digit_xtest.csv", "digit_ytest.csv"),
}
TOGETHER = {"train": "mnist_train.csv", "test": "mnist_test.csv"}
LABEL_NAMES = ("label", "class", "digit", "target", "y")

BLOCK = 16 << 20
"""Bytes of text parsed at once: enough to keep polars busy, little enough to bound the memory."""

WORKERS = 2
"""Blocks in the works at once."""

MAX_LINE = 1 << 16
"""Bytes; 785 values take 20,000 with all their digits."""

Numbers = NDArray[Any]
"""uint8 if all values are such, else float32."""


def recognises(path: Path) -> bool:
    """A folder with a file of these names, or a file whose first or second line is numbers and commas."""
    if path.is_dir():
        names = [name for pair in SEPARATE.values() for name in pair] + list(TOGETHER.values())
        return any(_find(path, name) for name in names)
    with open_unpacked(path) as file:
        lines = file.read(MAX_LINE).splitlines()[:2]
    return any(b"," in line and all(map(_is_number, _fields(line))) for line in lines)


def read(path: Path, on_progress: Progress) -> DataSet:
    """A folder with such files, or one file with labels and pixels together.

    Raises DataError, with the line, if a row has another length than the first, or a value is not a
    number or out of range.
    """
    if path.is_file():
        part = "test" if path.name.startswith("mnist_test") else "train"
        parts = {part: _read_together(path, on_progress)}
    else:
        parts = {}
        for part in SEPARATE:
            images, labels = (_find(path, name) for name in SEPARATE[part])
            together = _find(path, TOGETHER[part])
            if images and labels:
                parts[part] = Digits(
                    _read_images(images, on_progress), _read_labels(labels, on_progress), str(images)
                )
            elif images or labels:
                missing = SEPARATE[part][1 if images else 0]
                raise DataError(f"{images or labels} is there, but {missing} is not beside it.")
            elif together:
                parts[part] = _read_together(together, on_progress)
    return DataSet(parts.get("train"), parts.get("test"), f"CSV in {path}")


def write(dataset: DataSet, path: Path) -> None:
    """A folder with the four digit_*.csv files: pixels 0-255, labels as digits, no header."""
    import polars

    path.mkdir()
    for part, digits in (("train", dataset.train), ("test", dataset.test)):
        if digits:
            images: Numbers = digits.images.reshape(len(digits), PIXELS)
            if images.max() == 1:  # would be read as 0-1, so that is how it is written
                images = np.divide(images, 255, dtype=np.float32)
            for values, name in zip((images, digits.labels[:, None]), SEPARATE[part], strict=True):
                with (path / name).open("wb") as file:  # since polars takes no names that are not UTF-8
                    polars.from_numpy(values, orient="row").write_csv(file, include_header=False)


def _find(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)


def _read_images(path: Path, on_progress: Progress) -> NDArray[np.uint8]:
    scale = _Scale()
    tables = _tables(path, {PIXELS: f"the pixels of {SIDE}x{SIDE}"}, on_progress)
    return np.concatenate([scale.pixels(block, values) for block, values in tables]).reshape(-1, SIDE, SIDE)


def _read_labels(path: Path, on_progress: Progress) -> NDArray[np.uint8]:
    tables = _tables(path, {1: "a digit", CLASSES: "a one-hot code"}, on_progress)
    return np.concatenate([_labels(block, values) for block, values in tables])


def _read_together(path: Path, on_progress: Progress) -> Digits:
    """Labels in the first column, or in the last if the header or the values leave no doubt."""
    scale = _Scale()
    images: list[NDArray[np.uint8]] = []
    labels: list[NDArray[np.uint8]] = []
    label_last: bool | None = None
    for block, values in _tables(path, {1 + PIXELS: f"a label and the pixels of {SIDE}x{SIDE}"}, on_progress):
        if label_last is None:
            label_last = _is_label_last(block.header, values)
        label, pixels = (slice(-1, None), slice(-1)) if label_last else (slice(1), slice(1, None))
        labels.append(_labels(block, values[:, label]))
        images.append(scale.pixels(block, values[:, pixels]))
    return Digits(np.concatenate(images).reshape(-1, SIDE, SIDE), np.concatenate(labels), str(path))


@dataclass(frozen=True)
class _Block:
    """Some whole lines of a file, and what it takes to say where one of them stands.

    header: the fields of the file's first line, if that is a header.
    width: how many values each line must hold, which is as many as the first holds.
    offset: bytes of the unpacked file before this block.
    """

    path: Path
    header: list[bytes]
    width: int
    offset: int
    text: bytes

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Every line that is not blank, with its number in the file. Slow: for what is wrong with it."""
        with open_unpacked(self.path) as file:
            parts = (file.read(min(BLOCK, self.offset - at)) for at in range(0, self.offset, BLOCK))
            first = 1 + sum(part.count(b"\n") for part in parts)
        return ((number, line) for number, line in enumerate(io.BytesIO(self.text), first) if line.strip())

    def error(self, row: int, what: str) -> DataError:
        number, _ = next(islice(self.lines(), row, None))
        return DataError(f"{self.path}: line {number}: {what}.")


class _Scale:
    """Turns numbers into pixels; decides by the first ink it meets whether they are 0-1 or 0-255."""

    def __init__(self) -> None:
        self.highest: int | None = None

    def pixels(self, block: _Block, values: Numbers) -> NDArray[np.uint8]:
        """(n, 784) uint8."""
        top = values.max(initial=0)
        if self.highest is None and top != 0:
            self.highest = 1 if top <= 1 else 255
        highest = self.highest or 255
        if not (values.min(initial=0) >= 0 and top <= highest):  # written so that NaN is caught too
            row, column = np.argwhere(~((values >= 0) & (values <= highest)))[0]
            raise block.error(row, f"pixel value {values[row, column]:g} is not between 0 and {highest}")
        if values.dtype != np.uint8:
            values = values * np.float32(255 / highest)
            values += np.float32(0.5)
        elif highest == 1:
            values = values * np.uint8(255)
        return values.astype(np.uint8, order="C")


def _labels(block: _Block, values: Numbers) -> NDArray[np.uint8]:
    """(n,) uint8 from one column of digits or ten of one-hot codes."""
    if values.shape[1] == 1:
        labels = values[:, 0]
        wrong = np.flatnonzero(~np.isin(labels, range(CLASSES)))
        if len(wrong):
            raise block.error(int(wrong[0]), f"label {labels[wrong[0]]:g} is not a digit 0-9")
    else:
        labels = values.argmax(1)
        wrong = np.flatnonzero(~np.isin(values, (0, 1)).all(1) | (values.sum(1) != 1))
        if len(wrong):
            raise block.error(int(wrong[0]), "the label is not one-hot: one 1 and nine 0 expected")
    return np.asarray(labels, np.uint8)


def _is_label_last(header: list[bytes], values: Numbers) -> bool:
    if header:
        return _is_label_name(header[-1])

    def could_be_labels(column: Numbers) -> bool:
        return bool(np.isin(column, range(CLASSES)).all() and np.ptp(column) > 0)

    return could_be_labels(values[:, -1]) and not could_be_labels(values[:, 0])


def _tables(path: Path, expected: dict[int, str], on_progress: Progress) -> Iterator[tuple[_Block, Numbers]]:
    """The file's numbers, one row per line, some ten megabytes of text at a time.

    expected: what a line may hold, by the number of its values.
    """
    size = path.stat().st_size
    waiting: deque[tuple[_Block, Future[Numbers]]] = deque()

    def next_in_order() -> tuple[_Block, Numbers]:
        block, values = waiting.popleft()
        done = block.offset + len(block.text)
        on_progress(done, size if size >= done else None)  # a packed file holds more than its size
        return block, values.result()

    # Threads, since polars leaves one core idle while it collects what the others parsed.
    with ThreadPoolExecutor(WORKERS) as pool:
        for block in _blocks(path, expected):
            waiting.append((block, pool.submit(_parse, block)))
            if len(waiting) > WORKERS:
                yield next_in_order()
        while waiting:
            yield next_in_order()


def _blocks(path: Path, expected: dict[int, str]) -> Iterator[_Block]:
    with open_unpacked(path) as file:
        start = _rest_of_line(file, path).removeprefix(b"\xef\xbb\xbf")  # which Excel writes before UTF-8
        fields = _fields(start)
        header = fields if start.strip() and _is_header(fields) else []
        offset = len(start) if header else 0
        text = (b"" if header else start) + file.read(BLOCK)
        if not text:
            raise DataError(f"{path} holds no data.")
        width = len(header or _fields(text.lstrip().split(b"\n", 1)[0]))
        if width not in expected:
            wanted = " or ".join(f"{count} ({what})" for count, what in expected.items())
            raise DataError(f"{path}: its lines hold {width} values; expected {wanted}.")
        while text:
            text += _rest_of_line(file, path)
            yield _Block(path, header, width, offset, text)
            offset += len(text)
            text = file.read(BLOCK)


def _rest_of_line(file: BinaryIO, path: Path) -> bytes:
    rest = file.readline(MAX_LINE)
    if len(rest) == MAX_LINE:
        raise DataError(f"{path} holds a line of more than {MAX_LINE} bytes, which is none of numbers.")
    return rest


def _parse(block: _Block) -> Numbers:
    """(n, width), as integers if possible, since these are read twice as fast."""
    import polars  # half a second, which only CSV should cost

    if block.text.count(b"\n") * 2 * block.width > len(block.text) + 2 * block.width:
        return _parse_slowly(
            block
        )  # some lines are too short, which polars would fill up, whatever that takes
    for dtype in (polars.Float32,) if b"." in block.text else (polars.UInt8, polars.Float32):
        schema = {str(column): dtype for column in range(block.width)}
        try:
            frame = polars.read_csv(block.text, has_header=False, schema=schema)
        except polars.exceptions.PolarsError:
            continue
        if not any(column.null_count() for column in frame):  # which stand for missing values
            return frame.to_numpy(order="fortran")  # as polars has it; turned when it has become uint8
    return _parse_slowly(block)


def _parse_slowly(block: _Block) -> NDArray[np.float32]:
    """What polars refused, line by line: either it can be read after all, or the error says where not."""
    rows: list[NDArray[np.float32]] = []
    for number, line in block.lines():
        if len(line) > MAX_LINE:
            raise DataError(f"{block.path}: line {number} is of {len(line)} bytes, more than {MAX_LINE}.")
        fields = _fields(line)
        if len(fields) != block.width:
            raise DataError(
                f"{block.path}: line {number} has {len(fields)} values, the first has {block.width}."
            )
        for column, field in enumerate(fields, 1):
            if not _is_number(field):
                shown = field[:40].decode(errors="replace")
                raise DataError(f"{block.path}: line {number}, column {column}: '{shown}' is not a number.")
        rows.append(np.array([float(field) for field in fields], np.float32))
    return np.array(rows, np.float32).reshape(-1, block.width)


def _fields(line: bytes) -> list[bytes]:
    return [field.strip().strip(b'"') for field in line.split(b",")]


def _is_number(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _is_label_name(field: bytes) -> bool:
    return field.decode(errors="replace").lower() in LABEL_NAMES


def _is_header(fields: list[bytes]) -> bool:
    """Not if just some of the fields are no numbers: that is a mistake, to be reported."""
    return not any(map(_is_number, fields)) or _is_label_name(fields[0]) or _is_label_name(fields[-1])
