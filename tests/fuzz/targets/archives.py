"""Pictures in zip and tar archives."""

from __future__ import annotations

import io
import tarfile
import zipfile
from itertools import islice

from fuzz.files import expecting_errors, folder
from fuzz.targets import CHEAP

from digitcli.sources import archives

MUTATIONS = CHEAP
MOST_MEMBERS = 2000
MEMBERS = {
    "a.png": b"first" * 9,
    "in/" + "b" * 120 + ".jpg": b"second",
    "ü.gif": b"third" * 200,
    "x.txt": b"",
}


def seeds() -> list[bytes]:
    zips = [_zip(packing) for packing in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA)]
    formats = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)
    return [*zips, *(_tar("", each) for each in formats), *(_tar(each) for each in ("gz", "bz2", "xz"))]


def read(content: bytes) -> None:
    path = folder() / "archive"
    path.write_bytes(content)
    with expecting_errors():
        if archives.recognises(path):
            for _ in islice(archives.read(path), MOST_MEMBERS):
                pass


def _zip(packing: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", packing) as archive:
        for name, content in MEMBERS.items():
            archive.writestr(name, content)
    return file.getvalue()


def _tar(packing: str, format: int = tarfile.GNU_FORMAT) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=f"w:{packing}", format=format) as archive:
        for name, content in MEMBERS.items():
            if format == tarfile.USTAR_FORMAT:
                name = name[-90:]  # the most that it holds
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file.getvalue()
