"""A function called for many items by Ray Data: on the machines of a cluster, or on the cores of this one.

What Ray has to say stays in its own log files, and nothing of it is left when the work ends, however that is.
"""

from __future__ import annotations

import logging
import os
import pickle
import secrets
import shutil
import signal
import socket
import tempfile
import threading
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar

from digitcli.errors import DigitcliError, MissingExtraError, ModelError, UsageError, reason
from digitcli.parallel import cores
from digitcli.quiet import native_stderr_hidden

if TYPE_CHECKING:
    from digitcli.classifiers import Classifier

Item = TypeVar("Item")
Result = TypeVar("Result")

TRIES = 3
"""Times that an item is tried whose process dies, or its machine."""

MOST_BLOCKS = 10_000
"""Of items, at most: each costs the driver some milliseconds, and is done again if it fails."""

_PATIENCE = 10  # seconds for a cluster to answer
_STORE = 128 * 2**20  # bytes of shared memory for a Ray of our own, through which only small things pass
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_DATA_LOG_LEVEL": "CRITICAL",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # the warning that this will change
}
# Or whoever reaches this machine, or has another account on it, could run code as the one who started Ray.
_FOR_OURSELVES = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # on Linux too, this makes Ray listen on the loopback only
    "RAY_AUTH_MODE": "token",
}


def require_ray() -> None:
    """Raises MissingExtraError without Ray."""
    if not find_spec("ray"):
        raise MissingExtraError("Ray", "digitcli[ray]")


def model_bytes(classifier: Classifier) -> bytes:
    """The model file, which so need not be on the other machines. Raises ModelError if it is not LiteRT's."""
    if classifier.runtime != "LiteRT":
        raise ModelError(
            f"{classifier.path} is run by {classifier.runtime}; --engine ray takes LiteRT only. "
            "Export it first: digitcli export --format tflite"
        )
    return classifier.path.read_bytes()


def _require_answer(address: str) -> None:
    # Ray itself would try for minutes.
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdecimal():
        try:
            socket.create_connection((host.strip("[]"), int(port)), _PATIENCE).close()
        except (OSError, OverflowError) as error:
            raise UsageError(f"There is no Ray cluster at {address}: {reason(error)}.") from error


@contextmanager
def cluster(address: str | None) -> Iterator[None]:
    """Ray, silent: the cluster at `address`, as ray.init takes it, or one of our own on this machine.

    That is gone at the end; on Linux, its processes end even if this one is killed, though two idle ones of
    Ray only after a minute. What is printed on stdout meanwhile is lost, since Ray tells there of processes
    that died, and nothing else silences it.
    Raises UsageError if there is no cluster at `address`.
    """
    require_ray()
    os.environ.update(_SETTINGS)
    if address:
        _require_answer(address)
    else:
        os.environ.update(_FOR_OURSELVES, RAY_AUTH_TOKEN=secrets.token_hex(32))
    import ray

    logging.getLogger("ray").setLevel(logging.CRITICAL)
    handler = signal.getsignal(signal.SIGTERM)
    folder = None
    try:
        own: dict[str, Any] = {}
        if not address:
            # Where paths are short, since those of sockets have to be.
            folder = tempfile.mkdtemp(prefix="digitcli-ray-", dir=None if os.name == "nt" else "/tmp")
            own = {"num_cpus": cores(), "num_gpus": 0, "object_store_memory": _STORE, "_temp_dir": folder}
        with native_stderr_hidden():
            ray.init(
                address or "local",
                log_to_driver=False,
                logging_level=logging.CRITICAL,
                include_dashboard=None if address else False,
                **own,
            )
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)  # for which Ray has set one that does not clean up
        with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
            yield
    except (ConnectionError, ValueError, RuntimeError) as error:
        if not address or ray.is_initialized():
            raise
        raise UsageError(f"There is no Ray cluster at {address}: {reason(error)}.") from error
    finally:
        ray.shutdown()
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


def map_unordered(
    make: Callable[[], Callable[[Item], Result]], items: Sequence[Item]
) -> Generator[Result, None, None]:
    """The result of each item, in whatever order they are ready; within `cluster`.

    make: called once in each process, one for each core, gives the function. It is pickled, as are the items
    and results. A DigitcliError that the function raises is raised here. What a process was doing when it
    died is done again, up to TRIES times.
    Raises DigitcliError if that does not help.
    """
    import ray
    import ray.data

    # That Ray 2.64 will give up max_restarts and max_task_retries, without which there is no end of them.
    warnings.simplefilter("ignore", ray.util.annotations.RayDeprecationWarning)
    cpus = int(ray.cluster_resources().get("CPU", 1))
    pickled = [{"item": pickle.dumps(item)} for item in items]
    done = ray.data.from_items(pickled, override_num_blocks=min(len(items), MOST_BLOCKS)).map_batches(
        _Caller,
        fn_constructor_args=[pickle.dumps(make)],
        batch_size=1,
        batch_format="numpy",
        num_cpus=1,
        compute=ray.data.ActorPoolStrategy(size=min(len(items), cpus), max_tasks_in_flight_per_actor=2),
        max_restarts=TRIES,
        max_task_retries=TRIES,
    )
    try:
        for row in done.iter_rows():
            result = pickle.loads(row["result"])
            if isinstance(result, DigitcliError):
                raise result
            yield result
    except ray.exceptions.RayError as error:
        raise DigitcliError(f"Ray gave up: {_last_line(error)}") from error


class _Caller:
    """What Ray Data makes of the function: from rows to rows."""

    def __init__(self, make: bytes) -> None:
        self._function: Callable[[Any], Any] = pickle.loads(make)()

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        try:
            result = self._function(pickle.loads(batch["item"][0]))
        except DigitcliError as error:
            result = error
        return {"result": [pickle.dumps(result)]}


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
