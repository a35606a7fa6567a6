"""The edge of a picture: whether something reaches it, and how the picture may go on beyond it."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image, ImageOps

from digitcli.images.ink import Box

_CONTRAST = 0.35
"""Of a picture's contrast that its edge has where something reaches it."""

_SAMPLED = 100
"""Rows and columns that tell this contrast."""

_WITHIN = 1 / 33
"""Of the way round the picture, in which its edge changes so much where ink begins; light takes longer."""


def reaches_edge(image: Image.Image) -> bool:
    """Whether the edge of a picture, mode L or RGB, is not all paper."""
    pixels = np.asarray(image if image.mode == "L" else image.convert("L"))
    step = -(-max(pixels.shape) // _SAMPLED)
    inner = np.sort(pixels[::step, ::step], axis=None)
    span = int(inner[-1 - len(inner) // 100]) - int(inner[len(inner) // 100])
    round_it = np.concatenate([pixels[0], pixels[:, -1], pixels[-1, ::-1], pixels[::-1, 0]])
    reach = max(2, round(_WITHIN * len(round_it)))
    near = np.ones((1, reach + 1), np.uint8)
    closed = np.concatenate([round_it, round_it[:reach]])[None]
    change = cv2.subtract(cv2.dilate(closed, near), cv2.erode(closed, near))
    return bool(change.max() > _CONTRAST * max(span, 16))


def continued(image: Image.Image, room: int) -> Image.Image:
    """A picture, mode L or RGB, with `room` pixels of paper more on every side."""
    pixels = np.asarray(image)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    paper = np.median(edge.reshape(len(edge), -1), axis=0).astype(int).tolist()
    return ImageOps.expand(image, room, tuple(paper) if len(paper) > 1 else paper[0])


def cropped(image: Image.Image, window: Box) -> Image.Image:
    """A part of a picture, mode L or RGB: left, top, right, bottom. Beyond the picture there is paper."""
    left, top, right, bottom = window
    room = max(0, -left, -top, right - image.width, bottom - image.height)
    if not room:
        return image.crop(window)
    return continued(image, room).crop((left + room, top + room, right + room, bottom + room))
