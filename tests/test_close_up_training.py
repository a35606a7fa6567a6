"""Making the close-up reader, by its command and from Python."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digitcli.data import synthetic
from digitcli.detector import close_up_training
from digitcli.detector.close_up_examples import Example
from digitcli.reading import close_up
from digitcli.reading.close_up import NONE, OUTCOMES, SEVERAL, SIDE, square
from digitcli.reading.strip import HEIGHT, STEP

REAL = synthetic.generate(400, seed=2)


def test_the_command_writes_a_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = tmp_path / "close-up.tflite"
    command = [sys.executable, "-m", "digitcli.detector", "close-ups", str(made), "--data", "synthetic"]
    done = subprocess.run(
        [*command, "--count", "40", "--steps", "1"], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == f"Wrote {made}."
    assert made.stat().st_size < 500_000
    monkeypatch.setattr(close_up, "MODEL", made)
    for width in (24, 400):
        shares = close_up.read(np.zeros((HEIGHT, width), np.uint8))
        assert shares.shape == (OUTCOMES,)
        assert shares.sum() == pytest.approx(1)


def test_what_is_drawn_has_each_digit_and_none_and_several_of_them() -> None:
    counts: list[int] = []
    drawn = close_up_training.draw(REAL, 5, 260, lambda done, total: counts.append(done))
    again = close_up_training.draw(REAL, 5, 260)
    assert counts == [250, 260]
    assert {example.label for example in drawn} == {*range(10), NONE, SEVERAL}
    assert all(
        a.label == b.label and np.array_equal(a.pixels, b.pixels) for a, b in zip(drawn, again, strict=True)
    )


def test_training_tells_what_it_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(close_up_training, "BATCH_SIZE", 16)
    monkeypatch.setattr(
        close_up_training, "SCHEDULE", close_up_training.Schedule(0.002, 5, cooled=0.05, averaged=0.9)
    )
    drawn = []
    for columns, label in ([24], 1), ([], NONE), ([8, 24, 40], SEVERAL):
        pixels = np.zeros((HEIGHT, SIDE), np.uint8)
        pixels[8:40, columns] = pixels[8:40, [column + 1 for column in columns]] = 255
        drawn.append(Example(pixels, label))
    model = close_up_training.train(drawn, seed=1, steps=60)
    shown = np.stack([square(example.pixels) for example in drawn])[..., None].astype(np.float32)
    assert model(shown).numpy().argmax(axis=1).tolist() == [example.label for example in drawn]


@given(st.integers(6, 300).map(lambda columns: columns * STEP))
@settings(deadline=None, max_examples=30)
def test_a_strip_of_any_width_becomes_a_square_with_all_of_it(width: int) -> None:
    strip = np.full((HEIGHT, width), 255, np.uint8)
    seen = square(strip)
    assert seen.shape == (SIDE, SIDE)
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    wide, tall = np.ptp(columns) + 1, np.ptp(rows) + 1
    assert max(wide, tall) == SIDE
    assert tall / wide == pytest.approx(HEIGHT / width, abs=1 / SIDE)
