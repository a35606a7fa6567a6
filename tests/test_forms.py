"""Forms: sheets laid on their blank, and their fields read each for itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import jsonschema
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from digitcli.data import synthetic
from digitcli.errors import UsageError
from digitcli.images.registration import Blank
from digitcli.reading import forms
from digitcli.reading.draft import draft
from digitcli.reading.forms import read_form, region
from digitcli.reading.numbers import Number
from digitcli.simulator.typefaces import faces

CELL = 60
FIELDS = {"customer": (150, 7), "code": (265, 5), "day": (380, 2)}
FIRST = "[[field]]\nname='a'\nbox=[0,0,9,9]"
SCHEMA = Path(__file__).parents[1] / "docs" / "schemas" / "predict.json"


def sheet(words: list[str]) -> Image.Image:
    """A blank with a title, words beside rows of cells, and a line below."""
    page = Image.new("L", (900, 560), 252)
    draw = ImageDraw.Draw(page)
    large, small = (ImageFont.truetype(faces()[0], size) for size in (34, 20))
    draw.text((60, 40), words[0], 0, large)
    draw.text((60, 500), words[-1], 0, small)
    for word, (top, count) in zip(words[1:], FIELDS.values(), strict=False):
        draw.text((60, top + 20), word, 0, small)
        for column in range(count):
            left = 330 + column * CELL
            draw.rectangle((left, top, left + CELL, top + 70), outline=60, width=2)
    return page


BLANK = sheet(["Delivery note", "Customer number", "Postal code", "Day", "One digit in each cell, please."])
OTHER = sheet(["Meter reading", "Household", "Water", "Gas", "Send this before the first of the month."])


def filled() -> tuple[Image.Image, dict[str, str]]:
    """The blank with a digit in each cell, and what they are."""
    digits = synthetic.generate(100, seed=2)
    page, truth, which = BLANK.copy(), {}, iter(range(100))
    for name, (top, count) in FIELDS.items():
        some = [next(which) for _ in range(count)]
        truth[name] = "".join(str(digits.labels[each]) for each in some)
        for column, each in enumerate(some):
            digit = Image.fromarray(255 - digits.images[each]).resize((52, 52))
            page.paste(digit, (334 + column * CELL, top + 9))
    return page, truth


def photographed(page: Image.Image, seed: int) -> Image.Image:
    """Turned by up to ten degrees, from one side, up to a third smaller or larger, in lamp light."""
    rng = np.random.default_rng(seed)
    turn, scale = np.radians(rng.uniform(-10, 10)), rng.uniform(0.75, 1.3)
    corners = np.array([(0, 0), (page.width, 0), page.size, (0, page.height)], np.float32)
    turned = (corners - corners.mean(axis=0)) @ np.array(
        [(np.cos(turn), np.sin(turn)), (-np.sin(turn), np.cos(turn))]
    )
    seen = scale * turned + rng.uniform(-25, 25, (4, 2))
    seen -= seen.min(axis=0) - 30
    size = (np.ceil(seen.max(axis=0)) + 30).astype(int)
    way = cv2.getPerspectiveTransform(corners, seen.astype(np.float32))
    pixels = cv2.warpPerspective(np.asarray(page), way, (int(size[0]), int(size[1])), borderValue=(110,))
    light = np.linspace(0.65, 1, pixels.shape[1]) * np.linspace(1, 0.85, pixels.shape[0])[:, None]
    return Image.fromarray((pixels * light).clip(0, 255).astype(np.uint8))


@pytest.fixture
def form() -> Path:
    BLANK.save("blank.png")
    tables = [
        f'[[field]]\nname = "{name}"\nbox = [325, {top - 5}, {count * CELL + 10}, 82]\nlength = {count}\n'
        for name, (top, count) in FIELDS.items()
    ]
    Path("form.toml").write_text('blank = "blank.png"\n\n' + "\n".join(tables))
    return Path("form.toml")


@pytest.mark.parametrize("seed", range(8))
def test_a_photographed_sheet_is_laid_where_the_blank_lies(seed: int) -> None:
    page, _ = filled()
    laid = Blank(BLANK).laid(photographed(page, seed))
    assert laid is not None
    for box in ((0, 0, *BLANK.size), (325, 260, 635, 342)):
        before, after = (
            np.asarray(each.convert("L").reduce(4), float) for each in (page.crop(box), laid.part(box))
        )
        assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.6


@pytest.mark.parametrize(
    "other", [OTHER, Image.new("L", (800, 600), 200), Image.effect_noise((800, 600), 90)]
)
def test_another_sheet_is_refused(other: Image.Image) -> None:
    assert Blank(BLANK).laid(other) is None


def test_each_field_has_its_columns(digitcli: Callable[..., Any], form: Path) -> None:
    page, truth = filled()
    photographed(page, 3).save("photo.png")
    OTHER.save("other.png")
    result = digitcli("predict", "photo.png", "other.png", "--form", form, "--format", "csv")
    assert result.exit_code == 1  # since one does not fit
    header, row, refused = (line.split(",") for line in result.stdout.splitlines())
    assert header == ["path", *(each for name in FIELDS for each in (name, f"{name}_confidence")), "note"]
    assert dict(zip(FIELDS, row[1:-1:2], strict=True)) == truth
    assert refused[1:7] == [""] * 6
    assert "does not fit the form" in refused[-1]


def test_the_document_has_the_fields_by_their_names(digitcli: Callable[..., Any], form: Path) -> None:
    page, truth = filled()
    page.save("page.png")
    document = json.loads(digitcli("predict", "page.png", "--form", form, "--json").stdout)
    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    (result,) = document["results"]
    assert {name: field["text"] for name, field in result["fields"].items()} == truth


def test_an_empty_field_says_why_it_has_no_text(digitcli: Callable[..., Any], form: Path) -> None:
    BLANK.save("page.png")
    row = digitcli("predict", "page.png", "--form", form, "--format", "csv").stdout.splitlines()[1]
    assert row.split(",")[1] == ""
    assert "customer: " in row


@pytest.mark.parametrize(("confidence", "marked"), [(0.985, True), (0.995, False)])
def test_a_field_is_marked_unless_it_is_very_sure(
    confidence: float, marked: bool, digitcli: Callable[..., Any], form: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    BLANK.save("page.png")
    number = Number((), "12", confidence)
    monkeypatch.setattr(forms, "read_numbers", lambda part, probabilities, expect: [number])
    result = digitcli("predict", "page.png", "--form", form, "--json")
    (read,) = json.loads(result.stdout)["results"]
    assert {field["uncertain"] for field in read["fields"].values()} == {read["uncertain"]} == {marked}


def test_a_field_less_sure_than_asked_for_has_no_text(digitcli: Callable[..., Any], form: Path) -> None:
    page, truth = filled()
    page.save("page.png")

    def fields(*words: object) -> dict[str, Any]:
        document = json.loads(digitcli("predict", "page.png", "--form", form, "--json", *words).stdout)
        return dict(document["results"][0]["fields"])

    read = fields()
    least, asked_for = sorted(field["confidence"] for field in read.values())[:2]
    (doubtful,) = (name for name in read if read[name]["confidence"] == least)
    reason = f"not sure enough ({truth[doubtful]} at {least:.4f})"
    read[doubtful] |= {"text": None, "full": None, "uncertain": False, "reason": reason}
    assert fields("--min-confidence", asked_for) == read


def test_regions_in_pixels_or_per_cent_need_no_file(digitcli: Callable[..., Any]) -> None:
    page, truth = filled()
    page.save("page.png")
    regions = ["--region", "code=325,260,310,82", "--region", "day=36%,66.5%,15%,15%"]
    row = digitcli("predict", "page.png", *regions, "--format", "csv").stdout.splitlines()[1].split(",")
    assert (row[1], row[3]) == (truth["code"], truth["day"])


def test_a_form_goes_into_parquet(digitcli: Callable[..., Any], form: Path) -> None:
    from pyarrow import parquet

    page, truth = filled()
    page.save("page.png")
    assert digitcli("predict", "page.png", "--form", form, "--output", "read.parquet").exit_code == 0
    (row,) = parquet.read_table("read.parquet").to_pylist()
    assert row["fields"]["code"]["text"] == truth["code"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "has no [[field]]"),
        ("blank = 'absent.png'\n[[field]]\nname='a'\nbox=[0,0,9,9]", "no blank at"),
        (
            "[[field]]\nname='a'\nbox=[0,0,9,9]\n[[field]]\nname='b c'\nbox=[0,0,9,9]",
            "line 4: a field's name",
        ),
        ("[[field]]\nname='a'\nbox=[0,0,9]", "line 1: the box of 'a'"),
        ("[[field]]\nname='a'\nbox=[0,0,9,0]", "is empty"),
        ("[[field]]\nname='a'\nbox=[0,0,'wide',9]", "neither pixels nor per cent"),
        ("[[field]]\nname='a'\nbox=[0,0,9,9]\nlenght=5", "has no 'lenght'"),
        ("[[field]]\nname='a'\nbox=[0,0,9,9]\nlength=0", "length"),
        (
            "[[field]]\nname='a'\nbox=[0,0,9,9]\n[[field]]\nname='a'\nbox=[0,0,9,9]",
            "Two fields are called 'a'",
        ),
        ("fields = 1", "has no 'fields'"),
        ("[[field]", "cannot be read as a form"),
    ],
)
def test_mistakes_in_a_form_are_told_with_their_line(content: str, message: str) -> None:
    Path("form.toml").write_text(content)
    with pytest.raises(UsageError) as told:
        read_form(Path("form.toml"))
    assert message in str(told.value)


@pytest.mark.parametrize("text", ["1,2,3", "a=1,2,3,x", "a b=1,2,3,4", "a=-1,2,3,4"])
def test_what_is_no_region_is_wrong_usage(text: str) -> None:
    with pytest.raises(UsageError):
        region(text)


def test_a_region_outside_of_the_picture_says_so(digitcli: Callable[..., Any]) -> None:
    BLANK.save("page.png")
    row = digitcli("predict", "page.png", "--region", "a=5000,1,50,50", "--format", "csv").stdout
    assert "a: outside the picture" in row


def test_the_rows_of_cells_on_a_blank_are_found() -> None:
    found = draft(BLANK)
    assert [each.cells for each in found] == [count for _, count in FIELDS.values()]
    for each, (top, count) in zip(found, FIELDS.values(), strict=True):
        assert np.abs(np.array(each.box) - (330, top, count * CELL, 70)).max() <= 4


def test_a_wide_box_is_one_field_and_a_frame_round_several_is_none() -> None:
    page = Image.new("L", (800, 600), 255)
    draw = ImageDraw.Draw(page)
    draw.rectangle((20, 20, 780, 580), outline=0, width=3)
    draw.rectangle((100, 100, 500, 160), outline=0, width=3)
    (found,) = draft(page)
    assert found.cells == 1


def test_a_drafted_form_reads_what_is_filled_in(digitcli: Callable[..., Any]) -> None:
    page, truth = filled()
    page.save("page.png")
    Path("in").mkdir()
    BLANK.save("in/blank.png")
    result = digitcli("form", "draft", "in/blank.png", "--output", "form.toml", "--json")
    assert result.exit_code == 0
    jsonschema.validate(
        json.loads(result.stdout), json.loads(SCHEMA.with_name("form-draft.json").read_text())
    )
    assert Path("form-fields.png").exists()
    row = digitcli("predict", "page.png", "--form", "form.toml", "--format", "csv").stdout.splitlines()[1]
    assert row.split(",")[1:-1:2] == list(truth.values())
    again = digitcli("form", "draft", "in/blank.png", "--output", "form.toml")
    assert again.exit_code == 1
    assert "exists already" in again.stderr


def test_a_blank_may_be_called_anything(digitcli: Callable[..., Any]) -> None:
    BLANK.save('a "blank".png')
    assert digitcli("form", "draft", 'a "blank".png', "--output", "form.toml").exit_code == 0
    assert read_form(Path("form.toml")).blank == Path('a "blank".png')


@pytest.mark.parametrize("option", [["--single"], ["--top-k", "2"], ["--show"]])
def test_what_a_form_does_not_heed_is_wrong_usage(digitcli: Callable[..., Any], option: list[str]) -> None:
    result = digitcli("predict", "page.png", "--region", "a=1,1,9,9", *option)
    assert result.exit_code == 2
    assert "--form and --region go without" in result.stderr


def test_a_blank_without_boxes_is_told(digitcli: Callable[..., Any]) -> None:
    Image.new("L", (300, 200), 255).save("blank.png")
    assert "no boxes were found" in digitcli("form", "draft", "blank.png").stderr
    assert not Path("blank.toml").exists()


def test_the_example_is_read(digitcli: Callable[..., Any]) -> None:
    folder = Path(__file__).parents[1] / "examples" / "form"
    result = digitcli("predict", folder / "filled.jpg", "--form", folder / "form.toml", "--format", "csv")
    assert result.stdout.splitlines()[1].split(",")[1:-1:2] == ["8061975", "04103", "120", "27"]
