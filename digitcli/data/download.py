"""Fetching MNIST: several mirrors, resumed after a cut, and nothing kept that is not genuine."""

from __future__ import annotations

import hashlib
import http.client
import os
import ssl
import urllib.error
import urllib.request
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import starmap
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from digitcli.data.mnist import SHA256
from digitcli.data.unpack import open_unpacked
from digitcli.errors import DataError, OutputError
from digitcli.system.progress import Note, Progress
from digitcli.version import __version__

MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://github.com/fgnt/mnist/raw/master/",
)
TIMEOUT = 10
"""Seconds without an answer or a byte after which a mirror counts as dead."""

ATTEMPTS = 5
"""How often a mirror may cut off one file; each attempt goes on where the last one stopped."""

MOST_BYTES = 48 * 2**20
"""Of one file, packed or unpacked: MNIST's largest has 47,040,016. A server may send without end."""

CHUNK = 1 << 16


@dataclass(frozen=True)
class Fetched:
    """One file, now in place and genuine. mirror: where it came from; None if it was there before."""

    path: Path
    mirror: str | None


class _MirrorError(Exception):
    """A mirror does not deliver; the message says why."""


def mirrors() -> Sequence[str]:
    """Where to download from: $DIGITCLI_MIRROR (one URL, ending in a folder) or the known mirrors."""
    own = os.environ.get("DIGITCLI_MIRROR")
    return (f"{own.rstrip('/')}/",) if own else MIRRORS


def fetch(
    folder: Path,
    on_progress: Progress = lambda done, total: None,
    on_note: Note = lambda text: None,
    *,
    sources: Sequence[str] | None = None,
    files: Mapping[str, str] = SHA256,
) -> list[Fetched]:
    """Downloads the files, as NAME.gz, that are not in the folder yet or are not genuine.

    on_progress: called with bytes, anew for each file.
    on_note: told if another process is downloading to the same folder, which is waited for.
    sources: URLs of folders, tried in turn for each file; default: `mirrors()`.
    files: the SHA-256 of each file's unpacked content, by its name without .gz.

    Raises DataError, with each mirror and its reason, if a file cannot be had, and OutputError if the
    folder cannot be written.
    """
    targets = {folder / f"{name}.gz": sha256 for name, sha256 in files.items()}
    if all(starmap(_is_genuine, targets.items())):
        return [Fetched(target, None) for target in targets]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone_in(folder, on_note):
            return [
                _fetch_file(target, sha256, sources or mirrors(), on_progress)
                for target, sha256 in targets.items()
            ]
    except OSError as error:
        raise OutputError(f"Cannot write to {folder}: {error.strerror or error}.") from error


@contextmanager
def _alone_in(folder: Path, on_note: Note) -> Iterator[None]:
    """Holds a lock on the folder. The system takes it from a process that was killed."""
    from filelock import FileLock, Timeout  # only a download should cost its import

    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        on_note(f"Another digitcli is downloading to {folder}. Waiting for it.")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _fetch_file(target: Path, sha256: str, sources: Sequence[str], on_progress: Progress) -> Fetched:
    if _is_genuine(target, sha256):
        return Fetched(target, None)
    part = target.with_name(f".{target.name}.part")
    failures = []
    for source in sources:
        url = source + target.name
        try:
            _try_mirror(url, part, sha256, on_progress)
        except _MirrorError as error:
            failures.append(f"  {url}: {error}")
            continue
        part.replace(target)
        return Fetched(target, source)
    raise DataError("\n".join([f"{target.name} could not be downloaded:", *failures]))


