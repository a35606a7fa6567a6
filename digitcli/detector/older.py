"""Lines as the simulator drew them before: other hands than today's, from which another reader shall learn.

Readers that learnt from one simulator err in the same places; see the model card.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

from digitcli.detector.line_examples import Example
from digitcli.errors import DataError

COMMIT = "4fe2517"
"""Of whose simulator the bundled reader's lines are."""

_DRAW = """\
import pickle, sys
from digitcli.data.load import load
from digitcli.detector import line_training
data, seed, count, file = sys.argv[1:]
if __name__ == "__main__":
    drawn = line_training.draw(load(data).train, int(seed), int(count))
    with open(file, "wb") as target:
        pickle.dump([(example.pixels, example.text) for example in drawn], target)
"""


def lines(checkout: Path, data: str, seed: int, count: int) -> list[Example]:
    """`count` lines as the code of a checkout draws them, in data's digits; see `line_training.draw`.

    Raises DataError if there is none, or if it fails.
    """
    if not (checkout / "digitcli" / "__init__.py").is_file():
        raise DataError(f"{checkout}: is no checkout of digitcli.")
    with tempfile.TemporaryDirectory(prefix="digitcli-") as folder:
        script, drawn = Path(folder, "draw.py"), Path(folder, "drawn")
        script.write_text(_DRAW)
        command = [sys.executable, "-P", str(script), data, str(seed), str(count), str(drawn)]
        environment = {**os.environ, "PYTHONPATH": str(checkout.resolve())}
        done = subprocess.run(command, env=environment, check=False)
        if done.returncode:
            raise DataError(f"{checkout}: its digitcli did not draw lines.")
        return [Example(*each) for each in pickle.loads(drawn.read_bytes())]
