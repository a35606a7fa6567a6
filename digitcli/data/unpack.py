"""Files that may be gzipped, whatever their name says."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from digitcli.errors import DataError

GZIP_MAGIC = b"\x1f\x8b"
"""First bytes of every gzip file (RFC 1952)."""


@contextmanager
def open_unpacked(path: Path) -> Iterator[BinaryIO]:
    """The file opened for reading bytes, and unpacked on the way if its content is gzip.

    Raises DataError, naming the file, if it cannot be read or does not unpack.
    """
    try:
        with path.open("rb") as file:
            packed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
            file.seek(0)
            yield cast(BinaryIO, gzip.GzipFile(fileobj=file)) if packed else file
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path} is damaged: it does not unpack ({error}). Get it anew.") from error
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror or error}.") from error
