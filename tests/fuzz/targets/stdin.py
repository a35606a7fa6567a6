"""What comes through stdin: a picture, or paths, of which none leads out of a folder made for them."""

from __future__ import annotations

import io
import os
from itertools import islice

from fuzz.files import expecting_errors, folder
from fuzz.targets import CHEAP

from digitcli.sources.expand import expand

MUTATIONS = CHEAP


def seeds() -> list[bytes]:
    return [
        b"a.png\r\nin\n*.png\n",
        b"[ab].png\n**\ngone\n",
        b"\x89PNG\r\n\x1a\n....",
        b"P5 2 2 255\n1234",
        b"\xff\xfe",
    ]


def read(content: bytes) -> None:
    inside = folder() / "in"
    inside.mkdir(exist_ok=True)
    for name in ("a.png", "in/b.png"):
        (folder() / name).touch()
    before = os.getcwd()
    os.chdir(folder())
    try:
        with expecting_errors():
            for _ in islice(
                expand(["-"], io.BytesIO(content.replace(b"/", b"|").replace(b"..", b".,"))), 100
            ):
                pass
    finally:
        os.chdir(before)
