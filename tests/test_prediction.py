from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import bombs
import dying
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageChops, ImageDraw

from digitcli import classifiers, runs
from digitcli.errors import ImageError
from digitcli.reading import many, numbers, prediction
from digitcli.reading import one as first_look
from digitcli.reading.digit import Digit
from digitcli.reading.likelihood import Probabilities
from digitcli.reading.numbers import Number
from digitcli.reading.one import CLEAR, SURE, One, read_one
from digitcli.reading.prediction import BATCH_SIZE, Mode, Prediction, predict
from digitcli.sources.source import Source
from digitcli.system import parallel


@pytest.fixture(autouse=True)
def one_look_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Although FakeClassifier is never sure."""
    monkeypatch.setattr(first_look, "SURE", 0.0)
    monkeypatch.setattr(first_look, "CLEAR", 0.0)


class FakeClassifier:
    """Sees a 1 in what is tall and a 7 in all else, and remembers how many pictures it was given."""

    path = Path("fake")
    runtime = "LiteRT"
    has_learnt = False
    views = 1

    def __init__(self) -> None:
        self.batches: list[int] = []

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        self.batches.append(len(images))
        rows = np.full((len(images), 10), 0.0125, np.float32)
        narrow = (images > 0).any(axis=1).sum(axis=1) < 8
        rows[np.arange(len(images)), np.where(narrow, 1, 7)] = 0.6
        rows[:, 4] = 0.3
        return rows


class Doubting(FakeClassifier):
    """Gives all digits together a share of the probability only; the rest is for what is none."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        return super().probabilities(images) * np.float32(self.share)


def picture(path: Path | str, tall: bool = True) -> str:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("L", (28, 28))  # in MNIST's form, which is read fastest
    ImageDraw.Draw(image).rectangle((12, 4, 15, 23) if tall else (6, 4, 21, 23), fill=255)
    image.save(path, "PNG")
    return str(path)


def results(*paths: str, **options: Any) -> list[Prediction]:
    return list(predict(sources(*paths), FakeClassifier(), **options))


def sources(*paths: str) -> list[Source]:
    return [Source(path, path) for path in paths]


def transcribed(*paths: str, **options: Any) -> list[Prediction]:
    return results(*paths, mode="many", **options)


def page(*lines: str, name: str = "page.png") -> str:
    """Digits that FakeClassifier reads as it does the bars of `picture`: strokes as 1, what is wider as 7."""
    image = Image.new("L", (300, 20 + 90 * len(lines)), 255)
    draw = ImageDraw.Draw(image)
    for row, line in enumerate(lines):
        for column, digit in enumerate(line):
            left, top = 20 + 80 * column, 20 + 90 * row
            if digit == "1":
                draw.rectangle((left, top, left + 5, top + 59), fill=0)
            else:
                draw.line([(left, top + 3), (left + 37, top + 3), (left + 12, top + 59)], fill=0, width=6)
    image.save(name)
    return name


@pytest.mark.parametrize("side", [28, 280])
@pytest.mark.parametrize("inverted", [False, True])
def test_what_is_in_mnist_s_form_is_what_the_classifier_says_and_not_looked_at_again(
    monkeypatch: pytest.MonkeyPatch, side: int, inverted: bool
) -> None:
    monkeypatch.setattr(first_look, "SURE", SURE)
    monkeypatch.setattr(first_look, "CLEAR", CLEAR)
    image = Image.open(picture("a.png")).resize((side, side), Image.Resampling.NEAREST)
    ImageChops.invert(image).save("b.png") if inverted else image.save("b.png")
    classifier = FakeClassifier()
    (read,) = predict(sources("b.png"), classifier)
    assert (read.digit, read.uncertain) == (1, True)
    assert read.probabilities == pytest.approx((0.0125, 0.6, 0.0125, 0.0125, 0.3, *[0.0125] * 5))
    assert classifier.batches == [1]


def test_what_cannot_be_read_has_its_error_and_the_rest_is_read() -> None:
    Path("bad.png").write_bytes(b"no picture")
    good, bad, gone = results(picture("a.png"), "bad.png", "gone.png")
    assert good.digit == 1
    assert bad.error == "bad.png is not a picture, or in a format that Pillow does not read."
    assert gone.error == "gone.png: no such file."
    assert bad.digit is None


