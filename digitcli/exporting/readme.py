"""The README that lies beside every export: what it is, how good, and how to run it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from digitcli.exporting.formats import module
from digitcli.exporting.result import Export

PICTURE = "digit.png"


def readme(about: dict[str, Any], exports: Sequence[Export]) -> str:
    """Markdown about one or several exports of the same model. about: from `material.describe`."""
    lines = [
        f"# {about['name']}: a classifier of handwritten digits",
        "",
        f"Written by {about['made_by']}. Licence: {about['license']}.",
        "",
        f"- **Takes** {about['input']}.",
        f"- **Gives** {about['output']}: {', '.join(about['labels'])}.",
        f"- **Accuracy** of the model it was made from: {about['accuracy']:.2%} on {about['accuracy_on']}.",
        "",
        "## Proof",
        "",
        "Each file was loaded again and run beside the original.",
        "",
        "| file | runtime | bytes | same digits | largest difference | accuracy | one picture | a second |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for each in exports:
        proof = each.parity
        cells = [
            f"`{each.path.name}`".replace("|", "\\|"),
            each.runtime,
            f"{each.bytes:,}",
            f"{proof.same_digits} of {proof.pictures}",
            f"{proof.largest_difference:.1e}",
            f"{each.accuracy:.2%}",
            f"{each.milliseconds:.2f} ms",
            f"{each.images_per_second:,.0f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "## Use"]
    for each in exports:
        lines += ["", f"### {each.path.name}", "", snippet(each)]
    return "\n".join(lines) + "\n"


def snippet(export: Export, picture: str = PICTURE) -> str:
    """How to run an export, in Markdown."""
    text: str = module(export.format).SNIPPET.strip().format(file=export.path.name, picture=picture)
    return f"```python\n{text}\n```" if "import " in text else text
