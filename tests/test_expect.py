"""What is known of a number: the likeliest reading that fits is given, or none with a reason."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont
from stdnum import ean, luhn
from typer.testing import CliRunner

import digitcli
from digitcli import Expect
from digitcli.cli import app
from digitcli.reading.line import View
from digitcli.reading.transcript import SIGNS, likeliest, of_digits
from digitcli.reading.weighing import best
from digitcli.simulator.typefaces import faces

TEXTS = st.text("0123456789", min_size=1, max_size=8)


def seen(text: str, doubts: dict[int, tuple[str, float]]) -> View:
    """What a line reader sees that takes some places, with some probability, for another digit, or none."""
    columns = np.zeros((2 * len(text) + 1, len(SIGNS) + 1), np.float32)
    columns[::2, -1] = 1
    for place, digit in enumerate(text):
        other, share = doubts.get(place, ("", 0.001))
        columns[2 * place + 1, int(digit)] = 1 - share
        columns[2 * place + 1, int(other) if other else -1] += share
    return View((0, 0, 100, 20), columns)


def printed(text: str) -> Image.Image:
    page = Image.new("L", (60 * len(text), 120), 255)
    ImageDraw.Draw(page).text((20, 20), text, 0, ImageFont.truetype(faces()[0], 64))
    return page


def test_of_two_readings_the_one_that_fits_is_taken() -> None:
    view = seen("3407", {1: ("", 0.4)})
    assert best([view], [], True)[0] == "3407"
    assert best([view], [], True, Expect(length=3))[0] == "307"
    assert best([view], [], True, Expect(range=(0, 999)))[0] == "307"
    assert best([view], [], True, Expect(pattern="3.7"))[0] == "307"


def test_a_check_digit_tells_which_of_several_doubtful_digits_is_another() -> None:
    number = "79927398713"
    assert luhn.is_valid(number)
    misread = seen("79927398113", {8: ("7", 0.3), 3: ("1", 0.2)})
    assert best([misread], [], True)[0] == "79927398113"
    text, confidence = best([misread], [], True, Expect(check="luhn"))
    assert text == number
    assert confidence > 0.8


def test_what_fits_is_surer_than_without_and_never_quite_sure_against_what_is_seen() -> None:
    view = seen("12345", {2: ("", 0.3)})
    _, unknown = best([view], [], True)
    _, known = best([view], [], True, Expect(length=5))
    assert known > unknown
    assert best([view], [], True, Expect(length=4))[1] < 0.95


def test_nothing_is_given_where_nothing_likely_fits() -> None:
    assert best([seen("12345", {})], [], True, Expect(length=2))[1] == 0


@given(TEXTS, st.integers(1, 8), st.integers(0, 3))
def test_what_is_given_fits(text: str, least: int, more: int) -> None:
    expect = Expect(length=(least, least + more))
    found, confidence = best([seen(text, {0: ("", 0.4)})], [], True, expect)
    assert expect.fits(found) or confidence == 0


@given(TEXTS, st.integers(1, 4))
def test_a_search_by_length_follows_texts_of_each(text: str, dropped: int) -> None:
    doubts = dict.fromkeys(range(min(dropped, len(text))), ("", 0.3))
    columns = of_digits(seen(text, doubts).columns)
    found = likeliest(columns, 3, longest=len(text), least=1e-4)
    assert {len(each) for each in found} >= set(range(len(text) - len(doubts), len(text) + 1))


@pytest.mark.parametrize(
    ("expect", "yes", "no"),
    [
        (Expect(length=3), "123", "1234"),
        (Expect(length=(4, 6)), "12345", "123"),
        (Expect(range=(1, 31)), "31", "32"),
        (Expect(pattern="20[0-9]{2}"), "2026", "1999"),
        (Expect(check="ean"), "4006381333931", "4006381333932"),
        (Expect(check="iban:DE"), "89370400440532013000", "89370400440532013001"),
        (Expect(check="de.idnr"), "36574261809", "36574261890"),
    ],
)
def test_each_kind_of_knowledge(expect: Expect, yes: str, no: str) -> None:
    assert expect.fits(yes)
    assert not expect.fits(no)
    assert expect
    assert not Expect()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--length", "0"], "length"),
        (["--length", "6-4"], "length"),
        (["--length", "five"], "neither a number nor a range"),
        (["--range", "9-1"], "range"),
        (["--pattern", "["], "no regular expression"),
        (["--check", "nothing"], "no check called 'nothing'"),
        (["--check", "os.path"], "no check called"),
        (["--length", "5", "--single"], "leave --single"),
    ],
)
def test_what_nothing_can_fit_is_wrong_usage(options: list[str], message: str) -> None:
    result = CliRunner().invoke(app, ["predict", "x.png", *options])
    assert result.exit_code == 2
    assert message in result.stderr


def test_the_command_gives_what_fits_or_the_reason() -> None:
    printed("3407").save("number.png")
    command = ["predict", "number.png", "--format", "csv", "--quiet"]
    fits = CliRunner().invoke(app, [*command, "--length", "4", "--range", "3000-4000"])
    assert "number.png,3407," in fits.stdout
    none = CliRunner().invoke(app, [*command, "--length", "12"])
    assert none.exit_code == 0
    assert "number.png,,0.0000,nothing fits --length 12" in none.stdout


def test_python_users_say_what_they_know() -> None:
    model = digitcli.load()
    assert model.read(printed("4006381333931"), expect=Expect(check="ean")).text == "4006381333931"
    assert ean.is_valid("4006381333931")
    assert model.read(printed("77"), expect=Expect(check="ean")).text is None


def test_a_single_digit_is_a_number_of_length_one() -> None:
    assert digitcli.load().read(printed("7"), expect=Expect(length=1)).text == "7"
