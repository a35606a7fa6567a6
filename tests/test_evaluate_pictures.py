"""`evaluate --pictures`: whole pictures scored, as predict reads them."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from digitcli.errors import DataError
from digitcli.evaluation.pictures import Labelled, Scored, Summary, distance, read_labels, risks
from digitcli.reading.prediction import Prediction
from digitcli.simulator.typefaces import faces

TEXTS = st.text("0123456789", max_size=8)
SCHEMA = Path(__file__).parents[1] / "docs" / "schemas" / "evaluate-pictures.json"


def scored(text: str, read: str | None, confidence: float = 0.99, **groups: str) -> Scored:
    return Scored(Labelled("x", "x", text, groups), Prediction("x", read, confidence))


@pytest.fixture
def labels() -> Path:
    """Six pictures, of which one is labelled wrongly, one is damaged, and two lie in an archive."""
    font = ImageFont.truetype(faces()[0], 60)
    Path("in").mkdir()
    for text in ("7", "3407", "58", "120", "6"):
        page = Image.new("L", (50 * len(text) + 40, 100), 255)
        ImageDraw.Draw(page).text((20, 15), text, 0, font)
        page.save(f"in/{text}.png")
    with zipfile.ZipFile("in/two.zip", "w") as archive:
        for text in ("120", "6"):
            archive.write(f"in/{text}.png", f"{text}.png")
    Path("in/bad.png").write_bytes(b"no picture")
    path = Path("in/labels.csv")
    path.write_text("path,text,pen\n7.png,7,a\n3407.png,34/07,a\n58.png,59,b\nbad.png,1,b\n")
    Path("in/packed.csv").write_text("archive,member,text\ntwo.zip,120.png,120\ntwo.zip,6.png,6\n")
    return path


def test_pictures_are_scored_as_a_whole_and_by_group(digitcli: Callable[..., Any], labels: Path) -> None:
    result = digitcli("evaluate", "--pictures", labels, "--json")
    assert result.exit_code == 1  # since one could not be read
    document = json.loads(result.stdout)
    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    (model,) = document["models"]
    assert (model["all"]["pictures"], model["all"]["right"], model["unreadable"]) == (4, 0.5, 1)
    assert model["all"]["silently_wrong"] == 0.25
    assert model["groups"]["pen"]["a"]["right"] == 1
    assert model["groups"]["pen"]["b"]["digit_errors"] == pytest.approx(2 / 3)


def test_pictures_in_archives_are_found(digitcli: Callable[..., Any], labels: Path) -> None:
    result = digitcli("evaluate", "--pictures", labels.with_name("packed.csv"), "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["models"][0]["all"]["right"] == 1


def test_a_pdf_of_one_page_is_a_picture(digitcli: Callable[..., Any], labels: Path) -> None:
    Image.open("in/7.png").save("in/seven.pdf")
    labels.write_text("path,text\nseven.pdf,7\n")
    assert (
        json.loads(digitcli("evaluate", "--pictures", labels, "--json").stdout)["models"][0]["all"]["right"]
        == 1
    )


def test_models_are_compared_on_whole_numbers(digitcli: Callable[..., Any], labels: Path) -> None:
    bundled = Path(__file__).parents[1] / "digitcli" / "assets" / "model.tflite"
    result = digitcli("evaluate", bundled, bundled, "--pictures", labels.with_name("packed.csv"), "--json")
    first, second = json.loads(result.stdout)["models"]
    assert first["against_first"] is None
    assert second["against_first"] == {"only_first": 0, "only_second": 0, "p": 1}


def test_each_model_has_its_row_though_two_are_the_same(digitcli: Callable[..., Any], labels: Path) -> None:
    bundled = str(Path(__file__).parents[1] / "digitcli" / "assets" / "model.tflite")
    result = digitcli("evaluate", bundled, bundled, bundled, "--pictures", labels.with_name("packed.csv"))
    figures, against = result.stdout.split("\n\n")
    assert figures.count(bundled) == 3
    assert against.count(bundled) == 2


def test_the_report_shows_what_was_misread(digitcli: Callable[..., Any], labels: Path) -> None:
    digitcli("evaluate", "--pictures", labels, "--report", "page")
    page = Path("page/report.html").read_text()
    assert 'alt="59, read as 58"' in page
    assert page.count("data:image/png") == 1
    assert "http" not in page


@pytest.mark.parametrize(
    ("content", "message"),
    [("path,label\nx.png,1\n", "no column text"), ("a,b\n1,2\n", "no column path"), ("", "no column")],
)
def test_a_file_without_the_columns_is_told(content: str, message: str) -> None:
    Path("labels.csv").write_text(content)
    with pytest.raises(DataError, match=message):
        read_labels(Path("labels.csv"))


def test_a_member_that_is_not_there_is_told(digitcli: Callable[..., Any], labels: Path) -> None:
    packed = labels.with_name("packed.csv")
    packed.write_text(packed.read_text() + "two.zip,absent.png,1\n")
    result = digitcli("evaluate", "--pictures", packed)
    assert result.exit_code == 1
    assert "absent.png is not in its archive" in result.stderr


def test_a_wrong_answer_is_silent_unless_it_is_marked_or_none() -> None:
    some = [
        scored("12", "12"),
        scored("12", "17"),
        scored("12", "17", 0.5),
        scored("12", None),
        scored("", "4"),
    ]
    summary = Summary.of(some)
    assert (summary.right, summary.silently_wrong, summary.no_answer) == (0.2, 0.4, 0.2)
    assert summary.digit_errors == 4 / 8


def test_risk_falls_as_the_unsure_are_refused() -> None:
    some = [scored("1", "1", 0.9), scored("1", "1", 0.8), scored("1", "7", 0.6), scored("1", "7", 0.5)]
    assert risks(some)[1.0] == 0.5
    assert risks(some)[0.5] == 0
    assert risks([scored("1", None)]) == {}


@given(TEXTS, TEXTS, TEXTS)
def test_the_distance_is_a_metric(one: str, other: str, third: str) -> None:
    assert distance(one, other) == distance(other, one)
    assert (distance(one, other) == 0) == (one == other)
    assert distance(one, third) <= distance(one, other) + distance(other, third)
    assert abs(len(one) - len(other)) <= distance(one, other) <= max(len(one), len(other))