def test_a_blank_picture_has_a_reason_and_no_error() -> None:
    Image.new("L", (30, 30), 255).save("blank.png")
    assert results("blank.png") == [Prediction("blank.png", reason="no ink")]


def test_the_likeliest_digits_come_first() -> None:
    (result,) = results(picture("a.png"))
    assert [digit for digit, _ in result.likeliest(10)] == [1, 4, 0, 2, 3, 5, 6, 7, 8, 9]
    assert result.likeliest(1) == [(1, result.confidence)] == [(1, pytest.approx(0.6))]


def test_below_the_least_confidence_there_is_no_digit() -> None:
    (result,) = results(picture("a.png"), min_confidence=0.7)
    assert result.digit is None
    assert result.confidence == pytest.approx(0.6)
    assert result.reason == "not sure enough (1 at 0.6000)"


def test_what_the_network_saw_is_kept() -> None:
    (result,) = results(picture("a.png"))
    assert result.image is not None
    assert result.image.shape == (28, 28)


def test_bytes_pixels_and_errors_are_sources_too() -> None:
    pixels = np.zeros((28, 28), np.uint8)
    pixels[4:24, 13:16] = 255
    contents = [Path(picture("a.png")).read_bytes(), pixels, ImageError("x.zip is damaged.")]
    read = list(predict([Source("x", content) for content in contents], FakeClassifier()))
    assert [each.digit for each in read] == [1, 1, None]
    assert read[2].error == "x.zip is damaged."


def test_pictures_are_classified_in_batches_and_come_out_in_order() -> None:
    order = [picture("tall.png"), "gone.png", picture("wide.png", tall=False)] * 25
    classifier = FakeClassifier()
    read = list(predict(sources(*order), classifier, start_up=60))
    assert [each.path for each in read] == order
    assert [each.digit for each in read] == [1, None, 7] * 25
    assert sum(classifier.batches) == 50
    assert len(classifier.batches) < 10


def test_large_files_are_not_read_together() -> None:
    Path("large.png").write_bytes(Path(picture("a.png")).read_bytes() + bytes(2**20))
    classifier = FakeClassifier()
    assert [each.digit for each in predict(sources(*["large.png"] * 3), classifier)] == [1, 1, 1]
    assert classifier.batches == [1, 1, 1]


def test_opened_pictures_of_many_pixels_do_not_wait_for_each_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Image.new("L", (2500, 2500), 255).save("blank.png")  # of few bytes
    groups: list[int] = []

    def read_one(images: list[Image.Image], probabilities: object) -> list[One]:
        groups.append(len(images))
        return [One(None, None, False)] * len(images)

    monkeypatch.setattr(prediction, "read_one", read_one)
    assert len(results(*["blank.png"] * 4)) == 4
    assert groups == [1, 1, 1, 1]


def test_pictures_that_are_slow_to_come_do_not_wait_for_a_full_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prediction, "LONGEST_WAIT", 0.0)
    classifier = FakeClassifier()
    assert len(list(predict(sources(*[picture("a.png")] * 3), classifier))) == 3
    assert classifier.batches == [1, 1, 1]


def test_no_more_than_a_batch_is_read_ahead() -> None:
    asked = 0

    def endless() -> Iterator[Source]:
        nonlocal asked
        while True:
            asked += 1
            yield Source("a.png", "a.png")

    picture("a.png")
    stream = predict(endless(), FakeClassifier(), start_up=60)
    for read in range(1, 3 * BATCH_SIZE):
        assert next(stream).digit == 1
        assert asked <= read + BATCH_SIZE
    stream.close()


