"""A function called in several processes at a time.

The standard pools were not taken. Both of multiprocessing's ways to start a process that work everywhere run
the caller's main module again, import and all, and fail in a script without a main guard; they need
semaphores, which some sandboxes lack; and their processes print tracebacks at Ctrl-C. When a process is
killed, multiprocessing.Pool waits for ever, and ProcessPoolExecutor gives up all that was under way without
telling which item it was.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Lock, Thread
from types import TracebackType
from typing import Any, Self, TypeVar

from digitcli.errors import DataError

Item = TypeVar("Item")
Result = TypeVar("Result")

# The other end runs `serve` with the same import path, and reads nothing from the current folder.
_PROGRAM = "import sys; sys.path[:] = {path!r}; from digitcli.system.parallel import serve; serve()"
IN_A_GROUP_OF_ITS_OWN: dict[str, Any] = (
    {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
    if sys.platform == "win32"
    else {"process_group": 0}
)


def cores() -> int:
    """Those that this process may use, which in a container may be fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Death:
    """What a process met instead of a result. signal: the number of the one that ended it, or None."""

    signal: int | None


def map_in_order(
    function: Callable[[Item], Result], items: Iterable[Item], processes: int
) -> Generator[tuple[Item, Result | Death], None, None]:
    """Each item with the function of it, in order, as they come; with a Death if a process died of it.

    function: of a module's top level, since it is looked up by its name in the other processes.
    Two items for each process are taken ahead at most. A process that died is replaced. What the function
    raises is raised here. When the iterator is closed, or an exception passes, the processes are killed at
    once.
    """
    with Workers(processes) as workers:
        yield from workers.map_in_order(function, items)


def every(
    function: Callable[[Item], Result], items: Iterable[Item]
) -> Generator[tuple[Item, Result], None, None]:
    """As `map_in_order` on all cores, where none may be missing.

    Raises DataError if a process is killed.
    """
    for item, result in map_in_order(function, items, cores()):
        if isinstance(result, Death):
            raise DataError("A process at work was killed, perhaps for want of memory. Try again.")
        yield item, result


def serve() -> None:
    """The other end: answers calls that come through stdin until that is closed."""
    if sys.platform != "win32":
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # if the other end is gone, so is this one, silently
    if hasattr(select, "poll"):
        Thread(target=_end_with_the_other_end, daemon=True).start()
    calls, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a decoder may print must not get among the answers
    while True:
        try:
            function, item = pickle.load(calls)
        except EOFError:
            return
        try:
            answer = True, function(item)
        except Exception as error:
            answer = False, error
        pickle.dump(answer, answers, pickle.HIGHEST_PROTOCOL)
        answers.flush()


def _end_with_the_other_end() -> None:
    """Waits until stdin is closed, as when the other end was killed, whatever is being done meanwhile."""
    poll = select.poll()
    poll.register(0, 0)  # so that calls do not wake it
    poll.poll()
    os._exit(1)


class Workers:
    """Processes that wait for calls, each led by a thread that waits for its answers. A context manager."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._threads = ThreadPoolExecutor(count)
        self._processes: set[subprocess.Popen[bytes]] = set()
        self._idle: SimpleQueue[subprocess.Popen[bytes]] = SimpleQueue()
        self._lock = Lock()
        self._closed = False

    def __enter__(self) -> Self:
        try:
            for _ in range(self._count):
                self._idle.put(self._start())
        except BaseException:
            self._kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._kill()

    def map_in_order(
        self, function: Callable[[Item], Result], items: Iterable[Item]
    ) -> Generator[tuple[Item, Result | Death], None, None]:
        """As the function of that name, in these processes, which stay."""
        pending: deque[tuple[Item, Future[Result | Death]]] = deque()
        for item in items:
            pending.append((item, self._threads.submit(self._call, function, item)))
            while pending and (len(pending) >= 2 * self._count or pending[0][1].done()):
                done, future = pending.popleft()
                yield done, future.result()
        for done, future in pending:
            yield done, future.result()

    def _call(self, function: Callable[[Item], Result], item: Item) -> Result | Death:
        process = self._idle.get()
        assert process.stdin
        assert process.stdout
        try:
            pickle.dump((function, item), process.stdin, pickle.HIGHEST_PROTOCOL)
            process.stdin.flush()
            good, answer = pickle.load(process.stdout)
        except (EOFError, OSError, pickle.UnpicklingError):
            dead = process
            process = self._replaced(dead)
            return Death(-dead.returncode if (dead.returncode or 0) < 0 else None)
        finally:
            self._idle.put(process)
        if not good:
            raise answer
        result: Result = answer
        return result

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-P", "-c", _PROGRAM.format(path=sys.path)]
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # NumPy's threads would wait for each other
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            **IN_A_GROUP_OF_ITS_OWN,
        )
        self._processes.add(process)
        return process

    def _replaced(self, process: subprocess.Popen[bytes]) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._closed:  # killed by us
                return process
            self._processes.remove(process)
            _end(process)
            return self._start()

    def _kill(self) -> None:
        with self._lock:
            self._closed = True
            for process in self._processes:
                process.kill()
        # Each thread now sees its process's answers end.
        self._threads.shutdown(cancel_futures=True)
        for process in self._processes:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    with suppress(OSError), process:  # closes the pipes, though what was not sent yet is lost, and waits
        pass
