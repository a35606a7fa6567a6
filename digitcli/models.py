"""Every architecture and every preset. The one place that builds a network.

Every file of presets/ is a preset, and its file name is its name: `--preset`, `--list-presets`, the tests and
benchmarks/accuracy.py find it there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from digitcli.errors import UsageError, unknown_name
from digitcli.system.tensorflow_setup import import_tensorflow

OPTIMIZERS = ("adam", "adamw", "rmsprop", "sgd")
SCHEDULES = ("constant", "cosine")
OUTPUT_LAYER = "probabilities"
LOGITS_LAYER = "logits"


@dataclass(frozen=True)
class ModelSpec:
    """What a network looks like. Input (28, 28, 1) float32 in 0-1, output the probabilities of ten digits.

    channels: filters of each convolutional stage; empty for a dense network.
    depth: convolutions in each stage after the first, which has one; empty for one in each. The last of a
        stage has the stage's filters, those before it the filters of the stage before.
    mean: whether the last layer sees each filter's mean over the picture; then the last stage is not pooled.
    hidden: units of each dense layer before the last.
    dropout: share of units dropped after each dense layer, or before the last layer without one.
    no_digit: an eleventh output, the probability that it is no digit.
    """

    channels: tuple[int, ...] = ()
    depth: tuple[int, ...] = ()
    mean: bool = False
    hidden: tuple[int, ...] = ()
    dropout: float = 0.0
    no_digit: bool = False

    @property
    def outputs(self) -> int:
        """How many classes the network tells apart."""
        return 11 if self.no_digit else 10

    def __post_init__(self) -> None:
        if len(self.channels) > 4:
            raise UsageError(f"28x28 pixels allow at most 4 convolutional stages, got {len(self.channels)}.")
        if self.depth and len(self.depth) != len(self.channels) - 1:
            raise UsageError(
                f"{len(self.channels)} stages need {len(self.channels) - 1} depths, got {self.depth}."
            )
        if any(units < 1 for units in self.hidden):
            raise UsageError(f"Every hidden layer needs at least one unit, got {self.hidden}.")
        if not 0 <= self.dropout < 1:
            raise UsageError(f"Dropout must be at least 0 and below 1, got {self.dropout}.")


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    optimizer: one of OPTIMIZERS.
    lr: the learning rate, the highest one where the schedule changes it.
    schedule: "constant", or "cosine": a short warm-up, then down to zero (Loshchilov & Hutter 2017).
    epochs: passes over the training part.
    batch_size: images per step.
    val_split: share of the training images held out for validation.
    augment: train on randomly warped images.
    label_smoothing: probability mass moved from the right class to all others (Szegedy et al. 2016).
    average: decay of the moving average of the weights that is kept as the result; 0 for none.
    """

    optimizer: str = "adam"
    lr: float = 0.001
    schedule: Literal["constant", "cosine"] = "constant"
    epochs: int = 18
    batch_size: int = 128
    val_split: float = 0.05
    augment: bool = False
    label_smoothing: float = 0.0
    average: float = 0.0

    def __post_init__(self) -> None:
        if self.optimizer not in OPTIMIZERS:
            raise unknown_name("optimizer", self.optimizer, OPTIMIZERS)
        if not self.lr > 0:
            raise UsageError(f"The learning rate must be above 0, got {self.lr}.")
        if self.schedule not in SCHEDULES:
            raise unknown_name("schedule", self.schedule, SCHEDULES)
        if self.epochs < 1:
            raise UsageError(f"At least one epoch is needed, got {self.epochs}.")
        if self.batch_size < 1:
            raise UsageError(f"The batch size must be at least 1, got {self.batch_size}.")
        if not 0 <= self.val_split < 1:
            raise UsageError(f"The validation split must be at least 0 and below 1, got {self.val_split}.")


@dataclass(frozen=True)
class Preset:
    """A network with the recipe that trains it.

    members: how many such networks are trained, to read together by the mean of their logits.
    aim: accuracy in percent on the MNIST test set that the preset must reach (mean over seeds).
    """

    summary: str
    aim: float
    model: ModelSpec
    recipe: Recipe
    members: int = 1


DEFAULT_PRESET = "cnn"


