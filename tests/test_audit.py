"""What `make audit` makes of what pip-audit says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / ".ci" / "audit.py"
SOUND = {"name": "sound", "version": "1.0", "vulns": []}
UNKNOWN = {"name": "own", "skip_reason": "not found"}
BAD = {"name": "bad", "version": "2.0", "vulns": [{"id": "CVE-1", "fix_versions": ["2.1"]}]}


def audit(*packages: object, says: str | None = None) -> tuple[int, str]:
    """The exit code and all that is printed, where pip-audit finds these packages or says something else."""
    report = json.dumps({"dependencies": packages}) if says is None else says
    stream = "stdout" if says is None else "stderr"
    Path("pip_audit.py").write_text(f"import sys; sys.{stream}.write({report!r}); sys.exit(1)")
    done = subprocess.run(
        [sys.executable, SCRIPT], capture_output=True, text=True, check=False, env={"PYTHONPATH": "."}
    )
    return done.returncode, done.stdout + done.stderr


def test_a_vulnerable_package_fails_with_the_version_that_mends_it() -> None:
    code, told = audit(SOUND, BAD)
    assert code == 1
    assert "bad 2.0: CVE-1, fixed in 2.1\n" in told


def test_what_could_not_be_looked_up_is_named() -> None:
    assert audit(SOUND, UNKNOWN) == (
        0,
        "1 packages looked up, 0 with known vulnerabilities.\nCould not be looked up: own.\n",
    )


def test_a_database_that_knows_nothing_is_no_proof_of_soundness() -> None:
    code, told = audit(UNKNOWN)
    assert code == 0
    assert "SKIPPED: no package was checked" in told


def test_a_database_that_cannot_be_reached_is_told() -> None:
    code, told = audit(says="ERROR: trouble\nCould not connect\n")
    assert code == 0
    assert "SKIPPED: no package was checked for vulnerabilities: Could not connect" in told
