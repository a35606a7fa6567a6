"""What a file from a stranger may cost: bounds on computing, on memory, and on what unpacks from it."""

from __future__ import annotations

import io
import math
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import BinaryIO, Protocol, Self

from digitcli.errors import DigitcliError, ImageError, reason

if sys.platform == "linux":
    import resource

SECONDS = 2.0
"""Of computing on one picture."""

MEMORY = 330 * 10**6
"""Bytes that reading a file may take beyond those in use: with Python, NumPy and LiteRT, 512 MB in all."""

TOO_MUCH_MEMORY = f"takes more than {MEMORY // 10**6} MB of memory to read"

MOST_UNPACKED = 200
"""Bytes that may come out of a packed one: of drawings come 50 to 100, of a bomb 1000 and more."""

UNPACKED_FREELY = 128 * 2**20
"""Bytes that may come out in any case."""

_PART = 2**20  # bytes read at a time
_TICK = 0.05  # seconds of computing after which it is looked whether a picture took too long
_GRACE = 0.25  # seconds, once to twice, beyond that after which a process that does not notice is ended


DEADLY = getattr(signal, "SIGVTALRM", None)
"""The signal that ends a process which does not notice that a picture took too long."""


class OvertimeError(BaseException):
    """A picture took too long. Not an Exception, which a decoder might take for one of its own."""


class PictureLimits:
    """A context in which each picture may take so much computing and memory.

    seconds: of this thread's computing on a picture, however long a slow disk or other programs make it wait.
        They are kept in the main thread, not on Windows, and between two operations of Python: what is done
        within one in C must be bounded by what it is given.
    deadly: end the process with signal DEADLY where such an operation does not come back in time.
    """

    def __init__(self, seconds: float = SECONDS, *, deadly: bool = False) -> None:
        self.seconds = seconds
        self._deadly = deadly
        self._left = math.inf
        self._started = 0.0
        self._counted_from: float | None = None
        self._killed = -math.inf
        self._spent: dict[int, float] = {}

    def __enter__(self) -> Self:
        self._memory = LittleMemory()
        self._ticking = False
        # Decoders warn about odd metadata, which changes no pixel. Done for each one it costs a hundredth.
        self._warnings = warnings.catch_warnings()
        self._warnings.__enter__()
        warnings.simplefilter("ignore")
        if hasattr(signal, "setitimer"):
            try:
                self._handler = signal.signal(signal.SIGPROF, self._look)
            except ValueError:  # another thread than the main one
                return self
            signal.siginterrupt(signal.SIGPROF, False)  # of what C code waits for
            signal.setitimer(signal.ITIMER_PROF, _TICK, _TICK)
            self._ticking = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._memory.restore()  # if a signal came just when that was to be done
        self._warnings.__exit__(kind, error, trace)
        if self._ticking:
            signal.setitimer(signal.ITIMER_PROF, 0)
            if self._deadly:
                signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            if self._handler != signal.SIG_DFL:  # with which a last signal would end the process
                signal.signal(signal.SIGPROF, self._handler)

    @contextmanager
    def reading(self, picture: object, name: str) -> Iterator[None]:
        """Some of the work on a picture. Raises ImageError, with the name, if that takes too much or trips.

        picture: what tells it from others, to add up what was spent on it.
        """
        # Without contexts within: this is done for each of thousands of small pictures in a second.
        spent = self._spent.get(id(picture), 0.0)
        self._memory.lower()
        try:
            self._start(self.seconds - spent)
            yield
        except OvertimeError:
            raise ImageError(overtime(name, self.seconds)) from None
        except MemoryError:
            raise ImageError(f"{name} {TOO_MUCH_MEMORY}. Make it smaller first.") from None
        except (DigitcliError, OSError):
            raise
        except Exception as error:  # a fault of ours that one picture of a million brings to light
            what = f"{type(error).__name__}: {reason(error)}"
            raise ImageError(
                f"{name} trips over a fault in digitcli ({what}). Report it with the picture."
            ) from error
        finally:
            self._memory.restore()
            self._spent[id(picture)] = spent + self._stop()

    @contextmanager
    def at_most(self, seconds: float) -> Iterator[None]:
        """Raises OvertimeError where the body takes longer."""
        try:
            self._start(seconds)
            yield
        finally:
            self._stop()

    def _start(self, seconds: float) -> None:
        if seconds <= 0:
            raise OvertimeError
        self._left = seconds
        self._started = time.perf_counter()
        self._counted_from = None
        # Not set anew for each of many small pictures, which it would cost one in a hundred of their time.
        end = self._started + seconds
        if self._deadly and self._ticking and not _GRACE <= self._killed - end <= 2 * _GRACE:
            self._killed = end + 2 * _GRACE
            signal.setitimer(signal.ITIMER_VIRTUAL, seconds + 2 * _GRACE)

    def _stop(self) -> float:
        """Seconds of computing since the start, a tick too many at most."""
        self._left = math.inf
        if self._counted_from is None:
            return min(time.perf_counter() - self._started, _TICK)
        return time.thread_time() - self._counted_from

    def _look(self, number: int, frame: FrameType | None) -> None:
        # This thread's own time is asked for only once a tick has come: to ask may take as long as decoding a
        # small picture. The ticks count the computing of all threads.
        now = time.thread_time()
        if self._counted_from is None:
            self._counted_from = now - min(time.perf_counter() - self._started, _TICK)
        if now - self._counted_from >= self._left:
            self._left += _GRACE  # for cleaning up, in which the next tick would raise it once more
            raise OvertimeError


