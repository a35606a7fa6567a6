"""What is said where TensorFlow is not there."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import pytest

from digitcli.errors import DigitcliError, MissingExtraError
from digitcli.system import tensorflow_setup


@pytest.fixture(autouse=True)
def absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        tensorflow_setup.importlib.util,
        "find_spec",
        lambda name, *rest: None if name == "tensorflow" else find_spec(name, *rest),
    )


def test_where_it_can_be_had_the_installation_is_named() -> None:
    with pytest.raises(MissingExtraError, match="pip install 'tensorflow'"):
        tensorflow_setup.import_tensorflow()


def test_where_it_has_no_release_the_pythons_that_it_has_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 14, 0))
    with pytest.raises(DigitcliError, match=r"no release for Python 3\.14\..* 3\.11, 3\.12 or 3\.13"):
        tensorflow_setup.import_tensorflow()
