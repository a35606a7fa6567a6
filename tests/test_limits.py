from __future__ import annotations

import gzip
import hashlib
import io
import itertools
import signal
import sys
import threading
import time
from contextlib import suppress

import measured
import pytest

from digitcli.errors import ImageError
from digitcli.system import limits
from digitcli.system.limits import (
    DEADLY,
    MEMORY,
    BombError,
    LittleMemory,
    PictureLimits,
    Unpacked,
    read_exactly,
)

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere memory is not limited")


def endless() -> None:
    for _ in itertools.repeat(0):
        pass


def test_endless_work_on_a_picture_is_ended_with_its_name() -> None:
    with (
        PictureLimits(0.1) as bounds,
        pytest.raises(ImageError, match=r"^x\.png takes longer than 0\.1 s .*--time-limit SECONDS\.$"),
        bounds.reading(object(), "x.png"),
    ):
        endless()


def test_a_decoder_that_swallows_all_errors_is_ended_too() -> None:
    def stubborn() -> None:
        for _ in range(20):
            with suppress(Exception):
                endless()

    with PictureLimits(0.1) as bounds, pytest.raises(ImageError), bounds.reading(object(), "x.png"):
        stubborn()


def test_a_decoder_that_cleans_up_after_it_was_ended_is_not_ended_once_more() -> None:
    cleaned = False

    def tidy() -> None:
        nonlocal cleaned
        try:
            endless()
        finally:
            end = time.thread_time() + 0.15  # three ticks
            while time.thread_time() < end:
                pass
            cleaned = True

    with PictureLimits(0.1) as bounds, pytest.raises(ImageError), bounds.reading(object(), "x.png"):
        tidy()
    assert cleaned


def test_what_is_spent_on_a_picture_adds_up() -> None:
    picture, other = object(), object()
    with PictureLimits(0.1) as bounds:
        with pytest.raises(ImageError), bounds.reading(picture, "x.png"):
            endless()
        with bounds.reading(other, "y.png"):
            pass
        with pytest.raises(ImageError, match=r"x\.png"), bounds.reading(picture, "x.png"):
            pass


def test_within_the_limits_nothing_happens_and_nothing_stays() -> None:
    before = signal.getsignal(signal.SIGPROF)
    signal.signal(signal.SIGPROF, signal.SIG_IGN)
    with PictureLimits(60) as bounds, bounds.reading(object(), "x.png"):
        read = sum(range(1000))
    assert read == 499500
    assert signal.getsignal(signal.SIGPROF) == signal.SIG_IGN
    assert signal.getitimer(signal.ITIMER_PROF) == (0, 0)
    signal.signal(signal.SIGPROF, before)


def test_in_another_thread_work_goes_on_without_a_limit_on_time() -> None:
    done = []

    def work() -> None:
        with PictureLimits(1e-6) as bounds, bounds.reading(object(), "x.png"):
            done.append(sum(range(10**6)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done


@linux_only
def test_a_picture_that_takes_too_much_memory_is_an_error_and_the_next_one_is_not() -> None:
    with PictureLimits() as bounds:
        with (
            pytest.raises(ImageError, match=r"^x\.png takes more than 330 MB of memory"),
            bounds.reading(object(), "x.png"),
        ):
            bytearray(2 * MEMORY)
        with bounds.reading(object(), "y.png"):
            bytearray(MEMORY // 2)
    assert len(bytearray(2 * MEMORY)) == 2 * MEMORY


@linux_only
def test_a_lower_limit_that_was_there_is_kept() -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_DATA)
    try:
        resource.setrlimit(resource.RLIMIT_DATA, (2**45, before[1]))
        with LittleMemory():
            assert resource.getrlimit(resource.RLIMIT_DATA)[0] < 2**45
        assert resource.getrlimit(resource.RLIMIT_DATA)[0] == 2**45
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def test_code_that_nothing_interrupts_is_ended_with_its_process_if_that_is_asked_for() -> None:
    program = (
        "import hashlib\n"
        "from digitcli.system.limits import PictureLimits\n"
        "with PictureLimits(0.1, deadly=True) as bounds, bounds.reading(object(), 'x.png'):\n"
        "    hashlib.pbkdf2_hmac('sha1', b'', b'', 2**31 - 1)\n"
    )
    assert measured.python("-c", program).exit_code == -DEADLY


def test_what_unpacks_to_far_more_than_its_size_is_refused_on_the_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "UNPACKED_FREELY", 2**20)
    packed = io.BytesIO(gzip.compress(bytes(2**25)))
    unpacked = Unpacked(gzip.GzipFile(fileobj=packed), packed)
    with pytest.raises(BombError, match="unpacks to more than 200 times its size"):
        read_exactly(unpacked, 2**25)
    assert packed.tell() < len(packed.getvalue()) / 2


def test_what_unpacks_as_drawings_do_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "UNPACKED_FREELY", 2**20)
    drawings = (hashlib.sha256(n.to_bytes(2)).digest() + bytes(5000) for n in range(1000))
    content = b"".join(drawings)
    packed = io.BytesIO(gzip.compress(content))
    assert len(content) > 80 * len(packed.getvalue())
    unpacked = io.BufferedReader(Unpacked(gzip.GzipFile(fileobj=packed), packed))
    assert read_exactly(unpacked, len(content) + 1) == content


def test_reading_takes_the_memory_of_what_is_there_and_not_of_what_is_asked_for() -> None:
    assert read_exactly(io.BytesIO(b"abc"), 2**62) == b"abc"
