"""Making the detector, by its command and from Python."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from digitcli.data import synthetic
from digitcli.detector import network, training
from digitcli.detector.pages import PageOfDigits
from digitcli.reading import find as finding


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "digitcli.detector", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_the_command_writes_a_detector_that_takes_pictures_of_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tmp_path / "detector.tflite"
    done = run("boxes", str(made), "--data", "synthetic", "--pages", "3", "--steps", "1")
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == f"Wrote {made}."
    assert made.stat().st_size < 1_000_000
    monkeypatch.setattr(finding, "MODEL", made)
    for size in ((40, 300), (512, 384)):
        found = finding.find(Image.new("RGB", size))
        assert found.boxes.shape == (len(found), 4)


def test_data_without_a_training_part_is_an_error_of_one_line(tmp_path: Path) -> None:
    test_part = synthetic.generate(10, seed=1)
    for digit in range(10):
        folder = tmp_path / "data" / "test" / str(digit)
        folder.mkdir(parents=True)
        for index in np.flatnonzero(test_part.labels == digit):
            Image.fromarray(test_part.images[index]).save(folder / f"{index}.png")
    done = run("boxes", str(tmp_path / "detector.tflite"), "--data", str(tmp_path / "data"))
    assert done.returncode == 1
    assert done.stderr.strip() == f"{tmp_path / 'data'}: has no training part."
    assert not (tmp_path / "detector.tflite").exists()


def test_pages_do_not_depend_on_how_many_processes_draw() -> None:
    real = synthetic.generate(30, seed=2)
    counts: list[int] = []
    drawn = training.draw(real, 5, 60, lambda done, total: counts.append(done))
    again = training.draw(real, 5, 60)
    assert counts == [50, 60]
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(drawn, again, strict=True))


def test_training_finds_what_it_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "BATCH_SIZE", 4)
    monkeypatch.setattr(training, "WARM_UP", 5)
    pixels = np.full((200, 200, 3), 230, np.uint8)
    pixels[80:140, 60:90] = 20
    only = PageOfDigits(pixels, np.array([(60, 80, 90, 140)], np.float32), np.array([1], np.uint8))
    model = training.train([only], seed=1, steps=60)
    scores = model(pixels[None, 4:196, 4:196].astype(np.float32), training=False).numpy()[0, ..., 0]
    row, column = np.unravel_index(scores.argmax(), scores.shape)
    assert 76 <= row * finding.STRIDE <= 136
    assert 56 <= column * finding.STRIDE <= 86


def test_the_network_that_is_bundled_is_the_one_that_is_described() -> None:
    model = network.build(64)
    answer = model(np.zeros((1, 64, 64, 3), np.float32)).numpy()
    assert answer.shape == (1, 16, 16, network.OUTPUTS)
    assert finding.network(finding.MODEL)(np.zeros((64, 64, 3), np.uint8)).shape == answer.shape[1:]
