"""Every reader that is given what strangers made, with damaged inputs: a short run of tests/fuzz."""

from __future__ import annotations

import importlib
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest
from fuzz.__main__ import TARGETS
from fuzz.mutations import mutated

FUZZ = Path(__file__).parent / "fuzz"


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_inputs_raise_nothing_but_the_errors_that_users_meet(name: str) -> None:
    target = importlib.import_module(f"fuzz.targets.{name}")
    seeds = target.seeds()
    for content in islice(mutated(seeds), len(seeds) + target.MUTATIONS):
        target.read(content)


def test_a_long_run_tells_what_was_tried() -> None:
    done = subprocess.run(
        [sys.executable, FUZZ, "--seconds", "0.1", "stdin"], capture_output=True, text=True, check=True
    )
    header, row = done.stdout.splitlines()
    assert header.split() == ["target", "inputs", "slowest", "memory"]
    assert row.split()[0] == "stdin"


def test_a_session_leaves_the_input_that_crashed_it() -> None:
    program = (
        "import sys\n"
        f"sys.path.insert(0, {str(FUZZ.parent)!r})\n"
        "from pathlib import Path\n"
        "from fuzz.session import Session\n"
        "def read(content):\n"
        "    if content == b'bad': raise KeyError('found')\n"
        "session = Session(type('', (), {'read': staticmethod(read)}), 60, Path('.'))\n"
        "for content in (b'good', b'bad'): session.try_input(content)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 1
    assert "KeyError: 'found'" in done.stderr
    assert Path("last").read_bytes()[:11] == (3).to_bytes(8) + b"bad"
