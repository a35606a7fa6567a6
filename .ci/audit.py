"""Asks pip-audit whether an installed package has a known vulnerability; exit code 1 if one has.

Where its database cannot be reached, that is said loudly instead: pip-audit itself finds "no known
vulnerabilities" where a proxy answers that it knows no package at all.
"""

from __future__ import annotations

import json
import subprocess
import sys


def main() -> int:
    """The exit code."""
    command = [sys.executable, "-m", "pip_audit", "--local", "--skip-editable", "--format", "json"]
    done = subprocess.run(
        [*command, "--progress-spinner", "off"], capture_output=True, text=True, check=False
    )
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except ValueError:
        return skip(done.stderr.strip().rpartition("\n")[2])
    known = [package for package in packages if "skip_reason" not in package]
    if not known:
        return skip("it knows none of the installed packages")
    vulnerable = [package for package in known if package["vulns"]]
    for package in vulnerable:
        for each in package["vulns"]:
            fixed = ", ".join(each["fix_versions"]) or "no version yet"
            print(f"{package['name']} {package['version']}: {each['id']}, fixed in {fixed}")
    unknown = ", ".join(sorted(package["name"] for package in packages if "skip_reason" in package))
    print(f"{len(known)} packages looked up, {len(vulnerable)} with known vulnerabilities.")
    print(f"Could not be looked up: {unknown or 'none'}.")
    return 1 if vulnerable else 0


def skip(reason: str) -> int:
    """Tells it, and is no failure."""
    print(f"\n*** SKIPPED: no package was checked for vulnerabilities: {reason} ***\n", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
