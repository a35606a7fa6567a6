"""One page, offline, on which a key corrects each digit, the least sure first."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

from digitcli.data import reviewed
from digitcli.errors import DataError
from digitcli.system.files import atomic_path

PAGE = "review.html"


def write(folder: Path) -> tuple[Path, int, int]:
    """Writes review.html into a folder of `predict --save-digits`.

    Returns its path, how many digits it shows, and how many have a label already, which it begins with.
    Raises DataError if there are no digits, OutputError if the folder cannot be written.
    """
    import jinja2

    if not reviewed.recognises(folder):
        raise DataError(f"{folder} is not what predict --save-digits kept: it has no {reviewed.DIGITS}.")
    digits = list(reviewed.rows(folder / reviewed.DIGITS, reviewed.COLUMNS))
    if not digits:
        raise DataError(f"{folder} holds no digits yet. Fill it: digitcli predict --save-digits {folder} …")
    labels = reviewed.read_labels(folder)
    digits.sort(key=lambda row: (float(row["confidence"]), row["file"]))
    shown = [{**row, "pixels": _data_address(folder / row["file"])} for row in digits]
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    page = environment.from_string((Path(__file__).parent / "page.html.jinja").read_text(encoding="utf-8"))
    html = page.render(
        folder=folder.resolve().name,
        digits_json=_json(shown),
        labels_json=_json(labels),
        key_json=_json(_fingerprint(folder)),
        none_json=_json(reviewed.NONE),
        count=len(digits),
    )
    with atomic_path(folder / PAGE, force=True) as temporary:
        temporary.write_text(html, encoding="utf-8", errors="replace")
    return folder / PAGE, len(digits), len(labels)


def _fingerprint(folder: Path) -> str:
    """Names what a browser remembers of this folder: the same after more digits were added."""
    first = reviewed.rows(folder / reviewed.DIGITS, reviewed.COLUMNS)
    about = json.dumps([str(folder.resolve()), next(first)])
    return f"digitcli-{hashlib.sha256(about.encode('utf-8', 'replace')).hexdigest()[:16]}"


def _data_address(file: Path) -> str:
    try:
        return f"data:image/png;base64,{base64.b64encode(file.read_bytes()).decode()}"
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}.") from error


def _json(value: object) -> str:
    # Nothing in it may close the script element that it stands in, or open another.
    return json.dumps(value).replace("<", "\\u003c")
