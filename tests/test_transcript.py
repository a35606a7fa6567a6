"""What the line reader's answer says, against all that it could say."""

from __future__ import annotations

from itertools import groupby, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digitcli.reading.transcript import SIGNS, aligned, greedy, likeliest, likelihoods, of_digits


def answers(columns: int, signs: int = 11) -> st.SearchStrategy[np.ndarray]:
    """Answers of so many columns, of which each sums to 1."""
    seeds = st.integers(0, 2**32 - 1)
    return seeds.map(lambda seed: np.random.default_rng(seed).dirichlet(np.full(signs, 0.15), columns))


def by_trying_all(columns: np.ndarray) -> dict[str, float]:
    """Every text with its probability, path by path; only signs 0, 1 and none may occur."""
    shares: dict[str, float] = {}
    for path in product((0, 1, 10), repeat=len(columns)):
        text = "".join(str(sign) for sign, _ in groupby(path) if sign != 10)
        shares[text] = shares.get(text, 0.0) + float(np.prod(columns[range(len(columns)), path]))
    return shares


def of_two_digits(columns: np.ndarray) -> np.ndarray:
    few = np.zeros_like(columns)
    few[:, [0, 1, 10]] = columns[:, [0, 1, 10]] + 0.01
    return few / few.sum(axis=1, keepdims=True)


@settings(deadline=None)
@given(answers(6))
def test_a_text_is_as_likely_as_all_paths_that_spell_it(columns: np.ndarray) -> None:
    columns = of_two_digits(columns)
    every = by_trying_all(columns)
    assert likelihoods([columns], [*every])[:, 0] == pytest.approx([*every.values()], rel=1e-6, abs=1e-12)


@given(answers(6))
def test_the_likeliest_texts_come_first_and_lack_no_more_than_was_not_followed(columns: np.ndarray) -> None:
    columns = of_two_digits(columns)
    found = likeliest(columns, beam=1000)
    every = by_trying_all(columns)
    assert list(found.values()) == sorted(found.values(), reverse=True)
    assert next(iter(found.values())) == pytest.approx(max(every.values()), rel=1e-6)
    for text, share in found.items():
        assert share == pytest.approx(every[text], rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("places", [[0, 0], [3, 3, 3], [7, 7]])
def test_columns_without_a_digit_count_wherever_they_stand(places: list[int]) -> None:
    clear = of_digits(written("77")).round(1)
    columns = np.insert(clear, places, np.eye(11)[-1] / 2, axis=0)
    found = likeliest(columns)
    assert [*found.values()] == pytest.approx(likelihoods([columns], [*found])[:, 0])


@settings(max_examples=50)
@given(answers(12))
def test_no_text_is_likelier_than_certain_and_a_narrow_search_never_says_more(columns: np.ndarray) -> None:
    found = likeliest(columns)
    assert sum(found.values()) <= 1 + 1e-6
    assert (np.array([*found.values()]) <= likelihoods([columns], [*found])[:, 0] + 1e-6).all()


def written(text: str, signs: str = SIGNS) -> np.ndarray:
    """An answer that is nearly sure of a text, two columns a sign and one between."""
    columns = np.full((3 * len(text) + 1, len(signs) + 1), 0.001)
    columns[:, -1] = 0.9
    for place, sign in enumerate(text):
        columns[3 * place + 1 : 3 * place + 3] = 0.001
        columns[3 * place + 1 : 3 * place + 3, signs.index(sign)] = 0.9
    return columns / columns.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("text", ["7", "00", "3.14", "(7+5)×3=36", "1000000"])
def test_what_is_clear_is_read_as_it_stands(text: str) -> None:
    columns = written(text)
    digits = "".join(filter(str.isdigit, text))
    assert greedy(columns) == text
    assert next(iter(likeliest(of_digits(columns)))) == digits
    places = aligned(of_digits(columns), digits)
    assert [place.sign for place in places] == list(digits)
    starts = [3 * index + 1 for index, sign in enumerate(text) if sign.isdigit()]
    assert [place.first for place in places] == starts


def test_a_text_that_has_no_room_is_nowhere() -> None:
    columns = written("7")
    assert aligned(of_digits(columns), "7777777") == []
    assert likelihoods([of_digits(columns)], ["7777777", "7"])[0] == 0


def test_nothing_written_is_the_empty_text() -> None:
    columns = written("7")[:1]
    assert greedy(columns) == ""
    assert next(iter(likeliest(of_digits(columns)))) == ""
    assert aligned(of_digits(columns), "") == []