def _try_mirror(url: str, part: Path, sha256: str, on_progress: Progress) -> None:
    """Brings the genuine file to `part`. Raises _MirrorError if the mirror, OSError if the disk fails."""
    for attempt in range(1, ATTEMPTS + 1):
        before = _size(part)
        try:
            _receive(url, part, on_progress)
        except _MirrorError:
            if attempt == ATTEMPTS or _size(part) <= before:
                raise
            continue
        if _is_genuine(part, sha256):
            return
        part.unlink(missing_ok=True)
        # What was resumed may have come from a mirror that packs differently: once more from the start.
        if attempt == ATTEMPTS or not before:
            raise _MirrorError("its content is not the original's (SHA-256 differs)")


def _receive(url: str, part: Path, on_progress: Progress) -> None:
    """Downloads to `part`, going on after the bytes it holds if the server can do that."""
    with closing(_pieces(url, _size(part))) as pieces:
        for place, piece, total in pieces:
            done = place + len(piece)
            if max(done, total or 0) > MOST_BYTES:
                part.unlink(missing_ok=True)
                raise _MirrorError(f"sends more than {MOST_BYTES} bytes, which no file of MNIST has")
            with part.open("ab" if place else "wb") as file:
                file.write(piece)
            on_progress(done, total)


def _pieces(url: str, start: int) -> Generator[tuple[int, bytes, int | None], None, None]:
    """What a server sends, as it comes: from the byte `start` on, or from the first if it cannot do that.

    Each piece has its place in the file, and the file's size if that is known.
    Raises _MirrorError when the server fails, sends nothing for TIMEOUT, or ends too early.
    """
    request = urllib.request.Request(url, headers={"User-Agent": f"digitcli/{__version__}"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    try:
        with urllib.request.build_opener(_SafeRedirects).open(request, timeout=TIMEOUT) as response:
            if response.status != http.HTTPStatus.PARTIAL_CONTENT:
                start = 0
            length = response.headers.get("Content-Length")
            total = start + int(length) if length else None
            while piece := response.read1(CHUNK):
                yield start, piece, total
                start += len(piece)
    except urllib.error.HTTPError as error:
        error.close()
        # It means that nothing is left to send, so what is here may be the whole file.
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and start:
            return
        raise _MirrorError(_refusal(error)) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _MirrorError(_failure(error, url)) from error
    if total is not None and start < total:
        raise _MirrorError(f"cut off after {start} of {total} bytes")


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but not from https to where anyone on the way can alter what is sent."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if urlsplit(newurl).scheme not in ({"https"} if req.type == "https" else {"http", "https"}):
            raise _MirrorError(f"redirects to {newurl}, which is not safe")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _refusal(error: urllib.error.HTTPError) -> str:
    """Without the server's own words, which may be anything."""
    words = f"{error.code} {http.client.responses.get(error.code, '')}".strip()
    wait = error.headers.get("Retry-After", "")
    return f"{words}; it asks to wait {wait} seconds" if wait.isdecimal() else words


def _failure(error: Exception, url: str) -> str:
    cause = getattr(error, "reason", error)  # that of a URLError
    if isinstance(cause, ssl.SSLCertVerificationError):
        return (
            f"its certificate cannot be verified ({cause.verify_message}). "
            "If your network has a certificate authority of its own, name its file with SSL_CERT_FILE"
        )
    if isinstance(cause, TimeoutError):
        reason = f"nothing came for {TIMEOUT} seconds"
    else:
        reason = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    proxy = _proxy(url)
    return f"{reason} (asked through the proxy {proxy}, which the environment names)" if proxy else reason


def _proxy(url: str) -> str | None:
    """HOST:PORT of the proxy that stands between, without its password; None if there is none."""
    parts = urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if not proxy or urllib.request.proxy_bypass(parts.netloc):
        return None
    return proxy.rpartition("://")[2].rpartition("@")[2].rstrip("/")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _is_genuine(path: Path, sha256: str) -> bool:
    digest, size = hashlib.sha256(), 0
    try:
        with open_unpacked(path) as file:
            while (chunk := file.read(CHUNK)) and size <= MOST_BYTES:
                digest.update(chunk)
                size += len(chunk)
    except DataError:
        return False
    return digest.hexdigest() == sha256
