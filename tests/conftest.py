"""What all tests share: the command line, run in an empty folder with nothing of the user's in reach."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from typer.testing import CliRunner

from digitcli.classifiers import trial
from digitcli.cli import app
from digitcli.errors import ModelError
from digitcli.exporting.browser import Browser
from digitcli.system.tensorflow_setup import import_tensorflow

# As digitcli sets it before TensorFlow is imported, which here a test may do first.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

# Started by nohup, or in the background of a script, all that is started here would ignore these.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# CI tries the same examples each time, so that it judges the change; other runs look for new ones.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")

# Files that take a minute or more: begun first, so that one process does not end with them all.
LONGEST = ("workers", "resume", "exporting", "ray", "tune", "training", "hostile_environment", "report")

# What `make test` leaves to `make test-slow`: trainings, processes that train together, files made to harm,
# hostile environments, and whole documents that are run.
SLOW = {
    *("close_up_training", "detector_training", "line_training", "resume", "teacher", "training"),
    *(
        "tune",
        "workers",
        "exporting",
        "fuzz",
        "hostile_environment",
        "notebooks",
        "page",
        "recipes",
        "strangers",
    ),
}
SLOW_FIXTURES = {"address", "browser"}  # a Ray, and Chromium, which must be started

# Training and exporting: left out where TensorFlow is not installed, as is what else asks for the fixture
# `tensorflow`. With tests/without_tensorflow/ on PYTHONPATH it is as if it were not.
WITH_TENSORFLOW = {
    *("cli_train", "close_up_training", "cluster", "detector_training", "line_training", "resume"),
    *("teacher", "training", "tune", "workers"),
    *("c_export", "cli_export", "exporting", "in_blocks", "page", "strangers"),
}
HAS_TENSORFLOW = find_spec("tensorflow") is not None
if not HAS_TENSORFLOW:
    collect_ignore = [f"test_{each}.py" for each in WITH_TENSORFLOW]


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not HAS_TENSORFLOW:
        needs_it = [item for item in items if "tensorflow" in getattr(item, "fixturenames", ())]
        config.hook.pytest_deselected(items=needs_it)
        items[:] = [item for item in items if "tensorflow" not in getattr(item, "fixturenames", ())]
    for item in items:
        assert isinstance(item, pytest.Function)
        if name(item) in SLOW or SLOW_FIXTURES.intersection(item.fixturenames):
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: name(item) not in LONGEST)


def name(item: pytest.Item) -> str:
    return item.path.stem.removeprefix("test_")


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    exit_code: int
    stdout: str
    stderr: str


@pytest.fixture(autouse=True)
def _empty_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "cwd"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("DIGITCLI_DATA", raising=False)
    monkeypatch.delenv("DIGITCLI_MIRROR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TERMINAL_WIDTH", "100")


@pytest.fixture(autouse=True)
def _models_are_tried_in_this_process(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """Saves the seconds that TensorFlow takes to start, except where `trials` is asked for."""
    if "trials" not in request.fixturenames:
        monkeypatch.setattr(trial, "_passes", lambda path, kind: trial.refuse_risks(path, kind) is None)


@pytest.fixture
def trials() -> None:
    """Models are tried in a process of their own, as they are outside of tests."""


@pytest.fixture(scope="session")
def tensorflow() -> Any:
    """What trains, exports, or runs models of TensorFlow's asks for this."""
    return import_tensorflow()


@pytest.fixture(scope="session")
def browser() -> str:
    """The browser on this machine. Without one a test is skipped, but never in CI."""
    try:
        return Browser.find()
    except ModelError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def chromium(browser: str) -> Iterator[Any]:
    """That browser, started, in Playwright's hands."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="session")
def trained(tensorflow: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A convolutional network that reads most of the digits that digitcli draws."""
    from digitcli.data import synthetic
    from digitcli.data.digits import DataSet
    from digitcli.training.config import configure
    from digitcli.training.run import train

    folder = tmp_path_factory.mktemp("trained")
    digits = synthetic.generate(3300)
    data = DataSet(digits.take(slice(3000)), digits.take(slice(3000, 3300)), "drawn")
    config = configure("cnn", recipe={"epochs": 3, "val_split": 0.0, "lr": 0.01, "batch_size": 64})
    return train(config, data, folder / "run").directory


@pytest.fixture(scope="session")
def all_exports(trained: Path, tmp_path_factory: pytest.TempPathFactory, browser: str) -> list[Any]:
    """A folder of `trained` in every format."""
    import tiny_models

    from digitcli import exporting

    folder = tmp_path_factory.mktemp("exports") / "all"
    return exporting.export(trained / "model.keras", "all", folder, tiny_models.DATA, name="drawn")


@pytest.fixture
def digitcli() -> Callable[..., Result]:
    """Runs `digitcli ARGS...` in this process and returns its exit code, stdout and stderr."""

    def run(*args: object, input: str | bytes | None = None) -> Result:
        result = CliRunner().invoke(app, [str(arg) for arg in args], input=input)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Result(result.exit_code, result.stdout, result.stderr)

    return run
