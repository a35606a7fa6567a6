"""Making the line reader, by its command and from Python."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import digitcli
from digitcli.data import synthetic
from digitcli.data.load import load
from digitcli.detector import line_network, line_training, making, older
from digitcli.detector.line_examples import Example, examples_among_words, number_examples
from digitcli.detector.line_views import view
from digitcli.errors import DataError
from digitcli.reading import line
from digitcli.reading.strip import HEIGHT, STEP, strip
from digitcli.reading.transcript import LETTER, SIGNS, greedy, softmax

REAL = synthetic.generate(400, seed=2)


@pytest.mark.parametrize("what", ["lines", "words", "numbers"])
def test_the_command_writes_a_reader_that_takes_lines_of_any_width(tmp_path: Path, what: str) -> None:
    made = tmp_path / "line.tflite"
    command = [sys.executable, "-m", "digitcli.detector", what, str(made), "--data", "synthetic"]
    done = subprocess.run(
        [*command, "--count", "40", "--steps", "1"], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == f"Wrote {made}."
    assert made.stat().st_size < 1_000_000
    for width in (24, 400):
        assert line.read(np.zeros((HEIGHT, width), np.uint8), made).shape == (width // STEP, len(SIGNS) + 1)


def test_lines_do_not_depend_on_how_many_processes_draw() -> None:
    counts: list[int] = []
    drawn = line_training.draw(REAL, 5, 260, lambda done, total: counts.append(done))
    again = line_training.draw(REAL, 5, 260)
    assert counts == [250, 260]
    assert [example.text for example in drawn] == [example.text for example in again]
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(drawn, again, strict=True))
    assert all(example.pixels.shape[0] == HEIGHT for example in drawn)


def test_a_reader_of_numbers_learns_from_numbers() -> None:
    drawn = line_training.draw(REAL, 5, 250, kind=number_examples)
    digits = [sum(sign.isdigit() for sign in example.text) for example in drawn]
    assert sum(count > 1 for count in digits) > 0.7 * len(drawn)
    assert 0 < sum(count == 0 for count in digits) < 0.15 * len(drawn)


def test_one_reader_learns_from_numbers_among_words() -> None:
    plain, among = (
        sum(LETTER in example.text and any(map(str.isdigit, example.text)) for example in drawn)
        for drawn in (
            line_training.draw(REAL, 5, 250),
            line_training.draw(REAL, 5, 250, kind=examples_among_words),
        )
    )
    assert among > 3 * plain > 0


def test_another_digitcli_draws_older_lines() -> None:
    repository = Path(digitcli.__file__).parents[1]
    drawn = older.lines(repository, "synthetic", 5, 3)
    again = line_training.draw(load("synthetic").train, 5, 3)
    assert [example.text for example in drawn] == [example.text for example in again]
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(drawn, again, strict=True))


def test_another_digitcli_that_draws_nothing_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"^{re.escape(str(tmp_path))}: is no checkout of digitcli"):
        older.lines(tmp_path, "synthetic", 5, 3)
    (tmp_path / "digitcli").mkdir()
    (tmp_path / "digitcli" / "__init__.py").write_text("raise SystemExit(1)")
    with pytest.raises(DataError, match=f"^{re.escape(str(tmp_path))}: its digitcli did not draw lines"):
        older.lines(tmp_path, "synthetic", 5, 3)


def test_a_training_goes_on_from_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_training, "RATE_AGAIN", 0.0)
    begun = line_network.build()
    model = line_training.train(line_training.draw(REAL, 5, 20), 3, 1, begun=begun)
    for one, other in zip(begun.trainable_variables, model.trainable_variables, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_older_lines_are_learnt_with_the_others_and_then_their_short_ones_more_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trainings: list[tuple[list[str], int, object]] = []

    def train(drawn: list[Example], seed: int, steps: int, *rest: Any) -> str:
        trainings.append(([example.text for example in drawn], steps, rest[-1]))
        return "begun"

    monkeypatch.setattr(line_training, "train", train)
    there = [Example(np.zeros((HEIGHT, 40), np.uint8), text) for text in ("7", "1905", "4.")]
    line_training.train_with_older([Example(there[0].pixels, "3?")], there, 0, 11)
    (first, steps, _), (again, more, begun) = trainings
    assert sorted(first) == sorted(["7", "1905", "4.", "3?"])
    assert sorted(again) == sorted([*first, "7", "4.", "7", "4."])
    assert (steps, more, begun) == (11, 5, "begun")


def test_a_gradient_that_is_not_finite_is_passed_over() -> None:
    def loss(model: Any, part: Any, batch: Any) -> Any:
        return line_training.tf.reduce_sum(model(part[0]))

    good, bad = np.ones((2, 3), np.float32), np.full((2, 3), np.inf, np.float32)
    layers = line_training.keras.layers

    def build(normalization: Any = None, dtype: str | None = None) -> Any:
        seen = layers.Input((3,))
        return line_training.keras.Model(seen, layers.Dense(1)(seen))

    signature = [line_training.tf.TensorSpec((None, 3), line_training.tf.float32)]
    schedule = making.Schedule(0.1, 1, 0.5, 0.5)
    batches = iter([(good,), (bad,), (good,)])
    model = making.train(build, batches, loss, signature, schedule, 3, lambda done, total: None)
    assert all(np.isfinite(weights).all() for weights in model.get_weights())


def test_training_reads_what_it_is_shown_and_says_nothing_where_there_is_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(line_training, "PIXELS", 16 * 64)
    monkeypatch.setattr(line_training, "WARM_UP", 5)
    monkeypatch.setattr(line_training, "AVERAGED", 0.9)
    drawn = []
    for left, text in ((12, "1"), (40, "7"), (None, "")):
        pixels = np.full((HEIGHT, 64), 230, np.uint8)
        if left:
            pixels[8:40, left : left + 5] = 20
        if text == "7":
            pixels[8:13, left - 15 : left + 5] = 20
        drawn.append(Example(strip(pixels), text))
    model = line_training.train(drawn, seed=1, steps=160)
    for example in drawn:
        columns = softmax(model(example.pixels[None, ..., None].astype(np.float32)).numpy()[0, 0])
        assert greedy(columns) == example.text


@given(st.integers(0, 2**32 - 1), st.integers(24, 300))
@settings(deadline=None, max_examples=40)
def test_a_line_seen_otherwise_is_still_a_strip(seed: int, width: int) -> None:
    pixels = np.zeros((HEIGHT, width), np.uint8)
    pixels[10:38, width // 2 - 3 : width // 2 + 3] = 255
    seen = view(pixels, np.random.default_rng(seed))
    assert seen.dtype == np.uint8
    assert seen.shape[0] == HEIGHT
    assert width / 2 < seen.shape[1] < 2 * width
    assert np.ptp(seen) > 60


def test_the_network_that_is_bundled_is_the_one_that_is_described() -> None:
    answer = line_network.build()(np.zeros((1, HEIGHT, 80, 1), np.float32)).numpy()
    assert answer.shape == (1, 1, 80 // STEP, line_network.OUTPUTS)
    for model in line.OF_NUMBERS:
        assert line.read(np.zeros((HEIGHT, 80), np.uint8), model).shape == answer.shape[2:]