def overtime(name: str, seconds: float) -> str:
    """What to say of a picture that took longer."""
    return f"{name} takes longer than {seconds:g} s to read. Allow more with --time-limit SECONDS."


class LittleMemory:
    """A context in which what would take MEMORY more than when it was made raises MemoryError. Linux only.

    It costs little to enter, and can be entered again.
    """

    def __init__(self) -> None:
        self._most = self._before = (0, 0)
        if sys.platform == "linux":  # elsewhere there is no such limit, or nothing tells what is in use
            self._before = soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
            with open("/proc/self/statm", "rb", buffering=0) as file:
                most = int(file.read().split()[5]) * resource.getpagesize() + MEMORY
            self._most = (most if soft == resource.RLIM_INFINITY else min(most, soft), hard)

    def __enter__(self) -> None:
        self.lower()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.restore()

    def lower(self) -> None:
        """Lowers the limit."""
        if sys.platform == "linux":
            resource.setrlimit(resource.RLIMIT_DATA, self._most)

    def restore(self) -> None:
        """Sets the limit to what it was."""
        if sys.platform == "linux":
            resource.setrlimit(resource.RLIMIT_DATA, self._before)


class Readable(Protocol):
    """A file, as far as it is read here."""

    def read(self, size: int, /) -> bytes:
        """So many bytes or fewer; none at the end."""


class BombError(ValueError):
    """Far more came out of a packed file than its size lets expect."""

    def __init__(self) -> None:
        super().__init__(
            f"it unpacks to more than {MOST_UNPACKED} times its size, as made to fill a computer"
        )


class Unpacked(io.RawIOBase):
    """The content of a packed file, which BombError is raised for once it is too much.

    All that is whole comes before it is told that the rest is damaged.
    unpacked: to read from. packed: the file that it is unpacked from, opened.
    """

    def __init__(self, unpacked: io.BufferedIOBase, packed: BinaryIO) -> None:
        self._unpacked = unpacked
        self._packed = packed
        self._read = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fills some of the buffer, and returns how much; 0 at the end."""
        count = self._unpacked.readinto1(buffer)
        self._read += count
        require_no_bomb(self._read, self._packed.tell())
        return count


def require_no_bomb(unpacked: int, packed: int) -> None:
    """Raises BombError if so many bytes are too many to come from so many."""
    if unpacked > UNPACKED_FREELY + MOST_UNPACKED * packed:
        raise BombError


def read_exactly(file: Readable, size: int) -> bytes:
    """So many bytes, or those that are left. A file's own `read` takes the memory for all before it looks."""
    parts = []
    while size > 0 and (part := file.read(min(size, _PART))):
        parts.append(part)
        size -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
