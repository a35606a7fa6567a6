from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from digitcli.data.digits import Digits
from digitcli.errors import ModelError, UsageError
from digitcli.evaluation import Evaluation, evaluate


@dataclass
class FirstPixelReader:
    """Reads the digit that the first pixel's value names, and is 91 % sure of it."""

    path: Path = Path("reader.tflite")
    runtime: str = "LiteRT"
    batches: list[int] = field(default_factory=list)

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.batches.append(len(images))
        given = np.full((len(images), 10), 0.01, dtype=np.float32)
        given[np.arange(len(images)), images[:, 0, 0]] = 0.91
        return given


def digits(labels: list[int], read: list[int]) -> Digits:
    images = np.zeros((len(labels), 28, 28), dtype=np.uint8)
    images[:, 0, 0] = read
    return Digits(images, np.array(labels, dtype=np.uint8), "made by hand")


def scored(batch_size: int = 256) -> Evaluation:
    return evaluate(FirstPixelReader(), digits([4, 4, 9, 9, 0], [4, 9, 9, 9, 0]), batch_size)


def test_every_picture_is_scored_the_last_partial_batch_too() -> None:
    reader = FirstPixelReader()
    evaluation = evaluate(reader, digits([1] * 10, [1] * 10), batch_size=4)
    assert reader.batches == [4, 4, 2]
    assert evaluation.count == evaluation.confusion.sum() == 10


def test_figures_of_a_small_case_are_those_computed_by_hand() -> None:
    evaluation = scored()
    assert evaluation.accuracy == pytest.approx(4 / 5)
    assert evaluation.wrong == 1
    assert evaluation.loss == pytest.approx(-(4 * np.log(0.91) + np.log(0.01)) / 5)
    assert evaluation.confusion[4].tolist() == [0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
    assert [scores.digit for scores in evaluation.digits] == list(range(10))
    assert evaluation.digits[9].precision == pytest.approx(2 / 3)
    assert evaluation.images_per_second > 0


@pytest.mark.parametrize("batch_size", [1, 2, 3, 5, 100])
def test_the_batch_size_changes_no_figure(batch_size: int) -> None:
    evaluation, whole = scored(batch_size), scored()
    assert (evaluation.confusion == whole.confusion).all()
    assert evaluation.loss == pytest.approx(whole.loss)


def test_progress_counts_pictures_up_to_all_of_them() -> None:
    seen: list[tuple[int, int | None]] = []
    evaluate(FirstPixelReader(), digits([2] * 5, [2] * 5), 2, lambda done, total: seen.append((done, total)))
    assert seen == [(2, 5), (4, 5), (5, 5)]


def test_a_batch_size_below_one_is_refused() -> None:
    with pytest.raises(UsageError, match="batch size of 0"):
        scored(batch_size=0)


def test_a_model_that_gives_nan_is_refused_by_name() -> None:
    reader = FirstPixelReader()
    reader.probabilities = lambda images: np.full((len(images), 10), np.nan, np.float32)  # type: ignore[method-assign]
    with pytest.raises(ModelError, match=r"reader\.tflite.*no numbers"):
        evaluate(reader, digits([1], [1]))
