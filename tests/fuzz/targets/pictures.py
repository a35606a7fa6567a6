"""The whole way from a file's bytes to digits, in each mode, with a classifier that is sometimes sure."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from fuzz.targets import DEAR
from PIL import Image, ImageDraw

from digitcli.reading.prediction import Mode, predict
from digitcli.sources.source import Source

MUTATIONS = DEAR
MODES: tuple[Mode, ...] = ("single", "auto", "many")


class SometimesSure:
    """Sees in each picture what its brightest columns say."""

    path = Path("none")
    runtime = "none, so that no other processes are started"
    has_learnt = False
    views = 1

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        rows = (images.mean(axis=1)[:, 4:24:2].astype(np.float32) + 1) ** 6
        return rows / rows.sum(axis=1, keepdims=True)


def seeds() -> list[bytes]:
    pages = []
    for size, ink, paper in (((28, 28), 255, 0), ((60, 40), 0, 255), ((90, 30), 90, 140)):
        page = Image.new("L", size, paper)
        draw = ImageDraw.Draw(page)
        for left in range(4, size[0] - 12, 20):
            draw.line((left, 5, left + 9, 5, left + 2, size[1] - 6), fill=ink, width=3)
        pages.append(page)
    return [bytes([mode]) + _ppm(page) for mode in range(3) for page in (*pages, pages[1].convert("RGB"))]


def read(content: bytes) -> None:
    mode = MODES[content[0] % 3] if content else "auto"
    (result,) = predict([Source("x", content[1:])], SometimesSure(), mode=mode)
    assert [result.text, result.reason, result.error].count(None) == 2
    assert (result.error or "").count("\n") == 0


def _ppm(page: Image.Image) -> bytes:
    file = io.BytesIO()
    page.save(file, "PPM")
    return file.getvalue()
