"""A page that runs a model, in a headless Chrome, Chromium or Edge: the proof of the html export."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from digitcli.errors import ModelError

NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
    "msedge",
    "brave-browser",
)
ELSEWHERE = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Microsoft/Edge/Application/msedge.exe",
)
TIMEOUT = 600
"""Seconds, for ten thousand pictures and a large model on a slow machine."""

_RUN = """
<script>
try {
  const pictures = Uint8Array.from(atob(%(pictures)s), (letter) => letter.charCodeAt(0));
  const seconds = [];
  let found;
  for (let time = 0; time < %(times)d; time++) {
    const start = performance.now();
    found = classify(pictures);
    seconds.push((performance.now() - start) / 1000);
  }
  const bytes = new Uint8Array(found.buffer);
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  seconds.sort((a, b) => a - b);
  document.body.innerHTML = "";
  const median = seconds[seconds.length >> 1];
  document.body.dataset.answer = JSON.stringify({ seconds: median, probabilities: btoa(text) });
} catch (error) {
  document.body.dataset.answer = JSON.stringify({ error: String(error) });
}
</script>
</body>
"""


class Browser:
    """An html export, run by a browser on this machine.

    path: the page. runtime: the browser with its version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._program = self.find()
        version = subprocess.run([self._program, "--version"], capture_output=True, text=True, check=False)
        self.runtime = re.sub(r"( \d+)[.\d]* .*", r"\1", version.stdout.strip()) or "Chromium"

    @staticmethod
    def find() -> str:
        """The program of a browser: $DIGITCLI_BROWSER, or one in a usual place.

        Raises ModelError if there is none.
        """
        named = os.environ.get("DIGITCLI_BROWSER")
        for candidate in (named,) if named else (*NAMES, *ELSEWHERE):
            if program := shutil.which(candidate):
                return program
        raise ModelError(
            "An html export is proved in a browser, and there is no Chrome, Chromium or Edge here.\n"
            "Install one, or name its program in DIGITCLI_BROWSER."
        )

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, 28, 28) uint8, 0 paper to 255 ink, to (n, 10) float32, as from a Classifier."""
        return self._run(images, 1)[0]

    def seconds(self, images: NDArray[np.uint8], times: int) -> float:
        """The median time for these images, of several, inside the page."""
        return self._run(images, times)[1]

    def _run(self, images: NDArray[np.uint8], times: int) -> tuple[NDArray[np.float32], float]:
        pictures = json.dumps(base64.b64encode(images.tobytes()).decode())
        page = self.path.read_text(encoding="utf-8")
        # The browser's children may still be writing to its profile when it has ended.
        with tempfile.TemporaryDirectory(prefix="digitcli-", ignore_cleanup_errors=True) as folder:
            proof = Path(folder, "proof.html")
            proof.write_text(page.replace("</body>", _RUN % {"pictures": pictures, "times": times}), "utf-8")
            command = [
                self._program, "--headless", "--disable-gpu", "--no-first-run", "--disable-extensions",
                f"--user-data-dir={folder}/profile", "--dump-dom", proof.as_uri(),
            ]  # fmt: skip
            if hasattr(os, "geteuid") and os.geteuid() == 0:
                command.insert(1, "--no-sandbox")  # which Chromium refuses to be without for anybody but root
            try:
                done = subprocess.run(
                    command,
                    capture_output=True,
                    encoding="utf-8",
                    errors="replace",
                    timeout=TIMEOUT,
                    check=False,
                )
            except subprocess.TimeoutExpired as error:
                raise ModelError(f"{self.path}: takes more than {TIMEOUT} s in the browser.") from error
        found = re.search(r'data-answer="([^"]*)"', done.stdout)
        if not found:
            raise ModelError(
                f"{self.path}: does not run in {self._program}: {last_line(done.stderr)}\n"
                "To take another browser, name its program in DIGITCLI_BROWSER."
            )
        answer = json.loads(found[1].replace("&quot;", '"').replace("&amp;", "&"))
        if "error" in answer:
            raise ModelError(f"{self.path}: does not run in the browser: {answer['error']}")
        values = np.frombuffer(base64.b64decode(answer["probabilities"]), "<f4")
        return values.reshape(len(images), -1)[:, :10], answer["seconds"]


def last_line(text: str) -> str:
    """What a program said at the end."""
    return text.strip().splitlines()[-1] if text.strip() else "it says nothing"
