"""Processes of a cluster wait for one another, before TensorFlow has them.

TensorFlow's own wait has no end, does not say who is absent, and does not heed Ctrl-C.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

from digitcli.errors import ClusterError
from digitcli.training.cluster import Cluster

PATIENCE = 600.0
"""Seconds in which all workers must have come."""

_PAUSE = 0.2  # seconds between two calls to a worker that is not there yet
_ANSWER = 10.0  # seconds in which one that is there must answer
_HERE, _ASKED, _YES, _GO = b"digitcli ", b"?", b"!", b"."


def meet(cluster: Cluster) -> None:
    """Returns when all workers are there, on the ports that TensorFlow gets then.

    Raises ClusterError if a port is taken, or after PATIENCE with the names of those who are absent.
    """
    deadline = time.monotonic() + PATIENCE
    with _listening(cluster) as door:
        if cluster.index == 0:
            _receive(cluster, door, deadline)
            return
    _visit(cluster, deadline)


def _receive(cluster: Cluster, door: socket.socket, deadline: float) -> None:
    """What the first worker does: waits for the others, asks whether all are still there, lets them go."""
    with ExitStack() as stack:
        there: dict[int, socket.socket] = {}
        while absent := [n for n in range(1, len(cluster.workers)) if n not in there]:
            for visitor in _visitors(door, deadline):
                stack.enter_context(visitor)
                with suppress(OSError, ValueError):
                    there[int(visitor.makefile("rb").readline(32).removeprefix(_HERE))] = visitor
                break
            else:
                names = ", ".join(f"worker {n} ({cluster.workers[n]})" for n in absent)
                raise ClusterError(f"After {PATIENCE:.0f} s there is no sign of {names}.")
        for word in (_ASKED, _GO):
            for number, visitor in there.items():
                try:
                    visitor.sendall(word)
                    answer = visitor.recv(1) if word == _ASKED else _YES
                except OSError:
                    answer = b""
                if answer != _YES:
                    raise ClusterError(
                        f"Worker {number} ({cluster.workers[number]}) has stopped. Start all again."
                    )


def _visitors(door: socket.socket, deadline: float) -> Iterator[socket.socket]:
    with suppress(TimeoutError):
        door.settimeout(max(0.0, deadline - time.monotonic()))
        visitor, _ = door.accept()
        visitor.settimeout(_ANSWER)
        yield visitor


def _visit(cluster: Cluster, deadline: float) -> None:
    """What the others do: tell the first worker that they are there, and wait for its word."""
    host, _, port = cluster.workers[0].rpartition(":")
    place = host.strip("[]"), int(port)
    first = f"worker 0 ({cluster.workers[0]})"
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(place, timeout=_ANSWER) as door:
            if door.getsockname() == door.getpeername():
                continue  # where nobody listens, TCP may connect a socket to itself
            door.sendall(_HERE + b"%d\n" % cluster.index)
            door.settimeout(max(0.0, deadline - time.monotonic()) + _ANSWER)
            if door.recv(1) == _ASKED:
                door.sendall(_YES)
                if door.recv(1) == _GO:
                    return
            raise ClusterError(f"{first.capitalize()} ended before all were there. Start all again.")
        time.sleep(_PAUSE)
    raise ClusterError(f"After {PATIENCE:.0f} s there is no sign of {first}.")


def _listening(cluster: Cluster) -> socket.socket:
    port = int(cluster.workers[cluster.index].rpartition(":")[2])
    try:
        if socket.has_dualstack_ipv6():
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
        return socket.create_server(("", port))
    except OSError as error:
        raise ClusterError(
            f"Worker {cluster.index} cannot have port {port}: {error.strerror or error}. Does it run already?"
        ) from error
