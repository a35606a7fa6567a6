"""What people write in a line with digits: amounts, numbers, dates, sums; and what has none."""

from __future__ import annotations

import numpy as np

from digitcli.simulator.hands import LETTER


def amount(rng: np.random.Generator) -> str:
    """As on a cheque, in an account book or on a price tag."""
    whole = _digits(rng, int(rng.integers(1, 8)))
    if rng.uniform() < 0.6:
        whole = str(int(10 ** rng.uniform())) + whole[1:]  # Benford's law
    style = rng.uniform()
    if style < 0.5:
        whole = _grouped(whole, ".,'"[rng.choice(3, p=[0.65, 0.28, 0.07])])
    if rng.uniform() < 0.12:
        whole += ".,"[rng.integers(2)] + _digits(rng, 2)
    before = rng.choice(["", "$", "#", "-", "=", "*", LETTER], p=[0.83, 0.04, 0.03, 0.04, 0.02, 0.02, 0.02])
    after = rng.choice(
        ["", "-", "=", ".-", ".", ",-", ",", "--", "#", "/", ":", "*", LETTER],
        p=[0.47, 0.11, 0.1, 0.09, 0.08, 0.03, 0.03, 0.01, 0.02, 0.01, 0.01, 0.01, 0.03],
    )
    return str(before + whole + after)


def number(rng: np.random.Generator) -> str:
    """Digits alone, or with what stands in dates, telephone numbers and lists."""
    digits = _digits(rng, int(rng.integers(2, 11)))
    if rng.uniform() < 0.7:
        return digits
    sign = ".,-:.-/"[rng.integers(7)]
    for _ in range(rng.integers(1, 3)):
        at = int(rng.integers(1, len(digits) + 1))
        digits = digits[:at] + sign + digits[at:]
    return digits


def sum_(rng: np.random.Generator) -> str:
    """A sum, with its result or not."""
    signs = "+-×÷=/:*"
    likely = [0.22, 0.19, 0.28, 0.11, 0.0, 0.08, 0.04, 0.08]
    text = _digits(rng, int(rng.integers(1, 4)))
    for _ in range(rng.integers(1, 3)):
        text += signs[rng.choice(8, p=likely)] + _digits(rng, int(rng.integers(1, 4)))
    if rng.uniform() < 0.3:
        parts = text.partition("+") if "+" in text else text.partition("-")
        if parts[2]:
            text = f"({''.join(parts)})" if rng.uniform() < 0.4 else f"{parts[0]}{parts[1]}({parts[2]})"
            if rng.uniform() < 0.5:
                text += "×" + _digits(rng, 1)
    if rng.uniform() < 0.6:
        text += "=" + _digits(rng, int(rng.integers(1, 6)))
    return text


def none(rng: np.random.Generator) -> str:
    """Letters, scribbles and signs without any digit; or nothing."""
    choice = rng.uniform()
    if choice < 0.1:
        return ""
    if choice < 0.58:
        return LETTER
    if choice < 0.72:
        return "+×=.-÷.×+"[rng.integers(9)]
    return LETTER * int(rng.integers(2, 10))


def with_letters(rng: np.random.Generator) -> str:
    """A number with letters beside it."""
    return (
        LETTER * int(rng.integers(0, 7))
        + _digits(rng, int(rng.integers(1, 6)))
        + LETTER * int(rng.integers(0, 4))
    )


def among_words(rng: np.random.Generator) -> str:
    """Numbers among words, as on labels, in letters and on screens; at times words alone."""
    parts = [_word(rng) if rng.uniform() < 0.5 else _item(rng) for _ in range(rng.integers(1, 5))]
    if rng.uniform() < 0.6:
        parts[rng.integers(len(parts))] = _item(rng)
    return " ".join(parts)


def _word(rng: np.random.Generator) -> str:
    return str(LETTER * int(rng.integers(1, 10)) + rng.choice(["", ",", ".", ":"], p=[0.7, 0.1, 0.1, 0.1]))


def _item(rng: np.random.Generator) -> str:
    """A number as it stands among words: a year, a price, a measure, a code."""
    digits = _digits(rng, int(rng.integers(1, 7)))
    choice = rng.uniform()
    if choice < 0.4:
        return digits
    if choice < 0.55:
        return amount(rng)
    if choice < 0.7:
        return number(rng)
    if choice < 0.85:
        return str(LETTER * int(rng.integers(1, 4)) + rng.choice(["", "", "-"]) + digits)
    return digits + LETTER * int(rng.integers(1, 4))


def _digits(rng: np.random.Generator, count: int) -> str:
    digits = rng.integers(10, size=count)
    if count > 1 and rng.uniform() < 0.38:  # round sums
        digits[count - int(rng.integers(1, count)) :] = 0
    if rng.uniform() < 0.12:
        digits[rng.integers(count) :] = digits[rng.integers(count)]
    if rng.uniform() < 0.15:
        digits[rng.integers(count)] = 1
    return "".join(map(str, digits.tolist()))


def _grouped(digits: str, sign: str) -> str:
    if len(digits) < 4:
        return digits
    first = len(digits) % 3 or 3
    return sign.join([digits[:first], *(digits[at : at + 3] for at in range(first, len(digits), 3))])
