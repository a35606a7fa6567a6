"""Pictures in Parquet files, a few rows in memory at a time.

Rows are read batch by batch and pages as they are needed, so that neither a large file nor a large row group
is held; a page is, some hundred rows (https://parquet.apache.org/docs/file-format/).
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from digitcli.errors import ImageError, MissingExtraError, reason
from digitcli.sources.source import File, Source, escaped
from digitcli.system.limits import TOO_MUCH_MEMORY, LittleMemory, require_no_bomb

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

LABEL = "label"
"""The column that tells which digit a picture shows, in labelled files."""

SUFFIX = ".parquet"
"""By which a file at an address is known; others have to be opened for that."""

_MAGIC = b"PAR1"
_NAMES = ("path", "name", "filename", "file_name")  # columns that say what a picture is called
_BYTES = "bytes"  # in a struct with the picture's path, as Hugging Face's data sets have it
_MOST_ROWS = 1024
_MOST_BYTES = 2**22  # of rows that are read together, one at least
_BUFFER = 2**20  # bytes of a column that are read at a time, instead of all that a row group has of it
_MAX_FOOTER_STRING = 2**24  # bytes; the schema of thousands of columns fits
_MAX_FOOTER_LIST = 2**18  # column chunks and the like
_UNREADABLE = (OSError, ValueError, RuntimeError, LookupError, OverflowError)


@dataclass(frozen=True)
class RowGroup:
    """What a footer says of some rows that were written together. bytes: packed, of all columns."""

    rows: int
    bytes: int


def recognises(path: File) -> bool:
    """Whether a file begins like Parquet."""
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False


def require_pyarrow() -> None:
    """Raises MissingExtraError without it."""
    if not find_spec("pyarrow"):
        raise MissingExtraError("pyarrow, which reads and writes Parquet,", "digitcli[parquet]")


def row_groups(path: File) -> list[RowGroup]:
    """What the footer tells, which is all that is read. Raises ImageError if it cannot be."""
    with _opened(path) as (file, _):
        groups = map(file.metadata.row_group, range(file.num_row_groups))
        return [
            RowGroup(
                group.num_rows,
                sum(group.column(n).total_compressed_size for n in range(group.num_columns)),
            )
            for group in groups
        ]


def read(path: File, rows: range | None = None) -> Iterator[Source]:
    """The pictures in a Parquet file, in its order, named FILE[ROW], or FILE/NAME if it names them itself.

    rows: only these, of which the others are not read as far as they are in other row groups.
    They are in the only column of bytes, or of structs with `bytes`; their names are in the struct's `path`
    or in a column `path`, `name`, `filename` or `file_name`. A picture that is null, a row group that is
    damaged, and a file without such a column come out with their error.
    Raises MissingExtraError without pyarrow.
    """
    return (source for source, _ in _read(path, rows, labelled=False))


def read_labelled(path: File, rows: range | None = None) -> Iterator[tuple[Source, int | None]]:
    """As `read`, each with the number in the column `label`; None if that is null, or of a damaged row."""
    return _read(path, rows, labelled=True)


def _read(path: File, rows: range | None, *, labelled: bool) -> Iterator[tuple[Source, int | None]]:
    try:
        with _opened(path) as (file, size):
            yield from _Rows(path, file, size, _columns(path, file, labelled=labelled)).read(rows)
    except ImageError as error:
        yield Source(str(path), error), None


@contextmanager
def _opened(path: File) -> Iterator[tuple[ParquetFile, int]]:
    """The file with its size in bytes."""
    require_pyarrow()
    from pyarrow import ArrowException, parquet

    try:
        with path.open("rb") as file:
            size = file.seek(0, io.SEEK_END)
            with LittleMemory():
                opened = parquet.ParquetFile(
                    file,
                    buffer_size=_BUFFER,
                    pre_buffer=False,  # or threads read ahead, and abort this process if it ends then
                    thrift_string_size_limit=_MAX_FOOTER_STRING,
                    thrift_container_size_limit=_MAX_FOOTER_LIST,
                )
            yield opened, size
    except MemoryError:
        raise ImageError(f"{path} {TOO_MUCH_MEMORY}.") from None
    except (ArrowException, *_UNREADABLE) as error:
        raise ImageError(f"{path} is damaged: {reason(error)}.") from error


@dataclass(frozen=True)
class _Columns:
    """Where the pictures, their names and labels are: a column, or one and a field of the structs in it."""

    picture: tuple[str, ...]
    name: tuple[str, ...] = ()
    label: tuple[str, ...] = ()

    @property
    def paths(self) -> list[str]:
        """As Parquet has it."""
        return [".".join(each) for each in (self.picture, self.name, self.label) if each]


def _columns(path: File, file: ParquetFile, *, labelled: bool) -> _Columns:
    from pyarrow import types

    def is_bytes(kind: Any) -> bool:
        return kind is not None and (types.is_binary(kind) or types.is_large_binary(kind))

    def is_text(kind: Any) -> bool:
        return kind is not None and (types.is_string(kind) or types.is_large_string(kind))

    columns = {field.name: field.type for field in file.schema_arrow}
    fields = {
        name: {field.name: field.type for field in kind}
        for name, kind in columns.items()
        if types.is_struct(kind)
    }
    found: list[tuple[str, ...]] = [(name,) for name, kind in columns.items() if is_bytes(kind)]
    found += [(name, _BYTES) for name, its in fields.items() if is_bytes(its.get(_BYTES))]
    names = ", ".join(escaped(name) for name in ([each[0] for each in found] or columns))
    if not found:
        raise ImageError(f"{path} has no column of pictures, as bytes. Its columns are {names}.")
    if len(found) > 1:
        raise ImageError(f"{path} has several columns of bytes: {names}. Keep only that of the pictures.")
    if labelled and (LABEL not in columns or not types.is_integer(columns[LABEL])):
        raise ImageError(f"{path} has no column '{LABEL}' of whole numbers, the digits that are shown.")
    (picture,) = found
    name: tuple[str, ...] = next(((each,) for each in _NAMES if is_text(columns.get(each))), ())
    if is_text(fields.get(picture[0], {}).get("path")):
        name = (picture[0], "path")
    return _Columns(picture, name, (LABEL,) if labelled else ())


@dataclass(frozen=True)
class _Rows:
    """Those of an opened file. size: of the file, in bytes."""

    path: File
    file: ParquetFile
    size: int
    columns: _Columns

    def read(self, rows: range | None) -> Iterator[tuple[Source, int | None]]:
        start = 0
        for number in range(self.file.num_row_groups):
            end = start + self.file.metadata.row_group(number).num_rows
            wanted = range(start, end) if rows is None else range(max(start, rows.start), min(end, rows.stop))
            if wanted:
                yield from self._read_group(number, start, wanted)
            start = end

    def _read_group(self, number: int, start: int, wanted: range) -> Iterator[tuple[Source, int | None]]:
        from pyarrow import ArrowException

        at = start
        try:
            for row in self._in_group(number):
                if at >= wanted.stop:
                    return
                if at >= wanted.start:
                    yield self._source(at, *row[:2]), row[2]
                at += 1
            if at >= wanted.stop:
                return
            wrong = "are damaged: they are not there"
        except MemoryError:
            wrong = f"{TOO_MUCH_MEMORY.replace('takes', 'take')}. Write fewer into a row group"
        except (ArrowException, *_UNREADABLE) as error:
            wrong = f"are damaged: {reason(error)}"
        first = max(at, wanted.start)
        lost = ImageError(f"{self.path}: rows {first} to {wanted.stop - 1} {wrong}.")
        yield Source(str(self.path), lost), None

    def _in_group(self, number: int) -> Iterator[tuple[bytes | None, str | None, int | None]]:
        """Pictures with their names and labels."""
        little_memory = LittleMemory()
        batches = self.file.iter_batches(
            self._rows_at_a_time(number), row_groups=[number], columns=self.columns.paths, use_threads=False
        )
        unpacked = 0
        while True:
            with little_memory:
                batch = next(batches, None)
                if batch is None:
                    return
                pictures, names, labels = (
                    _values(batch, each)
                    for each in (self.columns.picture, self.columns.name, self.columns.label)
                )
            unpacked += sum(map(len, filter(None, pictures)))
            require_no_bomb(unpacked, self.size)
            yield from zip(pictures, names, labels, strict=True)

    def _rows_at_a_time(self, number: int) -> int:
        group = self.file.metadata.row_group(number)
        chunks = map(group.column, range(group.num_columns))
        size = sum(
            each.total_uncompressed_size for each in chunks if each.path_in_schema in self.columns.paths
        )
        return int(min(_MOST_ROWS, max(1, _MOST_BYTES * group.num_rows // max(1, size))))

    def _source(self, row: int, content: bytes | None, name: str | None) -> Source:
        named = f"{self.path}/{escaped(name)}" if name else f"{self.path}[{row}]"
        return Source(named, ImageError(f"{named} is null.") if content is None else content)


def _values(batch: Any, path: tuple[str, ...]) -> list[Any]:
    """Those of a column, or of a field of the structs in it, null where these are; all None without one."""
    if not path:
        return [None] * len(batch)
    column = batch.column(path[0])
    for field in path[1:]:
        column = column.flatten()[column.type.get_field_index(field)]
    values: list[Any] = column.to_pylist()
    return values
