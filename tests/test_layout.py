"""The house: few modules at its root, and no circles."""

from __future__ import annotations

import graphlib
from pathlib import Path

import grimp

import digitcli

MOST = 12


def test_the_root_holds_little() -> None:
    assert len(list(Path(digitcli.__file__).parent.glob("*.py"))) <= MOST


def test_no_module_imports_itself_by_way_of_others() -> None:
    # The linter compares siblings, so it does not see a module that imports from its own package.
    graph = grimp.build_graph("digitcli", cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    list(graphlib.TopologicalSorter(imports).static_order())  # raises CycleError, which names them
