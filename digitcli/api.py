"""What `import digitcli` gives: the work of the commands, for scripts and notebooks."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digitcli import classifiers, evaluation, runs
from digitcli.convention import SIDE
from digitcli.data.load import load as load_data
from digitcli.errors import ImageError, UsageError
from digitcli.evaluation import Evaluation
from digitcli.reading import prediction
from digitcli.reading.expect import ANY, Expect
from digitcli.reading.prediction import Mode, Prediction
from digitcli.sources.pages import EVERY_PAGE, Pages, split
from digitcli.sources.source import Source
from digitcli.system.limits import SECONDS

if TYPE_CHECKING:
    from digitcli.runs.history import EpochReport
    from digitcli.training.run import TrainedRun

Picture = str | os.PathLike[str] | bytes | Image.Image | NDArray[np.uint8]
"""Its file, the bytes of one, a PIL image, or pixels: (height, width) or (height, width, 3 or 4) uint8."""

_PNG_MODES = {"1", "L", "LA", "P", "RGB", "RGBA", "I;16"}


class Model:
    """A digit classifier that is ready to read. Made by `load`.

    path: the file it came from. runtime: what runs it, "LiteRT", "ONNX Runtime", "Keras"
        or "TensorFlow".
    """

    def __init__(self, classifier: classifiers.Classifier) -> None:
        self._classifier = classifier
        self.path = classifier.path
        self.runtime = classifier.runtime

    def __repr__(self) -> str:
        """Which model this is."""
        return f"<digitcli.Model {self.path} through {self.runtime}>"

    def predict(self, images: NDArray[Any]) -> NDArray[np.float32]:
        """The probabilities of the digits 0 to 9, (n, 10), of pictures that are in MNIST's form already.

        images: (n, 28, 28), (n, 28, 28, 1) or one (28, 28); ink bright on black paper; uint8 in 0-255, or
            floating in 0-1, which is rounded to the 255th part.
        A row sums to 1, or to less where the model knows what is no digit: that has what is missing.
        Raises UsageError for anything else. Use `read` for pictures as people make them.
        """
        return self._classifier.probabilities(_pixels(images))

    def read(
        self,
        picture: Picture,
        *,
        page: int | None = None,
        mode: Mode = "auto",
        expect: Expect = ANY,
        min_confidence: float = 0.0,
        time_limit: float = SECONDS,
    ) -> Prediction:
        """What a person would read on a picture: a digit, several, or none with the reason.

        page: of a TIFF or PDF, counted from 1; to be named where there are several.
        mode: "single" for one digit, "many" for all there are, "auto" to find out.
        expect: what is known of the number, as Expect(length=5); it is then read as in mode "many".
        min_confidence: below it, 0-1, the answer is that it is not sure enough.
        time_limit: seconds of computing that it may take; kept in the main thread only, and not on Windows.
        Raises ImageError if the picture cannot be read, or has several pages and none is named.
        """
        wanted = Pages(str(page)) if page is not None else EVERY_PAGE
        whole = _source(picture)
        source, *others = islice(split([whole], wanted), 2)
        if others:
            raise ImageError(f"{whole.name} has several pages. Name one, as page=1.")
        (result,) = prediction.predict(
            [source],
            self._classifier,
            mode=mode,
            min_confidence=min_confidence,
            time_limit=time_limit,
            expect=expect,
        )
        if result.error:
            raise ImageError(result.error)
        return result


def load(path: str | os.PathLike[str] | None = None, *, views: int = 1, trust: bool = False) -> Model:
    """The model of a run directory or in a file; without a path the newest run's, else the bundled one.

    views: how many slightly different views of each picture to read, for their mean.
    trust: let the model run code, read and write files and take any memory and time, if it wants to; a
        warning tells which of its parts could.
    Raises ModelError if there is none, or it cannot be used, or wants such things and is not trusted.
    """
    found = runs.find_model(None if path is None else Path(path))
    return Model(classifiers.load(found.path, views=views, trust=warnings.warn if trust else None))


def train(
    preset: str = "cnn",
    *,
    data: str = "mnist",
    output: str | os.PathLike[str] | None = None,
    force: bool = False,
    seed: int = 0,
    ensemble: int | None = None,
    time_budget: float | None = None,
    patience: int | None = None,
    hidden: tuple[int, ...] | None = None,
    dropout: float | None = None,
    teacher: str | os.PathLike[str] | None = None,
    on_epoch: Callable[[EpochReport], None] = lambda report: None,
    **recipe: Any,
) -> TrainedRun:
    """Trains a network and keeps it as a run directory, like `digitcli train`.

    data: "mnist", "synthetic", "auto" or a path. output: the run directory; by default a free name in
        MNIST/runs. force: replace what is there. time_budget: seconds.
    teacher: a run, or "bundled", whose answers are learnt beside the labels.
    on_epoch: called after each epoch with its losses and accuracies.
    recipe: what is to differ from the preset's own, named as in digitcli.models.Recipe: epochs, lr,
        batch_size, augment …
    Raises UsageError for a setting that makes no sense, DataError if there is no such data, OutputError if
    the run cannot be written, MissingExtraError without TensorFlow. After Ctrl-C, `resume` goes on.
    """
    from digitcli.models import Recipe
    from digitcli.training.config import configure

    unknown = set(recipe) - set(Recipe.__dataclass_fields__)
    if unknown:
        raise UsageError(
            f"A recipe has no {', '.join(sorted(unknown))}, only {', '.join(Recipe.__dataclass_fields__)}."
        )
    config = configure(
        preset,
        seed=seed,
        patience=patience,
        members=ensemble,
        time_budget=time_budget,
        model={"hidden": hidden, "dropout": dropout},
        recipe=recipe,
        teacher=None if teacher is None else Path(teacher),
    )
    dataset = load_data(data)

    from digitcli.training.run import train as train_run

    directory = None if output is None else Path(output)
    return train_run(config, dataset, directory, source=data, force=force, on_epoch=on_epoch)


def resume(
    run: str | os.PathLike[str],
    *,
    data: str | None = None,
    on_epoch: Callable[[EpochReport], None] = lambda report: None,
) -> TrainedRun:
    """Goes on with a training that was stopped, like `digitcli train --resume`.

    run: the run directory that it was to write. data: where its data are now, if they were moved.
    Raises OutputError if there is no such training, and what `train` raises.
    """
    from digitcli.training import unfinished

    directory = Path(run)
    source = data or unfinished.read_plan(directory).source
    if source is None:
        raise UsageError(f"The data of the training of {run} came as arrays. Name them with data=.")
    dataset = load_data(source)

    from digitcli.training.run import resume as resume_run

    return resume_run(directory, dataset, on_epoch=on_epoch)


def evaluate(model: Model | str | os.PathLike[str] | None = None, *, data: str = "mnist") -> Evaluation:
    """How good a model is on the test part of a data set, or on all of it if it has none.

    model: as from `load`, or what to give to it.
    """
    digits = load_data(data).scored
    loaded = model if isinstance(model, Model) else load(model)
    return evaluation.evaluate(loaded._classifier, digits)


def _pixels(images: NDArray[Any]) -> NDArray[np.uint8]:
    array = np.asarray(images)
    if array.shape == (SIDE, SIDE):
        array = array[None]
    if array.shape[1:] == (SIDE, SIDE, 1):
        array = array[..., 0]
    if array.shape[1:] != (SIDE, SIDE):
        raise UsageError(
            f"Images of shape {array.shape} are not (n, {SIDE}, {SIDE}). For others there is read()."
        )
    if array.dtype == np.uint8:
        return array
    if not np.issubdtype(array.dtype, np.floating):
        raise UsageError(f"Images of {array.dtype} are neither uint8 in 0-255 nor floating in 0-1.")
    if array.size and not (array.min() >= 0 and array.max() <= 1):
        raise UsageError(f"Floating images go from 0 to 1, these from {array.min():g} to {array.max():g}.")
    return np.round(array * 255).astype(np.uint8)


def _source(picture: Picture) -> Source:
    match picture:
        case bytes():
            return Source("The picture", picture)
        case np.ndarray():
            return Source("The picture", _png(_image(picture)))
        case Image.Image():
            return Source("The picture", _png(picture))
        case path:
            return Source(os.fspath(path), os.fspath(path))


def _image(pixels: NDArray[Any]) -> Image.Image:
    coloured = pixels.ndim == 3 and pixels.shape[2] in (3, 4)
    if pixels.dtype != np.uint8 or not (pixels.ndim == 2 or coloured) or not pixels.size:
        raise UsageError(
            f"Pixels of {pixels.dtype} and shape {pixels.shape} are no picture: "
            "uint8 and (height, width) or (height, width, 3 or 4) are."
        )
    return Image.fromarray(pixels)


def _png(image: Image.Image) -> bytes:
    # The reading path starts from a file, and so treats this like every other: alpha, palette, depth.
    buffer = io.BytesIO()
    fitting = image if image.mode in _PNG_MODES else image.convert("RGB")
    fitting.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
