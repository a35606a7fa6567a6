"""Fetching MNIST: several mirrors, resumed after a cut, and nothing kept that is not genuine."""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from digitcli import __version__
from digitcli.data.mnist import SHA256
from digitcli.data.unpack import open_unpacked
from digitcli.errors import DataError, OutputError
from digitcli.output import Progress

MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://github.com/fgnt/mnist/raw/master/",
)
TIMEOUT = 10
"""Seconds without an answer or a byte after which a mirror counts as dead."""

ATTEMPTS = 5
"""How often a mirror may cut off one file; each attempt goes on where the last one stopped."""

CHUNK = 1 << 16


@dataclass(frozen=True)
class Fetched:
    """One file, now in place and genuine. mirror: where it came from; None if it was there before."""

    path: Path
    mirror: str | None


def mirrors() -> Sequence[str]:
    """Where to download from: $DIGITCLI_MIRROR (one URL, ending in a folder) or the known mirrors."""
    own = os.environ.get("DIGITCLI_MIRROR")
    return (f"{own.rstrip('/')}/",) if own else MIRRORS


def fetch(
    folder: Path,
    on_progress: Progress = lambda done, total: None,
    *,
    sources: Sequence[str] | None = None,
    files: Mapping[str, str] = SHA256,
) -> list[Fetched]:
    """Downloads the files, as NAME.gz, that are not in the folder yet or are not genuine.

    on_progress: called with bytes, anew for each file.
    sources: URLs of folders, tried in turn for each file; default: `mirrors()`.
    files: the SHA-256 of each file's unpacked content, by its name without .gz.

    Raises DataError, with each mirror and its reason, if a file cannot be had, and OutputError if the
    folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"Cannot write {folder}: {error.strerror}.") from error
    return [
        _fetch_file(folder / f"{name}.gz", sha256, sources or mirrors(), on_progress)
        for name, sha256 in files.items()
    ]


def _fetch_file(target: Path, sha256: str, sources: Sequence[str], on_progress: Progress) -> Fetched:
    if target.exists() and _is_genuine(target, sha256):
        return Fetched(target, None)
    part = target.with_name(f".{target.name}.part")
    failures = []
    for source in sources:
        url = source + target.name
        reason = _try_mirror(url, part, sha256, on_progress)
        if reason is None:
            part.replace(target)
            return Fetched(target, source)
        failures.append(f"  {url}: {reason}")
    raise DataError("\n".join([f"{target.name} could not be downloaded:", *failures]))


def _try_mirror(url: str, part: Path, sha256: str, on_progress: Progress) -> str | None:
    """Brings the genuine file to `part`; otherwise says why not."""
    reason = ""
    for _ in range(ATTEMPTS):
        before = part.stat().st_size if part.exists() else 0
        try:
            _receive(url, part, on_progress)
        except urllib.error.HTTPError as error:
            # 416 means that nothing is left to send, so what is here may be the whole file.
            if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                return f"{error.code} {error.reason}"
        except (OSError, http.client.HTTPException) as error:
            reason = str(getattr(error, "reason", None) or error)
            if part.exists() and part.stat().st_size > before:
                continue
            return reason
        if _is_genuine(part, sha256):
            return None
        part.unlink()
        reason = "its content is not the original's (SHA-256 differs)"
        if not before:
            return reason
        # What was resumed may have come from a mirror that packs differently: once more from the start.
    return reason


def _receive(url: str, part: Path, on_progress: Progress) -> None:
    """Downloads to `part`, going on after the bytes it holds if the server can do that."""
    start = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": f"digitcli/{__version__}"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:
            start = 0
        length = response.headers.get("Content-Length")
        total = start + int(length) if length else None
        done = start
        with part.open("ab" if start else "wb") as file:
            while chunk := response.read(CHUNK):
                file.write(chunk)
                done += len(chunk)
                on_progress(done, total)
    if total is not None and done < total:
        raise ConnectionError(f"cut off after {done} of {total} bytes")


def _is_genuine(path: Path, sha256: str) -> bool:
    try:
        with open_unpacked(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256  # type: ignore[arg-type]
    except DataError:
        return False
