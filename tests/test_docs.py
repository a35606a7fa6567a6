"""What the documents say is what the program does."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from digitcli import models
from digitcli.data import formats

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "MNIST/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]


def commands(document: Path) -> list[str]:
    """The digitcli commands in code blocks and code spans."""
    text = document.read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    spans = re.findall(r"`(digitcli [^`]*)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    lines = [line for block in blocks for line in block.splitlines()] + spans
    return re.findall(r"digitcli [^|>#…&;\n]+", "\n".join(lines))


@pytest.mark.parametrize(
    ("document", "command"), [(path.name, command) for path in DOCUMENTS for command in commands(path)]
)
def test_command_in_a_document_has_its_options(digitcli, document, command):
    words = [word for word in shlex.split(command)[1:] if re.match(r"[-a-z]", word)]
    if not words or words == ["--help"]:
        return
    name = words[:2] if words[0] == "data" and len(words) > 1 else words[:1]
    help_text = digitcli(*name, "--help")
    assert help_text.exit_code == 0, f"{document} calls an unknown command: {command}"
    for option in (word for word in words if word.startswith("--")):
        assert option in help_text.stdout, f"{document} uses an unknown option: {command}"


def test_readme_names_every_preset_data_format_and_make_target():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in (*models.PRESETS, *formats.names()):
        assert f"`{name}`" in readme
    assert re.search(r"```sh\nmake run .*\nmake test ", readme)


def test_what_a_server_is_to_install_is_all_but_tensorflow_and_keras():
    (code,) = re.findall(r'python -c "(.*?)" > reading', (ROOT / "docs/index.md").read_text(), re.DOTALL)
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {re.match(r"[\w-]+", each)[0] for each in wanted}
    assert {re.match(r"[\w-]+", each)[0] for each in told.splitlines()} == names - {"keras", "tensorflow"}


def test_readme_links_lead_somewhere():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", readme):
        assert (ROOT / target).exists(), target
