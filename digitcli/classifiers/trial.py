"""Models from strangers are tried in a process of their own first, with limits on memory and time.

What would crash, hang or eat the machine does so there, and becomes one error here. What passed is remembered
by its hash in the user's cache, so that only the first use costs; what digitcli writes itself is noted there,
too. Without a cache that can be written, a model is tried each time.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import cast

import platformdirs

from digitcli.classifiers import risks
from digitcli.classifiers.recognise import Format, recognise
from digitcli.errors import ModelError
from digitcli.system.files import size

MEMORY = 2**29
"""Bytes that loading and running a model may take, beyond what its runtime takes by itself."""

SECONDS = 30
"""Of one core, to load a model and run it on a batch of pictures."""

PATIENCE = 300
"""Seconds to wait for that, on a machine that has much else to do."""

MOST_NAMED = 5
"""Risky parts of a model that are told by name."""

RULES = 1
"""To be raised when a check refuses what it did not before, so that all models are tried anew."""

_PROGRAM = "import sys; sys.path[:] = {path!r}; from digitcli.classifiers.trial import main; main()"
_ENVIRONMENT = {
    # Each thread takes memory of its own, and a core's time.
    **dict.fromkeys(("OPENBLAS_NUM_THREADS", "TF_NUM_INTEROP_THREADS", "TF_NUM_INTRAOP_THREADS"), "1"),
    "CUDA_VISIBLE_DEVICES": "-1",
}
_OUT_OF_MEMORY = re.compile(r"MemoryError|bad_alloc|llocate memory|ResourceExhausted|RuntimeError\(''\)")
"""How the runtimes say so; the last is LiteRT."""
_ADVICE = "If you trust where it comes from, add --trust."


def require_passed(path: Path, kind: Format) -> None:
    """Returns if a model is known or passes its trial, or if what would run it is not installed.

    Raises ModelError, which names the file, if it could run code or read or write files, if it crashes or
    takes too much memory or time, or if it is no classifier of digits.
    """
    if size(path) > MEMORY:
        raise ModelError(f"{path}: is larger than {MEMORY >> 20} MB. {_ADVICE}")
    note = _note(path)
    # Unlike Path.exists, this is false for a folder that may not be looked into.
    if not os.path.exists(note) and _passes(path, kind):
        _write(note)


def remember(path: Path) -> None:
    """Notes that digitcli has made and run what is at `path`, so that it need not be tried.

    What is no model, or could run code, is not noted.
    """
    with suppress(ModelError):
        if not _risks(path, recognise(path)):
            _write(_note(path))


def tell_risks(path: Path, kind: Format, tell: Callable[[str], None]) -> None:
    """Calls `tell` with what a model could do besides calculating, if anything."""
    found = _risks(path, kind)
    if found:
        tell(f"{path} is trusted: {found}.")


def refuse_risks(path: Path, kind: Format) -> None:
    """Raises ModelError if a model could do something besides calculating."""
    found = _risks(path, kind)
    if found:
        raise ModelError(f"{path}: is not loaded, since {found}.\n{_ADVICE}")


def main() -> None:
    """The other process: tries the model that the command line names, and tells on stdout how it went."""
    path, kind, memory, seconds = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a runtime prints must not get into the answer
    answer: tuple[str, str] | None = None
    try:
        _start_runtime(kind)
        _limit(int(memory), float(seconds))
        _run(Path(path), cast("Format", kind))
    except Exception as error:
        told = f"{error!r} {error.__cause__!r}"
        answer = ("MemoryError" if _OUT_OF_MEMORY.search(told) else type(error).__name__), str(error)
    with answers:
        json.dump(answer, answers)


def _passes(path: Path, kind: Format) -> bool:
    """Whether a model passes; false if what would run it is not installed, which loading it will tell."""
    from digitcli.system.parallel import IN_A_GROUP_OF_ITS_OWN

    program = [sys.executable, "-P", "-c", _PROGRAM.format(path=sys.path)]
    try:
        done = subprocess.run(
            [*program, os.fspath(path), kind, str(MEMORY), str(SECONDS)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=PATIENCE,
            env={**os.environ, **_ENVIRONMENT},
            check=False,
            **IN_A_GROUP_OF_ITS_OWN,
        )
    except subprocess.TimeoutExpired:
        raise ModelError(f"{path}: takes more than {PATIENCE} s to load and run. {_ADVICE}") from None
    if sys.platform != "win32" and done.returncode == -signal.SIGXCPU:
        raise ModelError(f"{path}: takes more than {SECONDS} s to load and run. {_ADVICE}")
    if done.returncode or not done.stdout:
        raise ModelError(
            f"{path}: crashes what should run it, given {MEMORY >> 20} MB. "
            f"It is damaged, very large, or was made to do harm.\n{_ADVICE}"
        )
    error, message = json.loads(done.stdout) or (None, "")
    match error:
        case None | "MissingExtraError":
            return error is None
        case "MemoryError":
            raise ModelError(f"{path}: takes more than {MEMORY >> 20} MB to load and run. {_ADVICE}")
        case "ModelError":
            raise ModelError(message)
        case _:
            raise ModelError(f"{path}: cannot be tried: {error}: {message}")


def _start_runtime(kind: str) -> None:
    """Imports what runs such a model, so that what it takes does not count."""
    import digitcli.classifiers.untried  # noqa: F401

    match kind:
        case "tflite":
            import ai_edge_litert.interpreter  # noqa: F401
        case "onnx":
            with suppress(ImportError):
                import onnxruntime  # noqa: F401
        case _:
            from digitcli.system.tensorflow_setup import import_tensorflow

            tf = import_tensorflow()
            import keras  # noqa: F401

            tf.constant(0.0) + tf.constant(0.0)  # starts its threads


def _limit(memory: int, seconds: float) -> None:
    """Ends this process when it takes so many bytes or seconds of processor time more; not on Windows."""
    if sys.platform == "win32":
        return
    import resource

    used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    most = math.ceil(used + seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (most, most + 1))  # at the second one it is killed
    if sys.platform == "linux":
        # Others do not tell what is taken now, and keep no such limit.
        pages = int(Path("/proc/self/statm").read_text().split()[5])
        most = pages * resource.getpagesize() + memory
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _run(path: Path, kind: Format) -> None:
    import numpy as np

    from digitcli.classifiers.classifier import BATCH, probes
    from digitcli.classifiers.untried import load_untried

    refuse_risks(path, kind)
    classifier = load_untried(path, kind, 1, safe=True)
    few = probes()
    try:
        classifier.probabilities(np.resize(few, (BATCH, *few.shape[1:])))
    except Exception as error:  # the runtimes raise nearly every kind there is
        raise ModelError(f"{path}: does not run on {BATCH} pictures at a time.") from error


def _risks(path: Path, kind: Format) -> str:
    """What a model could do besides calculating, for a sentence; empty if nothing."""
    found = risks.find(path, kind)
    named = ", ".join(found[:MOST_NAMED]) + (", …" if len(found) > MOST_NAMED else "")
    return f"its {named} could run code, or read or write files" if found else ""


def _note(path: Path) -> Path:
    """The file that tells, by being there, that a model passed."""
    digest = hashlib.sha256()
    try:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                with file.open("rb") as content:
                    digest.update(os.fsencode(file.relative_to(path)) + b"\0")
                    digest.update(hashlib.file_digest(content, "sha256").digest())
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}.") from error
    folder = "-".join(["models", str(RULES), *risks.names()])
    return Path(platformdirs.user_cache_dir("digitcli")) / folder / digest.hexdigest()


def _write(note: Path) -> None:
    with suppress(OSError):
        note.parent.mkdir(parents=True, exist_ok=True)
        note.touch()
