"""One page that shows how good a model is and where it fails, with nothing to be loaded from elsewhere."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digitcli import runs
from digitcli.data.digits import Digits
from digitcli.evaluation import Evaluation, figures
from digitcli.evaluation.metrics import reliability
from digitcli.evaluation.robustness import Robustness
from digitcli.system.files import atomic_path, require_replaceable, size

if TYPE_CHECKING:
    from jinja2 import Template
    from matplotlib.figure import Figure

PAGE = "report.html"
MOST_PICTURES = 60
"""In each gallery."""


@dataclass(frozen=True)
class _Read:
    """A picture in a gallery: as a data address, with what it is, what it was read as, and how surely."""

    picture: str
    true: int
    digit: int
    confidence: float


def write(
    result: Evaluation,
    digits: Digits,
    model: runs.FoundModel,
    folder: Path,
    *,
    robustness: Sequence[Robustness] | None = None,
    force: bool = False,
) -> Path:
    """Writes report.html and its plots, each as PNG and SVG too, to `folder`; returns the page's path.

    result: of `evaluate` with these digits. model: its settings and learning curves are shown if it is a run.
    robustness: as measured with the same model and digits, to be shown too.
    Raises OutputError if `folder` is there and `force` is false, or if it cannot be written.
    """
    require_replaceable(folder, PAGE)
    with atomic_path(folder, force=force) as temporary:
        temporary.mkdir()
        plots = dict(_plots(result, model, robustness))
        for name, figure in plots.items():
            for ending in ("png", "svg"):
                figures.save(figure, temporary / f"{name}.{ending}")
        record = runs.read_record(model.run) if model.run else {}
        confidence = result.probabilities.max(axis=1)
        page = template("report.html.jinja").render(
            name=model.name if model.run else model.path.name,
            data=digits.name,
            result=result,
            bytes=size(model.path),
            plots={name: figures.inline(figure, name) for name, figure in plots.items()},
            mistakes=_gallery(result, digits, ~result.right, -confidence),
            doubtful=_gallery(result, digits, result.right, confidence),
            settings=dict(_flat(record)),
        )
        (temporary / PAGE).write_text(page, encoding="utf-8", errors="replace")
    return folder / PAGE


def template(name: str) -> Template:
    """A page of this room, in which all that is put is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("digitcli", "evaluation"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


def _plots(
    result: Evaluation, model: runs.FoundModel, robustness: Sequence[Robustness] | None
) -> Iterator[tuple[str, Figure]]:
    if model.run and (model.run / runs.HISTORY).exists():
        from digitcli.runs import history

        yield "curves", figures.learning_curves(history.read(model.run / runs.HISTORY))
    yield "confusion", figures.confusion(result.confusion)
    yield "reliability", figures.reliability(reliability(result.probabilities, result.labels))
    if robustness:
        yield "robustness", figures.robustness(robustness)


def _gallery(
    result: Evaluation, digits: Digits, chosen: NDArray[np.bool_], order: NDArray[np.floating]
) -> list[_Read]:
    """Those of the `chosen` pictures that have the smallest `order`, the smallest first."""
    which = np.flatnonzero(chosen)
    which = which[np.argsort(order[which], kind="stable")]
    return [
        _Read(
            _data_address(digits.images[n]),
            int(result.labels[n]),
            int(result.probabilities[n].argmax()),
            float(result.probabilities[n].max()),
        )
        for n in which[:MOST_PICTURES]
    ]


def _data_address(pixels: NDArray[np.uint8]) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def _flat(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The settings of a run.json, by names such as `config.recipe.lr`."""
    for name, value in record.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
