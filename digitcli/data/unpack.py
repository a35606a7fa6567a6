"""Files that may be gzipped, whatever their name says, and never hold more than they can."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from digitcli.errors import DataError
from digitcli.system.limits import BombError, Unpacked

GZIP_MAGIC = b"\x1f\x8b"
"""First bytes of every gzip file (RFC 1952)."""

MOST_BYTES = 2**30
"""Of pixels in a data set, a million pictures; more would not fit into many a computer to be trained on."""


@contextmanager
def open_unpacked(path: Path) -> Iterator[BinaryIO]:
    """The file opened for reading bytes, and unpacked on the way if its content is gzip.

    Raises DataError, naming the file, if it cannot be read, does not unpack, or to far more than its size.
    """
    try:
        with path.open("rb") as file:
            packed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
            file.seek(0)
            yield io.BufferedReader(Unpacked(gzip.GzipFile(fileobj=file), file)) if packed else file
    except BombError as error:
        raise DataError(f"{path} is refused: {error}.") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path} is damaged: it does not unpack ({error}). Get it anew.") from error
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror or error}.") from error
