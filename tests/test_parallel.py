from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest

from digitcli.errors import DataError
from digitcli.system.parallel import Death, every, map_in_order

# What is called in the other processes must be found by name there, so it comes from the standard library.


def test_results_come_in_order_whichever_is_ready_first() -> None:
    waits = [0.2, 0.0, 0.1, 0.0, 0.0, 0.05]
    assert [item for item, _ in map_in_order(time.sleep, waits, 2)] == waits


def test_the_work_is_done_in_other_processes() -> None:
    results = [result for _, result in map_in_order(eval, ["__import__('os').getpid()"] * 8, 2)]
    assert os.getpid() not in results


def test_large_items_and_results_pass_both_ways() -> None:
    items = [bytes([n]) * 3_000_000 for n in range(6)]
    assert [result for _, result in map_in_order(bytes.upper, items, 2)] == [item.upper() for item in items]


def test_only_a_few_items_are_taken_ahead() -> None:
    taken = 0

    def endless() -> Iterator[int]:
        nonlocal taken
        while True:
            taken += 1
            yield taken

    results = map_in_order(str, endless(), 2)
    assert [next(results) for _ in range(5)] == [(n, str(n)) for n in range(1, 6)]
    assert taken <= 5 + 4
    results.close()


def test_an_exception_of_the_function_comes_back() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        list(map_in_order(int, ["1", "x"], 1))


def test_a_killed_process_costs_its_own_item_only() -> None:
    commands = [f"exit({n})" if n % 3 == 1 else str(n) for n in range(10)]
    kill = "__import__('os')._exit"
    items = [command.replace("exit", kill) for command in commands]
    results = [result for _, result in map_in_order(eval, items, 2)]
    assert results == [Death(None) if n % 3 == 1 else n for n in range(10)]


def test_the_signal_that_ended_a_process_is_told() -> None:
    ((_, result),) = map_in_order(eval, ["__import__('os').abort()"], 1)
    assert result == Death(signal.SIGABRT)


def test_what_the_function_prints_does_not_disturb_the_answers() -> None:
    assert list(map_in_order(os.system, ["echo printed"], 1)) == [("echo printed", 0)]


def test_closing_ends_the_processes_at_once() -> None:
    results = map_in_order(eval, ["__import__('os').getpid()", "__import__('time').sleep(60)"], 1)
    _, process = next(results)
    started = time.monotonic()
    results.close()
    assert time.monotonic() - started < 5
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_where_none_may_be_missing_a_killed_process_is_an_error() -> None:
    assert list(every(len, ["a", "bc"])) == [("a", 1), ("bc", 2)]
    with pytest.raises(DataError, match="was killed"):
        list(every(eval, ["1", "__import__('os')._exit(1)"]))