def test_other_processes_give_the_same_results_in_the_same_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_look, "SURE", SURE)  # as it is in them
    monkeypatch.setattr(first_look, "CLEAR", CLEAR)
    order = [picture("tall.png"), "gone.png", page("17"), picture("wide.png", tall=False)] * 8
    classifier = classifiers.load(runs.BUNDLED)
    elsewhere = list(predict(sources(*order), classifier, start_up=0))
    here = list(predict(sources(*order), classifier, start_up=600))
    for one, other in zip(elsewhere, here, strict=True):
        assert (one.path, one.text, one.reason, one.error) == (
            other.path,
            other.text,
            other.reason,
            other.error,
        )
        assert one.confidence == (
            None if other.confidence is None else pytest.approx(other.confidence, abs=1e-4)
        )


@pytest.mark.parametrize("runtime", ["LiteRT", "Keras"])
def test_few_pictures_and_those_for_tensorflow_start_no_other_process(
    monkeypatch: pytest.MonkeyPatch, runtime: str
) -> None:
    monkeypatch.setattr("digitcli.system.parallel.Workers", None)
    monkeypatch.setattr(FakeClassifier, "runtime", runtime)
    start_up = 60 if runtime == "LiteRT" else 0
    assert len(results(picture("a.png"), "gone.png", start_up=start_up)) == 2


def test_a_killed_process_is_the_error_of_its_pictures_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prediction, "_read_elsewhere", dying.die_of_b)
    monkeypatch.setattr(parallel, "cores", lambda: 1)
    monkeypatch.setattr(prediction, "FIRST_BATCH", 1)
    monkeypatch.setattr(prediction, "BATCH_SIZE", 1)
    read = results("a.png", "b.png", "c.png", start_up=0)
    assert [each.text for each in read] == ["1", None, "1"]
    assert read[1].error == "b.png: the process that was reading it was killed, perhaps for want of memory."


def test_a_process_that_does_not_come_back_is_ended_and_costs_its_picture_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(prediction, "_read_elsewhere", dying.die_of_b)
    monkeypatch.setattr(parallel, "cores", lambda: 1)
    read = results("a.png", "slow.png", "b.png", "c.png", start_up=0, time_limit=0.1)
    assert [each.text for each in read] == ["1", None, None, "1"]
    assert read[1].error == "slow.png takes longer than 0.1 s to read. Allow more with --time-limit SECONDS."
    assert read[2].error == "b.png: the process that was reading it was killed, perhaps for want of memory."


def endless_if_narrow(images: list[Image.Image], probabilities: Probabilities) -> list[One]:
    """read_one, but it does not come back from a picture that is 5 pixels wide."""
    while any(image.width == 5 for image in images):
        pass
    return read_one(images, probabilities)


@pytest.mark.parametrize("mode", ["auto", "single"])
def test_of_pictures_that_are_read_together_only_the_endless_one_is_given_up(
    mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction, "read_one", endless_if_narrow)
    Image.new("L", (5, 9), 255).save("narrow.png")
    words = picture("a.png"), "narrow.png", picture("b.png")
    first, narrow, last = results(*words, mode=mode, time_limit=0.2, start_up=60)
    assert narrow.error == "narrow.png takes longer than 0.2 s to read. Allow more with --time-limit SECONDS."
    assert (first.digit, last.digit) == (1, 1)


def trips(of: Any) -> None:
    """Reads no picture that is 5 pixels wide."""
    if any(image.width == 5 for image in (of if isinstance(of, list) else [of])):
        raise ValueError("empty box")


