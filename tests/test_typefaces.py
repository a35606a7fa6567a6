"""Lines written in typefaces of handwriting, where these are."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from digitcli.simulator import typefaces
from digitcli.simulator.hands import HEIGHT, Scribe
from digitcli.simulator.typefaces import faces


@pytest.fixture
def handwriting(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The file of a typeface where npm would put that of a hand."""
    files = Path("typefaces/node_modules/@fontsource/caveat/files")
    files.mkdir(parents=True)
    path = shutil.copy(faces()[0], files / "caveat-latin-400-normal.woff2")
    shutil.copy(faces()[0], files / "caveat-cyrillic-400-normal.woff2")
    monkeypatch.setenv(typefaces.FOLDER, "typefaces")
    typefaces.written.cache_clear()
    yield str(path)
    typefaces.written.cache_clear()


def test_latin_files_of_known_families_are_found(handwriting: str) -> None:
    assert typefaces.written() == [handwriting]


def test_without_the_folder_there_is_print_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(typefaces.FOLDER, raising=False)
    typefaces.written.cache_clear()
    assert typefaces.written() == []
    assert typefaces.printed()


def test_a_scribe_writes_digits_of_one_height_that_are_never_quite_the_same(handwriting: str) -> None:
    scribe = Scribe(np.random.default_rng(1))
    heights = [scribe.digit(digit).ink.shape[0] for digit in range(10)]
    assert min(heights) > 0.8 * HEIGHT
    assert max(heights) < 1.5 * HEIGHT
    assert not np.array_equal(scribe.digit(3).ink, scribe.digit(3).ink)


def test_a_sign_that_a_typeface_lacks_comes_from_another(handwriting: str) -> None:
    assert typefaces.drawn(handwriting, "\U00010fff") is None
    assert Scribe(np.random.default_rng(1)).sign("×").ink.any()


def test_each_package_is_named_once_with_its_version() -> None:
    packages = typefaces.packages()
    assert len(packages) == len(set(packages)) > 200
    assert all(each.startswith("@fontsource/") and each.endswith("@5") for each in packages)