class _Presets(Mapping[str, Preset]):
    """By name, each read from its file when it is asked for. files: by name."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = files

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, name: str) -> Preset:
        import tomllib  # which those who train nothing should not pay for

        values = tomllib.loads(self._files[name].read_text(encoding="utf-8"))
        model, recipe = values.pop("model"), values.pop("recipe")
        layers: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in model.items()
        }
        return Preset(**values, model=ModelSpec(**layers), recipe=Recipe(**recipe))


_FILES = (Path(__file__).parent / "presets").glob("*.toml")

PRESETS = _Presets(
    {each.stem: each for each in sorted(_FILES, key=lambda each: (each.stem != DEFAULT_PRESET, each.name))}
)
"""The default, then the others as a folder lists them."""

GOING_ON = Recipe(lr=0.001, schedule="cosine", epochs=2, augment=True, average=0.99)
"""To go on from a trained network with a few digits more."""


def preset(name: str) -> Preset:
    """The preset of that name. Raises UsageError, with the nearest name, if there is none."""
    if name not in PRESETS:
        raise unknown_name("preset", name, PRESETS)
    return PRESETS[name]


def parameter_count(spec: ModelSpec) -> int:
    """All weights of the network that `build` makes, counted without importing Keras."""
    count, filters_in, side = 0, 1, 28
    for kernel, filters, strides, pooled in _convolutions(spec):
        normalisation = 4 * filters
        count += kernel * kernel * filters_in * filters + normalisation
        filters_in = filters
        side = math.ceil(side / strides / (2 if pooled else 1))
    features = filters_in if spec.mean else side * side * filters_in
    for units in (*spec.hidden, spec.outputs):
        count += (features + 1) * units
        features = units
    return count


def build(spec: ModelSpec, normalization: Any = None, dtype: str | None = None) -> Any:
    """A keras.Model for `spec`: (n, 28, 28, 1) float32 in 0-1 to (n, spec.outputs) probabilities.

    A convolutional network starts with a strided convolution, since the full 28x28 is where the time goes,
    and costs no accuracy. Each further stage ends with a convolution that widens and 2x2 max pooling, before
    the normalisation, which then has a quarter of the work. Weights are drawn from Keras's global seed.
    normalization: the class of the normalising layers, keras.layers.BatchNormalization or one like it.
    dtype: Keras's policy for all layers before the logits; float32 by default.
    Raises MissingExtraError without TensorFlow.
    """
    import_tensorflow()
    import keras
    from keras import layers

    normalization = normalization or layers.BatchNormalization
    x = inputs = keras.Input((28, 28, 1), name="image")
    for kernel, filters, strides, pooled in _convolutions(spec):
        x = layers.Conv2D(filters, kernel, strides, padding="same", use_bias=False, dtype=dtype)(x)
        if pooled:
            x = layers.MaxPooling2D(2, padding="same", dtype=dtype)(x)
        x = normalization(momentum=0.95, dtype=dtype)(x)
        x = layers.ReLU(dtype=dtype)(x)
    x = layers.GlobalAveragePooling2D(dtype=dtype)(x) if spec.mean else layers.Flatten(dtype=dtype)(x)
    for units in spec.hidden:
        x = layers.Dense(units, activation="relu", dtype=dtype)(x)
        x = layers.Dropout(spec.dropout, dtype=dtype)(x)
    if not spec.hidden:
        x = layers.Dropout(spec.dropout, dtype=dtype)(x)
    x = layers.Dense(spec.outputs, name=LOGITS_LAYER)(x)
    return keras.Model(inputs, layers.Softmax(name=OUTPUT_LAYER)(x))


def logits(model: Any, name: str | None = None) -> Any:
    """The same network without its last softmax, sharing all weights; what training works on."""
    import keras

    return keras.Model(model.input, model.get_layer(OUTPUT_LAYER).input, name=name)


def ensemble(members: Sequence[Any]) -> Any:
    """One keras.Model that reads by the mean of the logits of several, sharing their weights.

    members: as from `build`, with the same outputs.
    """
    import keras
    from keras import layers

    inputs = keras.Input((28, 28, 1), name="image")
    each = [logits(member, f"member_{n}")(inputs) for n, member in enumerate(members, 1)]
    return keras.Model(inputs, layers.Softmax(name=OUTPUT_LAYER)(layers.Average(name="mean")(each)))


def last_layers(model: Any) -> list[Any]:
    """The dense layers that give the logits: one, or one of each member of an ensemble."""
    return [network.get_layer(LOGITS_LAYER) for network in members(model)]


def members(model: Any) -> list[Any]:
    """The networks of an ensemble, or the one that the model is."""
    return [layer for layer in model.layers if layer.name.startswith("member_")] or [model]


def _convolutions(spec: ModelSpec) -> Iterator[tuple[int, int, int, bool]]:
    """Kernel size, filters and strides of each convolution, and whether it is pooled."""
    if not spec.channels:
        return
    before, *stages = spec.channels
    yield 5, before, 2, False
    depth = spec.depth or (1,) * len(stages)
    for stage, (filters, count) in enumerate(zip(stages, depth, strict=True), 1):
        for _ in range(count - 1):
            yield 3, before, 1, False
        yield 3, filters, 1, stage < len(stages) or not spec.mean
        before = filters
