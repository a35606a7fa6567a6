"""The one door to Ray: silent, clear when it is not installed, and gone when the work is done."""

from __future__ import annotations

import importlib.util
import logging
import os
import secrets
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from typing import Any

from digitcli.errors import ClusterError, MissingExtraError
from digitcli.system.parallel import cores
from digitcli.system.quiet import native_stderr_hidden

ANSWER = 10.0
"""Seconds in which the machine at an address must answer."""

_STORE = 512 * 2**20  # bytes of shared memory for a Ray of our own, through which models and data sets pass
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is sent to its makers
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # or it warns that this will change
    "RAY_worker_niceness": "0",  # or all else on this machine goes before
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_DATA_LOG_LEVEL": "CRITICAL",
    "RAY_AIR_NEW_OUTPUT": "0",  # which talks even when told not to
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C raises KeyboardInterrupt, as everywhere
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
}


def require_ray(what: str) -> None:
    """Raises MissingExtraError if Ray is not installed. what: the part of it that is needed."""
    if importlib.util.find_spec("ray") is None:
        raise MissingExtraError(what, "digitcli[ray]")


@contextmanager
def ray_started(address: str | None) -> Iterator[Any]:
    """Ray, ready for work. What was started for it ends with the body, however that ends.

    On Linux, its processes end even if this one is killed, though two idle ones of Ray only after a minute.
    What is printed on stdout meanwhile is lost, since Ray tells there of processes that died.
    address: of a cluster, as `ray.init` takes it; None for a Ray on this machine, for this process alone.
    Raises ClusterError if there is none at the address, if it does not start, or if Ray is in use already.
    """
    os.environ.update(_SETTINGS)
    import ray

    if ray.is_initialized():
        raise ClusterError("Ray is in use in this process already. End that with ray.shutdown() first.")
    terminated = signal.getsignal(signal.SIGTERM)
    with ExitStack() as stack:
        options: dict[str, Any] = {"address": address}
        if not address:
            stack.enter_context(_for_ourselves())
            folder = tempfile.TemporaryDirectory(prefix="digitcli-ray-", ignore_cleanup_errors=True)
            options = {
                "address": "local",
                "num_cpus": cores(),
                "include_dashboard": False,
                "object_store_memory": _STORE,
                "_temp_dir": stack.enter_context(folder),
            }
        nowhere = stack.enter_context(open(os.devnull, "w"))
        stack.enter_context(redirect_stdout(nowhere))
        stack.callback(ray.shutdown)
        _require_answer(address)
        try:
            with native_stderr_hidden():
                ray.init(**options, log_to_driver=False, logging_level=logging.CRITICAL)
        except (OSError, RuntimeError, ValueError) as error:
            raise ClusterError(f"Ray{_at(address)} cannot be used: {_first_line(error)}.") from error
        logging.getLogger("ray").setLevel(logging.CRITICAL)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, terminated)  # which Ray has replaced
        yield ray


@contextmanager
def _for_ourselves() -> Iterator[None]:
    """Within, a Ray that is started takes orders from this process and its children only.

    Or whoever reaches this machine, or has another account on it, could run code as the one who started Ray.
    """
    settings = {
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # on Linux too, this makes Ray listen on the loopback only
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
    }
    from ray._private import ray_constants

    before = {name: os.environ.get(name) for name in settings}
    beyond = ray_constants.ENABLE_RAY_CLUSTER
    os.environ.update(settings)
    ray_constants.ENABLE_RAY_CLUSTER = False
    _read_settings_again()
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = beyond
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        _read_settings_again()


def _read_settings_again() -> None:
    """Has Ray look at its environment, which it did when it was first imported, perhaps by others."""
    from ray import _raylet

    library: Any = _raylet  # which has no types
    library.Config.initialize("")
    library.AuthenticationTokenLoader.instance().reset_cache()


def _require_answer(address: str | None) -> None:
    """Raises ClusterError if nobody listens there, for which Ray would wait for minutes."""
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if port.isdecimal():
        try:
            socket.create_connection((host.strip("[]"), int(port)), ANSWER).close()
        except (OSError, OverflowError) as error:
            raise ClusterError(f"There is no Ray at {address}: {_first_line(error)}.") from error


def _at(address: str | None) -> str:
    return f" at {address}" if address else ""


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
