"""Trains, evaluates, runs and exports handwritten-digit classifiers.

    import digitcli

    model = digitcli.load()
    model.read("photo.jpg").text
    model.read("code.png", expect=digitcli.Expect(length=5)).text
    model.predict(images)  # (n, 28, 28) to (n, 10)

`train`, `resume` (which is `train --resume`) and `evaluate` do what the commands do. All of it lies in
`digitcli.api` and is imported when it is first used, so that the commands start at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from digitcli.version import __version__ as __version__

__all__ = ["Expect", "Model", "evaluate", "load", "resume", "train"]

if TYPE_CHECKING:
    from digitcli.api import Model, evaluate, load, resume, train
    from digitcli.reading.expect import Expect


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'digitcli' has no attribute '{name}'")
    from digitcli import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
