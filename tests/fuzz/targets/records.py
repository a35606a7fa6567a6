"""What a run directory says of itself: run.json, or if the first byte is even, history.csv."""

from __future__ import annotations

from fuzz.files import expecting_errors, folder
from fuzz.targets import CHEAP

from digitcli import runs
from digitcli.runs import history

MUTATIONS = CHEAP


def seeds() -> list[bytes]:
    columns = "member,epoch,loss,accuracy,val_loss,val_accuracy,lr,seconds"
    rows = f"0{columns}\n1,1,0.5,0.9,0.4,0.91,0.001,3.5\n1,2,0.4,0.92,,,0.001,3.5\n"
    return [
        b'1{"settings": {"preset": "cnn", "seed": 0}, "data": [1, 2.5, null, "x"]}',
        rows.encode(),
        b"1" + b"[" * 5000,
    ]


def read(content: bytes) -> None:
    of_record = bool(content) and content[0] % 2
    (folder() / (runs.RECORD if of_record else runs.HISTORY)).write_bytes(content[1:])
    with expecting_errors():
        if of_record:
            runs.read_record(folder())
        else:
            history.read(folder() / runs.HISTORY)
