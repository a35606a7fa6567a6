"""The one door to Ray: silent, clear when it is not installed, and gone when the work is done."""

from __future__ import annotations

import importlib.util
import logging
import os
import secrets
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from digitcli.errors import ClusterError, MissingExtraError
from digitcli.parallel import cores
from digitcli.quiet import native_stderr_hidden

_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is sent to its makers
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

    address: of a cluster, as `ray.init` takes it; None for a Ray on this machine, for this process alone.
    Raises ClusterError if there is none at the address, or if it does not start.
    """
    os.environ.update(_SETTINGS)
    import ray

    terminated = signal.getsignal(signal.SIGTERM)
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        options: dict[str, Any] = {"address": address}
        if address is None:
            # It is for us alone; and without this, the token would be kept in the user's home directory.
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex())
            options = {
                "address": "local",
                "num_cpus": cores(),
                "include_dashboard": False,
                "_temp_dir": folder,
            }
        try:
            with native_stderr_hidden():
                ray.init(**options, log_to_driver=False, logging_level=logging.CRITICAL)
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, terminated)  # which Ray has replaced
            yield ray
        except (ConnectionError, RuntimeError, ValueError) as error:
            where = f"There is no Ray at {address}" if address else "Ray does not start"
            raise ClusterError(f"{where}: {str(error).splitlines()[0].rstrip('.')}.") from error
        finally:
            ray.shutdown()
