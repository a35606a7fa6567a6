from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from digitcli.errors import ImageError
from digitcli.prediction import Prediction, Source, expand, predict


class FakeClassifier:
    """Sees a 1 in what is tall and a 7 in all else, and remembers how many pictures it was given."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        self.batches.append(len(images))
        rows = np.full((len(images), 10), 0.0125, np.float32)
        narrow = (images > 0).any(axis=1).sum(axis=1) < 8
        rows[np.arange(len(images)), np.where(narrow, 1, 7)] = 0.6
        rows[:, 4] = 0.3
        return rows


def picture(path: Path | str, tall: bool = True) -> str:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("L", (40, 40), 255)
    ImageDraw.Draw(image).rectangle((18, 5, 21, 34) if tall else (8, 5, 31, 34), fill=0)
    image.save(path, "PNG")
    return str(path)


def names(*inputs: str, stdin: bytes = b"") -> list[str]:
    return [source.name for source in expand(inputs, io.BytesIO(stdin))]


def results(*inputs: str, stdin: bytes = b"", **options: float) -> list[Prediction]:
    return list(predict(expand(inputs, io.BytesIO(stdin)), FakeClassifier(), **options))


def test_files_are_read_in_the_order_they_are_named() -> None:
    paths = [picture("b.png"), picture("a.png", tall=False), picture("c.anything")]
    assert [(each.path, each.digit) for each in results(*paths)] == [
        ("b.png", 1),
        ("a.png", 7),
        ("c.anything", 1),
    ]


def test_a_folder_gives_its_pictures_sorted_and_its_subfolders_too() -> None:
    subfolders = [f"in/{letter}/c.bmp" for letter in "tpsrq"]
    for name in ["in/b.png", "in/a.JPG", *subfolders, "in/._b.png", "in/notes.txt", "in/model.h5"]:
        picture(name)
    assert names("in") == ["in/a.JPG", "in/b.png", *sorted(subfolders)]


def test_patterns_that_the_shell_left_alone_are_expanded() -> None:
    for name in ("in/b.png", "in/a.png", "in/c.bmp", "in/sub/d.png"):
        picture(name)
    assert names("in/*.png") == ["in/a.png", "in/b.png"]
    assert names("in/**/*.png") == ["in/a.png", "in/b.png", "in/sub/d.png"]
    assert names("in/s*") == ["in/sub/d.png"]
    assert names("in/**") == ["in/a.png", "in/b.png", "in/c.bmp", "in/sub/d.png"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file() -> None:
    picture("img[1].png")
    picture("img1.png")
    assert names("img[1].png") == ["img[1].png"]


def test_lines_of_stdin_are_paths() -> None:
    picture("in/a.png")
    picture("b c.png")
    assert names("-", stdin=b"b c.png\r\n\nin\nlast-line-without-newline.png") == [
        "b c.png",
        "in/a.png",
        "last-line-without-newline.png",
    ]


def test_short_lines_of_stdin_are_kept_apart() -> None:
    assert names("-", stdin=b"a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\n") == list("abcdefghijk")


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "ICO"])
def test_bytes_of_a_picture_on_stdin_are_one_picture(format: str) -> None:
    picture("a.png")
    data = io.BytesIO()
    Image.open("a.png").convert("RGB").save(data, format)
    assert [(each.path, each.digit) for each in results("-", stdin=data.getvalue())] == [("-", 1)]


@pytest.mark.parametrize("stdin", [b"", b"\n\n"])
def test_finding_no_picture_is_an_error(stdin: bytes) -> None:
    Path("empty").mkdir()
    with pytest.raises(ImageError, match="No pictures in empty, stdin"):
        names("empty", "-", stdin=stdin)


def test_what_cannot_be_read_has_its_error_and_the_rest_is_read() -> None:
    Path("bad.png").write_bytes(b"no picture")
    good, bad, gone, unmatched = results(picture("a.png"), "bad.png", "gone.png", "*.gif")
    assert good.digit == 1
    assert bad.error == "bad.png is not a picture, or in a format that Pillow does not read."
    assert gone.error == "gone.png: no such file."
    assert unmatched.error == "*.gif: no such file."
    assert bad.digit is None


def test_a_blank_picture_has_a_reason_and_no_error() -> None:
    Image.new("L", (30, 30), 255).save("blank.png")
    assert results("blank.png") == [Prediction("blank.png", reason="no ink")]


def test_the_likeliest_digits_come_first() -> None:
    (result,) = results(picture("a.png"), top_k=3)
    assert [digit for digit, _ in result.top] == [1, 4, 0]
    assert result.top[0] == (1, result.confidence) == (1, pytest.approx(0.6))


def test_below_the_least_confidence_there_is_no_digit() -> None:
    (result,) = results(picture("a.png"), min_confidence=0.7)
    assert result.digit is None
    assert result.confidence == pytest.approx(0.6)
    assert result.reason == "not sure enough (1 at 0.60)"


def test_pictures_are_classified_in_batches_and_come_out_in_order() -> None:
    order = [picture("tall.png"), "gone.png", picture("wide.png", tall=False)] * 7
    classifier = FakeClassifier()
    read = list(predict(expand(order, io.BytesIO()), classifier, batch_size=6))
    assert [each.path for each in read] == order
    assert [each.digit for each in read] == [1, None, 7] * 7
    assert classifier.batches == [4, 4, 4, 2]


def test_no_more_than_a_batch_is_read_ahead() -> None:
    asked = 0

    def endless() -> Iterator[Source]:
        nonlocal asked
        while True:
            asked += 1
            yield Source("a.png", Path("a.png"))

    picture("a.png")
    stream = predict(endless(), FakeClassifier(), batch_size=4)
    for _ in range(6):
        assert next(stream).digit == 1
    assert asked == 8
