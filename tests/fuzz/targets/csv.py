"""A data set as CSV: one file, or if the first byte is even, labels beside good pixels."""

from __future__ import annotations

import gzip

from fuzz.files import expecting_errors, folder
from fuzz.targets import CHEAP

from digitcli.data import formats

MUTATIONS = CHEAP
PIXELS = ",".join(["0", "255", "17", "3"] * 196).encode()


def seeds() -> list[bytes]:
    header = b"label," + b",".join(b"p%d" % index for index in range(784))
    together = b"1" + header + b"\n5," + PIXELS + b"\n7," + PIXELS.replace(b"17", b"0.5") + b"\n"
    labels = [b"03\n4\n", b"0label\n0,0,0,1,0,0,0,0,0,0\n0,0,0,0,1,0,0,0,0,0\n"]
    return [together, *labels, b"1" + gzip.compress(together[1:])]


def read(content: bytes) -> None:
    csv = formats.get("csv")
    if content[:1] and content[0] % 2:
        path = folder() / "mnist_train.csv"
        path.write_bytes(content[1:])
    else:
        path = folder() / "pair"
        path.mkdir(exist_ok=True)
        (path / "digit_xtrain.csv").write_bytes(PIXELS + b"\n" + PIXELS + b"\n")
        (path / "digit_ytrain.csv").write_bytes(content[1:])
    with expecting_errors():
        if csv.recognises(path):
            csv.read(path, lambda done, total: None)
