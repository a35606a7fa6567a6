"""The edge of a picture: whether something reaches it, and how the picture may go on beyond it."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageOps

_CONTRAST = 0.4
"""Of a picture's contrast that its edge has where something reaches it."""

_SAMPLED = 100
"""Rows and columns that tell this contrast."""


def reaches_edge(image: Image.Image) -> bool:
    """Whether the edge of a picture, mode L or RGB, is not all paper."""
    pixels = np.asarray(image if image.mode == "L" else image.convert("L")).astype(np.int16)
    step = -(-max(pixels.shape) // _SAMPLED)
    inner = np.sort(pixels[::step, ::step], axis=None)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    span = inner[-1 - len(inner) // 100] - inner[len(inner) // 100]
    return bool(np.ptp(edge) > _CONTRAST * max(span, 16))


def continued(image: Image.Image, room: int) -> Image.Image:
    """A picture, mode L or RGB, with `room` pixels of paper more on every side."""
    pixels = np.asarray(image)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    paper = np.median(edge.reshape(len(edge), -1), axis=0).astype(int).tolist()
    return ImageOps.expand(image, room, tuple(paper) if len(paper) > 1 else paper[0])
