"""A function called for many items by Ray Data: on the machines of a cluster, or on the cores of this one."""

from __future__ import annotations

import pickle
import threading
import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import Any, TypeVar

from digitcli.errors import DigitcliError

Item = TypeVar("Item")
Result = TypeVar("Result")

TRIES = 3
"""Times that an item is tried whose process dies, or its machine."""

MOST_BLOCKS = 10_000
"""Of items, at most: each costs the driver some milliseconds, and is done again if it fails."""

_READER, _ENDS = "iter_threaded", 10.0
"""What Ray Data calls such a thread, and seconds in which it ends."""


def map_unordered(
    make: Callable[[], Callable[[Item], Result]], items: Sequence[Item]
) -> Generator[Result, None, None]:
    """The result of each item, in whatever order they are ready; within `ray_started`.

    make: called once in each process, one for each core, gives the function. It is pickled, as are the items
    and results. A DigitcliError that the function raises is raised here. What a process was doing when it
    died is done again, up to TRIES times.
    Raises DigitcliError if that does not help.
    """
    import ray
    import ray.data

    # That Ray 2.64 will give up max_restarts and max_task_retries, without which there is no end of them.
    warnings.simplefilter("ignore", ray.util.annotations.RayDeprecationWarning)
    cpus = int(ray.cluster_resources().get("CPU", 1))  # type: ignore[no-untyped-call]
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
        # An error holds on to its frames, and so to what is iterated over, unless this is closed.
        rows: Any = iter(done.iter_rows())
        with closing(rows):
            for row in rows:
                result = pickle.loads(row["result"])
                if isinstance(result, DigitcliError):
                    raise result
                yield result
    except ray.exceptions.RayError as error:
        raise DigitcliError(f"Ray gave up: {_last_line(error)}") from error
    finally:
        _wait_for_readers()


def _wait_for_readers() -> None:
    """Until the threads have ended in which Ray Data looks for results.

    One that did so after Ray was shut down would end this process, before it has told an error.
    """
    for thread in threading.enumerate():
        if thread.name == _READER:
            thread.join(_ENDS)


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
