"""What digitcli finds where it runs: what a report of a fault needs to say."""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution, version

from digitcli import runs
from digitcli.data.load import Place, places
from digitcli.errors import ModelError
from digitcli.system.parallel import cores
from digitcli.version import __version__

DISTRIBUTION = "digitcli"


@dataclass(frozen=True)
class Diagnosis:
    """The state of an installation.

    versions: of digitcli, Python, the system, and by name of each package that digitcli needs; None where
        one is not installed.
    extras: by name, which packages of it are missing; none if it can be used.
    cores: that may be used. processor: instructions of it that NumPy found beyond the least that it needs.
    mnist: where MNIST is looked for. model: what would be used, or why none can be.
    """

    versions: dict[str, str | None]
    extras: dict[str, list[str]]
    cores: int
    processor: list[str]
    mnist: list[Place]
    model: str


def diagnose() -> Diagnosis:
    """The state of this installation; nothing heavy is imported, and nothing downloaded."""
    required, extras = _requirements()
    try:
        model = runs.find_model().description
    except ModelError as error:
        model = str(error)
    return Diagnosis(
        versions={
            "digitcli": __version__,
            "Python": platform.python_version(),
            "system": platform.platform(),
            **{name: _version(name) for name in required},
        },
        extras={
            extra: [name for name in names if _version(name) is None]
            for extra, names in sorted(extras.items())
        },
        cores=cores(),
        processor=_features(),
        mnist=places(),
        model=model,
    )


def _requirements() -> tuple[list[str], dict[str, list[str]]]:
    """The names of the packages that digitcli needs, and those of each extra."""
    required: list[str] = []
    extras: dict[str, list[str]] = {}
    for line in distribution(DISTRIBUTION).requires or []:
        found = re.match(r"[\w.-]+", line)
        assert found
        if extra := re.search(r"extra == ['\"](\w+)['\"]", line):
            if found[0] != DISTRIBUTION:
                extras.setdefault(extra[1], []).append(found[0])
        else:
            required.append(found[0])
    return sorted(required), extras


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _features() -> list[str]:
    import numpy as np

    found = np.show_config(mode="dicts") or {}
    return [str(each) for each in found.get("SIMD Extensions", {}).get("found", [])]
