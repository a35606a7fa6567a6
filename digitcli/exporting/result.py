"""What came of an export."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from digitcli.exporting.parity import Parity


@dataclass(frozen=True)
class Export:
    """A written and proved export.

    path: the file or folder.
    format: one of `format_names()`.
    bytes: its size, of all files of a folder together, without what lies beside it.
    runtime: what ran it for the proof, and for the figures below.
    parity: how close it is to the original.
    accuracy: the share of the test images that it reads right, 0-1.
    milliseconds: that one picture takes, the median.
    images_per_second: in batches of 256.
    """

    path: Path
    format: str
    bytes: int
    runtime: str
    parity: Parity
    accuracy: float
    milliseconds: float
    images_per_second: float
