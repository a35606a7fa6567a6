"""Lines of writing, close up, as the simulator draws them."""

from __future__ import annotations

import numpy as np
import pytest

from digitcli.data import synthetic
from digitcli.reading.transcript import SIGNS
from digitcli.simulator import hands, lines, signs, texts
from digitcli.simulator.hands import HEIGHT, LETTER, Bank, Hand, Printer
from digitcli.simulator.lines import line
from digitcli.simulator.styles import STYLES
from digitcli.simulator.world_styles import IN_NUMBERS, WORLD_STYLES

DIGITS = synthetic.generate(600, seed=9)
BANK = Bank(DIGITS.images, DIGITS.labels)


def drawn(count: int, seed: int = 3) -> list[tuple[np.ndarray, str]]:
    some = [line(np.random.default_rng([seed, index]), BANK) for index in range(count)]
    return [(each.pixels, each.text) for each in some]


def test_the_same_seed_draws_the_same_line() -> None:
    for (one, text), (other, same) in zip(drawn(40), drawn(40), strict=True):
        assert np.array_equal(one, other)
        assert text == same


def test_lines_are_grey_pictures_with_texts_that_can_be_read() -> None:
    for pixels, text in drawn(150):
        assert pixels.dtype == np.uint8
        assert pixels.ndim == 2
        assert set(text) <= set(SIGNS)
        assert LETTER * 2 not in text


def test_every_sign_and_digit_is_met() -> None:
    assert set("".join(text for _, text in drawn(600))) >= set("0123456789.,-:+×÷=()" + LETTER)


@pytest.mark.parametrize("digit", range(10))
@pytest.mark.parametrize("bank", [BANK, None])
def test_a_hand_writes_every_digit_about_as_high(digit: int, bank: Bank | None) -> None:
    heights = []
    for seed in range(20):
        ink = Hand(np.random.default_rng(seed), bank).digit(digit).ink
        heights.append(np.flatnonzero((ink > 100).any(axis=1)).size)
    assert 0.7 * HEIGHT < np.median(heights) < 1.4 * HEIGHT


@pytest.mark.parametrize("sign", sorted(signs.SIGNS))
def test_every_sign_can_be_written_and_printed(sign: str) -> None:
    assert sign in SIGNS
    for seed in range(5):
        rng = np.random.default_rng(seed)
        assert Hand(rng, None).sign(sign).ink.any()
        assert Printer(rng).sign(sign).ink.any()


@pytest.mark.parametrize("digit", range(10))
def test_styles_of_the_world_can_be_told_by_name(digit: int) -> None:
    names = [style.name for style in hands.STYLES_OF[digit]]
    assert len(names) == len(set(names))
    assert len(WORLD_STYLES[digit]) >= 2


@pytest.mark.parametrize("digit", IN_NUMBERS)
def test_a_digit_like_a_letter_is_written_only_among_digits(digit: int) -> None:
    plain = len(STYLES[digit] + WORLD_STYLES[digit])
    alone = {Hand(np.random.default_rng(seed), None).styles[digit] for seed in range(200)}
    among = {Hand(np.random.default_rng(seed), None, in_number=True).styles[digit] for seed in range(200)}
    assert max(alone) < plain
    assert max(among) >= plain


def test_a_digit_of_which_half_is_in_view_counts_and_a_neighbour_s_tail_does_not() -> None:
    written = lines._write("77", np.random.default_rng(4), None)
    (left, _), (_, right) = written.lefts, written.rights
    assert lines._seen(written, round(left + 0.1 * HEIGHT), round(right)) == "77"
    assert lines._seen(written, round(written.rights[0] - 0.05 * HEIGHT), round(right)) == "7"
    assert lines._seen(written, 0, round(left)) == ""


@pytest.mark.parametrize("write", [texts.amount, texts.number, texts.sum_, texts.with_letters])
def test_texts_hold_digits(write: object) -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        text = write(rng)  # type: ignore[operator]
        assert any(each.isdigit() for each in text)
        assert set(text) <= set(SIGNS)


def test_a_number_among_words_stands_apart_and_a_run_of_words_is_one_letter() -> None:
    rng = np.random.default_rng(0)
    texts_ = [texts.among_words(rng) for _ in range(200)]
    assert set("".join(texts_)) <= {*SIGNS, " "}
    assert sum(any(sign.isdigit() for sign in text) for text in texts_) > 150
    written = lines._write("?? ? 45 ?", np.random.default_rng(3), None)
    assert written.text == "???45?"
    assert lines._seen(written, 0, written.ink.shape[1]) == "?45?"
    gaps = np.subtract(written.lefts[1:], written.rights[:-1])
    assert min(gaps[[1, 2, 4]]) > max(gaps[[0, 3]])


def test_what_has_no_digit_has_none() -> None:
    rng = np.random.default_rng(0)
    assert not any(each.isdigit() for _ in range(200) for each in texts.none(rng))
