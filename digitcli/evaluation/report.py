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
from digitcli.evaluation.metrics import reliability, wilson_interval
from digitcli.evaluation.robustness import Robustness
from digitcli.files import atomic_path, require_replaceable, size

if TYPE_CHECKING:
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
    from jinja2 import Environment, PackageLoader, StrictUndefined

    record = runs.read_record(model.run) if model.run else None
    plots = dict(_plots(result, model, robustness))
    environment = Environment(
        loader=PackageLoader("digitcli", "evaluation"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("report.html.jinja").render(
        name=model.run.name if model.run else model.path.name,
        data=digits.name,
        result=result,
        interval=wilson_interval(result.count - result.wrong, result.count),
        bytes=size(model.path),
        plots={name: _inline(figure, name) for name, figure in plots.items()},
        mistakes=_mistakes(result, digits),
        doubtful=_doubtful(result, digits),
        settings=dict(_flat(record)) if record else {},
    )
    require_replaceable(folder, PAGE)
    with atomic_path(folder, force=force) as temporary:
        temporary.mkdir()
        for name, figure in plots.items():
            for ending in ("png", "svg"):
                figures.save(figure, temporary / f"{name}.{ending}")
        (temporary / PAGE).write_text(page, encoding="utf-8")
    return folder / PAGE


def _plots(
    result: Evaluation, model: runs.FoundModel, robustness: Sequence[Robustness] | None
) -> Iterator[tuple[str, Figure]]:
    if model.run and (model.run / runs.HISTORY).exists():
        from digitcli.training import history

        yield "curves", figures.learning_curves(history.read(model.run / runs.HISTORY))
    yield "confusion", figures.confusion(result.confusion)
    yield "reliability", figures.reliability(reliability(result.probabilities, result.labels))
    if robustness:
        yield "robustness", figures.robustness(robustness)


def _mistakes(result: Evaluation, digits: Digits) -> list[_Read]:
    """What was misread, the surest first."""
    read, confidence = result.probabilities.argmax(axis=1), result.probabilities.max(axis=1)
    wrong = np.flatnonzero(read != result.labels)
    return _gallery(wrong[np.argsort(-confidence[wrong], kind="stable")], result, digits)


def _doubtful(result: Evaluation, digits: Digits) -> list[_Read]:
    """What was read right, the least sure first."""
    read, confidence = result.probabilities.argmax(axis=1), result.probabilities.max(axis=1)
    right = np.flatnonzero(read == result.labels)
    return _gallery(right[np.argsort(confidence[right], kind="stable")], result, digits)


def _gallery(which: NDArray[np.intp], result: Evaluation, digits: Digits) -> list[_Read]:
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


def _inline(figure: Figure, name: str) -> str:
    """The figure as an <svg> element whose text and lines have the colour of the text around it."""
    from matplotlib import rc_context

    file = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    text = file.getvalue()
    return text[text.index("<svg") :].replace(figures.INK, "currentColor")


def _flat(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The settings of a run.json, one level deep: `recipe.lr` and so on."""
    for name, value in record.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