@pytest.mark.parametrize("mode", ["auto", "single", "many"])
@pytest.mark.parametrize("annotate", [None, Path("out")])
def test_a_fault_that_one_picture_brings_to_light_is_its_error_alone(
    mode: Mode, annotate: Path | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_many = many.read_many
    monkeypatch.setattr(prediction, "read_one", lambda *of: trips(of[0]) or read_one(*of))
    monkeypatch.setattr(many, "read_many", lambda *of: trips(of[0]) or read_many(*of))
    Image.new("L", (5, 9), 255).save("narrow.png")
    words = picture("a.png"), "narrow.png", picture("b.png")
    first, narrow, last = results(*words, mode=mode, annotate=annotate)
    assert narrow.error == (
        "narrow.png trips over a fault in digitcli (ValueError: empty box). Report it with the picture."
    )
    assert (first.text, last.text) == ("1", "1")


@pytest.mark.parametrize("mode", ["auto", "single", "many"])
@pytest.mark.parametrize("annotate", [None, Path("out")])
def test_a_picture_that_is_decoded_for_ever_is_given_up(mode: Mode, annotate: Path | None) -> None:
    Path("scans.jpg").write_bytes(bombs.jpeg_of_scans(4096, 10_000))
    words = "scans.jpg", picture("a.png")
    slow, good = results(*words, mode=mode, annotate=annotate, time_limit=0.2, start_up=60)
    assert slow.error == "scans.jpg takes longer than 0.2 s to read. Allow more with --time-limit SECONDS."
    assert good.text == "1"


def as_several(images: list[Image.Image], probabilities: Probabilities) -> list[One]:
    """read_one, if every picture seemed to hold several digits."""
    return [replace(one, several=True) for one in read_one(images, probabilities)]


def test_what_turns_out_to_be_several_digits_is_read_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prediction, "read_one", as_several)
    one, several = results(page("1", name="one.png"), page("171", "77"))
    assert (one.digit, one.text, one.lines) == (1, "1", ())
    assert (several.digit, several.text, several.probabilities) == (None, "171\n77", ())
    assert [len(line) for line in several.lines] == [3, 2]


def test_several_that_take_too_long_are_not_taken_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(*_: Any) -> None:
        while True:
            pass

    monkeypatch.setattr(prediction, "read_one", as_several)
    monkeypatch.setattr(many, "find_closely", endless)
    (result,) = results(page("171"), time_limit=0.2)
    assert result.error == "page.png takes longer than 0.2 s to read. Allow more with --time-limit SECONDS."


def test_single_reads_one_digit_whatever_else_is_there() -> None:
    (result,) = results(page("171"), mode="single")
    assert result.digit is not None
    assert result.lines == ()


def test_what_is_likely_no_digit_has_a_reason() -> None:
    (result,) = predict(sources(picture("a.png")), Doubting(0.15))
    assert result.text is None
    assert result.reason == "no digit"
    assert result.confidence == pytest.approx(0.6 * 0.15)
    assert len(result.likeliest(10)) == 10


def test_an_answer_of_low_confidence_is_uncertain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prediction, "UNCERTAIN", 0.5)
    (sure,) = predict(sources(picture("a.png")), Doubting(0.95))
    (unsure,) = predict(sources(picture("a.png")), Doubting(0.8))
    (none,) = predict(sources(picture("a.png")), Doubting(0.15))
    assert (sure.digit, unsure.digit) == (1, 1)
    assert (sure.uncertain, unsure.uncertain, none.uncertain) == (False, True, False)


def test_the_digits_of_a_page_are_transcribed_line_by_line() -> None:
    (result,) = transcribed(page("171", "77"))
    assert result.text == "171\n77"
    assert [[digit.digit for digit in line] for line in result.lines] == [[1, 7, 1], [7, 7]]
    assert result.lines[0][1].box == pytest.approx((100, 20, 40, 60), abs=2)
    assert result.lines[1][0].box == pytest.approx((20, 110, 40, 60), abs=2)


def as_numbers(*numbers: tuple[str, float]) -> Callable[..., list[Number]]:
    """What is read in every picture: texts, and how sure each is."""
    blank = np.zeros((28, 28), np.uint8)
    lines = [
        Number(tuple(Digit(int(digit), sure, (0, 0, 9, 9), blank) for digit in text), text, sure)
        for text, sure in numbers
    ]
    return lambda *_: lines


def test_a_text_is_as_sure_as_all_its_lines_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbers, "read_numbers", as_numbers(("17", 0.9), ("7", 0.8)))
    (result,) = transcribed(page("17", "7"))
    assert result.text == "17\n7"
    assert result.confidence == pytest.approx(0.72)
    assert result.uncertain


def test_a_text_below_the_least_confidence_is_not_told_but_its_digits_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(numbers, "read_numbers", as_numbers(("17", 0.6), ("7", 0.5)))
    (unsure,) = results(page("17", "7"), mode="many", min_confidence=0.4)
    assert unsure.text is None
    assert unsure.reason == "not sure enough (17 7 at 0.3000)"
    assert unsure.confidence == pytest.approx(0.3)
    assert [len(line) for line in unsure.lines] == [2, 1]
    (sure,) = results(page("17", "7"), mode="many", min_confidence=0.2)
    assert sure.text == "17\n7"


