"""One page that shows how well labelled pictures are read, and those that are not."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from digitcli.errors import ImageError
from digitcli.evaluation.pictures import PictureScores, Scored, sources_of
from digitcli.evaluation.report import PAGE, template
from digitcli.reading.prediction import opened
from digitcli.system.files import atomic_path, require_replaceable

MOST_PICTURES = 120
"""In the gallery."""

_SIDE = (320, 160)
"""Pixels of a picture in it, at most."""


@dataclass(frozen=True)
class _Misread:
    """A picture in the gallery, as a data address."""

    picture: str
    name: str
    text: str
    read: str
    confidence: float
    marked: bool


def write(scores: PictureScores, labels: Path, model: str, folder: Path, *, force: bool = False) -> Path:
    """Writes report.html to `folder`; returns its path.

    labels: the file that the pictures were named in. model: what to call the model.
    Raises OutputError if `folder` is there and `force` is false, or if it cannot be written.
    """
    require_replaceable(folder, PAGE)
    with atomic_path(folder, force=force) as temporary:
        temporary.mkdir()
        page = template("pictures.html.jinja").render(
            model=model,
            labels=labels.name,
            scores=scores,
            misread=list(_misread(scores)),
            wrong=sum(not each.right for each in scores.scored),
        )
        (temporary / PAGE).write_text(page, encoding="utf-8", errors="replace")
    return folder / PAGE


def _misread(scores: PictureScores) -> Iterator[_Misread]:
    """The surest first."""
    wrong = [each for each in scores.scored if not each.right and not each.prediction.error]
    wrong.sort(key=lambda each: (not each.read, -(each.prediction.confidence or 0)))
    shown = {each.labelled.name: each for each in wrong[:MOST_PICTURES]}
    pictures = {}
    for source in sources_of([each.labelled for each in shown.values()]):
        try:
            image = opened(source)
        except ImageError:  # it was there when it was read
            continue
        image.thumbnail(_SIDE)
        file = io.BytesIO()
        image.save(file, "PNG")
        pictures[source.name] = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
    return (_shown(each, pictures[name]) for name, each in shown.items() if name in pictures)


def _shown(each: Scored, picture: str) -> _Misread:
    confidence = each.prediction.confidence or 0.0
    marked = each.prediction.uncertain or not each.read
    return _Misread(picture, each.labelled.name, each.labelled.text, each.read, confidence, marked)
