"""Writes the reference pages when the site is built: commands from the program, JSON from its schemas."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

SCHEMAS = Path(__file__).parent / "schemas"
ORDER = (
    "train", "train-tune", "train-list-presets", "evaluate", "evaluate-several", "predict", "export",
    "data-status", "data-fetch", "data-verify", "data-convert", "error",
)  # fmt: skip
INTRODUCTION = """# The JSON documents

With `--json` every command prints one document on stdout, and nothing else there. Notes, progress and errors
go to stderr, so `digitcli … --json | jq` always works. (`predict --format jsonl` prints one result per line.)

Every document begins with `schema`, the version of these documents, which rises when a key changes its
meaning or goes away, not when one is added, and with `command`. Accuracies, probabilities and confidences are
shares, 0 to 1; losses are mean cross-entropies in nats; paths are as they were given or found. A value that
does not exist is `null`; no key is left out.

Each section is a [JSON Schema](https://json-schema.org), and the tests hold every document against its own.
"""


def commands() -> str:
    """The page of the commands: what Typer tells of them, with their examples as code."""
    told = subprocess.run(
        [sys.executable, "-m", "typer", "digitcli.cli", "utils", "docs", "--name", "digitcli"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    told = told.replace("# `digitcli`\n", "# Commands\n", 1)
    return re.sub(
        r'<span style="font-weight: bold">Examples?</span>\n\n((?:  .*\n|\n(?=  ))+)',
        lambda match: f"```sh\n{re.sub(r'(?m)^  ', '', match[1]).replace(chr(10) * 2, chr(10))}```\n",
        told,
    )


def documents() -> str:
    """The page of the JSON documents, made from their schemas."""
    pages = [INTRODUCTION]
    for name in ORDER:
        schema = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
        pages.append(
            f"## {schema['title']}\n\n{schema['description']} [Schema](../schemas/{name}.json)\n\n"
            "| key | type | meaning |\n|---|---|---|"
        )
        pages += [row for row in rows(schema, "") if not row.startswith(("| `schema`", "| `command`"))]
        pages.append("")
    return "\n".join(pages)


def rows(schema: dict[str, Any], prefix: str) -> list[str]:
    """A line of the table for each key, those inside objects and lists behind their own."""
    lines = []
    for key, value in schema.get("properties", {}).items():
        name = f"{prefix}{key}"
        lines.append(f"| `{name}` | {kind(value)} | {value.get('description', '')} |")
        inner = value.get("items", value) if "array" in value.get("type", ()) else value
        lines += rows(inner, f"{name}[]." if inner is not value else f"{name}.")
    return lines


def kind(schema: dict[str, Any]) -> str:
    """The type of a value in words."""
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    named = schema.get("type", "")
    return " or ".join(named) if isinstance(named, list) else str(named)


if __name__ == "<run_path>":
    import mkdocs_gen_files

    for path, text in (("reference/commands.md", commands()), ("reference/json.md", documents())):
        with mkdocs_gen_files.open(path, "w") as page:
            page.write(text)