def test_signs_are_kept_beside_the_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    (number,) = as_numbers(("314", 0.9))()
    monkeypatch.setattr(numbers, "read_numbers", lambda *_: [replace(number, full="3.14")])
    (result,) = transcribed(page("17"))
    assert (result.text, result.full) == ("314", "3.14")
    assert result.has_signs


def test_where_nothing_looks_like_a_digit_there_is_none_whatever_the_classifier_would_say() -> None:
    image = Image.new("L", (200, 100), 255)
    image.paste(0, (30, 30, 70, 70))
    image.paste(0, (120, 30, 160, 70))
    image.save("squares.png")
    (result,) = transcribed("squares.png")
    assert result == Prediction("squares.png", reason="no digits")


def test_what_cannot_be_transcribed_says_why_and_the_rest_comes_in_order() -> None:
    Path("bad.png").write_bytes(b"no picture")
    Image.new("RGB", (200, 100), "white").save("blank.png")
    bad, good, blank = transcribed("bad.png", page("7"), "blank.png")
    assert bad.error == "bad.png is not a picture, or in a format that Pillow does not read."
    assert good.text == "7"
    assert blank == Prediction("blank.png", reason="no digits")


@pytest.mark.parametrize("mode", ["auto", "many"])
def test_boxes_are_in_pixels_of_large_photos_too(mode: Mode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prediction, "read_one", as_several)
    Image.open(page("17")).resize((3000, 1100)).save("photo.jpg")
    (result,) = results("photo.jpg", mode=mode)
    assert result.lines[0][1].box == pytest.approx((1000, 200, 400, 600), abs=20)


def test_pixels_are_transcribed_too() -> None:
    pixels = np.zeros((28, 28), np.uint8)
    pixels[4:24, 13:16] = 255
    (result,) = predict([Source("x[0]", pixels)], FakeClassifier(), mode="many")
    assert result.text == "1"


@pytest.mark.parametrize("mode", ["auto", "single", "many"])
def test_what_was_read_is_framed_on_a_copy_of_the_picture(mode: Mode) -> None:
    Image.open(page("7")).resize((3000, 1100)).save("photo.jpg")
    Image.new("L", (400, 400), 255).save("blank.png")
    list(results("photo.jpg", "blank.png", "gone.png", mode=mode, annotate=Path("out")))
    assert sorted(path.name for path in Path("out").iterdir()) == ["blank.png", "photo.jpg.png"]
    assert Image.open("out/blank.png").getextrema() == ((255, 255),) * 3
    copy = Image.open("out/photo.jpg.png")
    assert copy.size == (1500, 550)
    drawn = np.ptp(np.asarray(copy), axis=2) > 50  # in colour
    columns = np.flatnonzero(drawn.any(axis=0))
    rows = np.flatnonzero(drawn[:, 250:].any(axis=1))  # beside the label
    assert (columns[0], columns[-1], rows[0], rows[-1]) == pytest.approx((100, 300, 100, 400), abs=20)


def encoded(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@given(
    arrays(
        np.uint8, st.tuples(st.integers(1, 60), st.integers(1, 60)), elements=st.sampled_from([0, 90, 255])
    ),
    st.sampled_from(["auto", "single", "many"]),
    st.integers(0, 200) | st.none(),
)
@settings(max_examples=60, deadline=None)
def test_any_picture_gives_a_text_or_a_reason_or_an_error(
    pixels: np.ndarray, mode: Mode, cut: int | None
) -> None:
    (result,) = predict([Source("x", encoded(pixels)[:cut])], FakeClassifier(), mode=mode)
    assert [result.text, result.reason, result.error].count(None) == 2
    assert "fault" not in (result.error or "")
    assert (result.text is None) or set(result.text) <= set("0123456789\n")
    assert result.confidence is None or 0 <= result.confidence <= 1
