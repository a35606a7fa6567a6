"""With this folder on PYTHONPATH, Python runs as if TensorFlow and what comes with it were not installed."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import Distribution, DistributionFinder
from types import ModuleType

ABSENT = {"tensorflow", "keras", "h5py"}


class _Finder(PathFinder):
    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return None if fullname in ABSENT else super().find_spec(fullname, path, target)

    @classmethod
    def find_distributions(cls, context: DistributionFinder.Context) -> Iterable[Distribution]:
        return () if context.name in ABSENT else super().find_distributions(context)


sys.meta_path[sys.meta_path.index(PathFinder)] = _Finder
