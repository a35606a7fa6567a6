"""What test_prediction.py asks of other processes; apart, so that they need not import pytest."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from digitcli.reading.prediction import Prediction
from digitcli.sources.source import Source
from digitcli.system.limits import PictureLimits


def die_of_b(read: object, model: Path, views: int, batch: list[Source]) -> list[Prediction]:
    """Reads a 1 in every picture, but b.png ends the process, and slow.png takes longer than 0.1 s."""
    for source in batch:
        if source.name == "b.png":
            os._exit(1)
        if source.name == "slow.png":
            with PictureLimits(0.1, deadly=True) as limits, limits.reading(source, source.name):
                hashlib.pbkdf2_hmac("sha1", b"", b"", 2**31 - 1)  # which nothing interrupts
    return [Prediction(source.name, "1") for source in batch]
