"""Learning from one's own pictures: kept by predict, corrected on a page, trained on."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from PIL import Image

from digitcli.data import formats, synthetic
from digitcli.data.digits import DataSet
from digitcli.data.load import load

Run = Callable[..., Any]
EXAMPLES = Path(__file__).parents[1] / "examples"
SCHEMA = Path(__file__).parents[1] / "docs" / "schemas" / "review.json"


@pytest.fixture
def mine(digitcli: Run) -> Path:
    """Three digits that were kept, and what the network took each for: 0, 7 and 9."""
    pictures = [EXAMPLES / f"{name}.png" for name in ("0-chalk", "7-screen", "9-neon")]
    assert digitcli("predict", *pictures, "--save-digits", "mine").exit_code == 0
    return Path("mine")


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def label(folder: Path, **labels: str) -> None:
    rows = [
        f"{number:0>6}.png,{label}" for number, label in ((key[1:], text) for key, text in labels.items())
    ]
    (folder / "labels.csv").write_text("\n".join(["file,label", *rows, ""]))


def test_predict_keeps_what_the_network_saw_with_its_guess(mine: Path) -> None:
    rows = table(mine / "digits.csv")
    assert [row["guess"] for row in rows] == ["0", "7", "9"]
    assert [Path(row["picture"]).name for row in rows] == ["0-chalk.png", "7-screen.png", "9-neon.png"]
    for row in rows:
        assert 0 < float(row["confidence"]) <= 1
        assert Image.open(mine / row["file"]).size == (28, 28)


def test_each_digit_of_a_number_is_kept(digitcli: Run) -> None:
    assert (
        digitcli("predict", EXAMPLES / "form" / "filled.jpg", "--many", "--save-digits", "all").exit_code == 0
    )
    rows = table(Path("all/digits.csv"))
    assert len(rows) > 10
    assert len(list(Path("all").glob("*.png"))) == len(rows)


def test_more_digits_are_added_and_nothing_else_is_touched(digitcli: Run, mine: Path) -> None:
    label(mine, f1="0")
    assert digitcli("predict", EXAMPLES / "0-chalk.png", "--save-digits", mine).exit_code == 0
    assert [row["file"] for row in table(mine / "digits.csv")][3:] == ["000004.png"]
    assert (mine / "labels.csv").exists()
    other = Path("other")
    other.mkdir()
    (other / "letter.txt").write_text("dear")
    result = digitcli("predict", EXAMPLES / "0-chalk.png", "--save-digits", other)
    assert result.exit_code == 1
    assert "other is a folder that holds other things" in result.stderr


def test_labels_decide_what_the_digits_are(mine: Path) -> None:
    label(mine, f1="6", f3="none")
    found = load(str(mine))
    assert found.train is not None
    assert found.others is not None
    assert found.train.labels.tolist() == [6]
    assert np.array_equal(found.train.images[0], np.asarray(Image.open(mine / "000001.png")))
    assert np.array_equal(found.others[0], np.asarray(Image.open(mine / "000003.png")))


def test_beside_many_digits_they_are_the_few(mine: Path) -> None:
    label(mine, f1="6", f2="7")
    many = synthetic.generate(30)
    formats.get("npz").write(
        DataSet(many.take(slice(20)), many.take(slice(20, 30)), "many"), Path("many.npz")
    )
    found = load(f"{mine}+many.npz")
    assert found.train is not None
    assert found.few is not None
    assert found.test is not None
    assert (len(found.train), found.few.labels.tolist(), len(found.test)) == (20, [6, 7], 10)


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (None, "mine holds digits without labels"),
        ("file,label\n", "mine holds digits without labels"),
        ("file,label\n000001.png,x\n", "line 2: x is neither 0-9 nor none"),
        ("file,label\n000009.png,1\n", "line 2: mine/digits.csv has no 000009.png"),
        ("file,label\n000001.png\n", "line 2: a value is missing"),
        ("name,label\n000001.png,1\n", "the columns file, label expected"),
        ("file,label\n000001.png,none\n", "has no digits"),
    ],
)
def test_labels_that_cannot_be_used_are_told(
    digitcli: Run, mine: Path, labels: str | None, told: str
) -> None:
    if labels is not None:
        (mine / "labels.csv").write_text(labels)
    result = digitcli("evaluate", "--data", mine)
    assert result.exit_code == 1
    assert told in result.stderr


def test_review_wants_what_predict_kept(digitcli: Run) -> None:
    Path("empty").mkdir()
    result = digitcli("review", "empty")
    assert result.exit_code == 1
    assert "empty is not what predict --save-digits kept" in result.stderr


@pytest.fixture
def page(digitcli: Run, chromium: Any, mine: Path) -> Iterator[Any]:
    """The page, open in a browser without network, in which it must make no error."""
    result = digitcli("review", mine, "--json")
    jsonschema.validate(json.loads(result.stdout), json.loads(SCHEMA.read_text()))
    assert json.loads(result.stdout) == {
        "schema": 1, "command": "review", "page": "mine/review.html", "digits": 3, "labelled": 0,
    }  # fmt: skip
    context = chromium.new_context(offline=True, accept_downloads=True)
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.goto((mine / "review.html").resolve().as_uri())
    yield opened
    context.close()
    assert errors == []


def shown(page: Any) -> str:
    """The picture that is shown."""
    text: str = page.locator("#picture").inner_text()
    return Path(text).name


def saved(page: Any) -> str:
    with page.expect_download() as download:
        page.keyboard.press("s")
    assert download.value.suggested_filename == "labels.csv"
    return Path(download.value.path()).read_text()


def test_keys_say_what_each_digit_is_the_least_sure_first(page: Any, mine: Path) -> None:
    rows = sorted(table(mine / "digits.csv"), key=lambda row: float(row["confidence"]))
    assert shown(page) == Path(rows[0]["picture"]).name
    page.keyboard.press("4")
    page.keyboard.press("Enter")
    page.keyboard.press("n")
    assert page.locator("#done").inner_text() == "3 of 3 labelled"
    labels = dict(zip((row["file"] for row in rows), ["4", rows[1]["guess"], "none"], strict=True))
    assert saved(page) == "\n".join(
        ["file,label", *(f"{name},{labels[name]}" for name in sorted(labels)), ""]
    )


def test_one_goes_back_and_takes_back(page: Any) -> None:
    first = shown(page)
    page.keyboard.press("1")
    page.keyboard.press("2")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert shown(page) == first
    page.keyboard.press("x")
    page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="no digit (n)").click()
    assert page.locator("#done").inner_text() == "1 of 3 labelled"
    assert saved(page).count("none") == 1


def test_nothing_is_lost_on_reload(page: Any) -> None:
    page.keyboard.press("5")
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    assert page.locator("#done").inner_text() == "1 of 3 labelled"
    assert saved(page).count(",5") == 1


def test_what_was_said_last_is_kept_however_often_the_page_is_reloaded(page: Any) -> None:
    page.on("dialog", lambda dialog: dialog.accept())
    page.keyboard.press("5")
    page.reload()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("7")
    saved(page)  # after which nothing asks whether to leave
    page.reload()
    assert page.locator("#done").inner_text() == "1 of 3 labelled"
    assert saved(page).count(",7") == 1


def test_the_page_begins_with_the_labels_that_are_there(digitcli: Run, mine: Path, chromium: Any) -> None:
    label(mine, f1="0", f2="7")
    digitcli("review", mine)
    opened = chromium.new_page()
    opened.goto((mine / "review.html").resolve().as_uri())
    assert opened.locator("#done").inner_text() == "2 of 3 labelled"
    assert shown(opened) == "9-neon.png"
    opened.close()


def test_what_is_corrected_on_the_page_is_learnt(digitcli: Run, page: Any, mine: Path, trained: Path) -> None:
    for _ in range(3):
        page.keyboard.press("Enter")
    (mine / "labels.csv").write_text(saved(page))
    many = synthetic.generate(600)
    parts = DataSet(many.take(slice(500)), many.take(slice(500, 600)), "many")
    formats.get("npz").write(parts, Path("many.npz"))
    result = digitcli(
        "train",
        "--from",
        trained,
        "--data",
        f"{mine}+many.npz",
        "--epochs",
        1,
        "--output",
        "better",
        "--json",
    )
    assert result.exit_code == 0, result.stderr
    record = json.loads(Path("better/run.json").read_text())
    assert record["config"]["start"] == str(trained)
    before = json.loads(digitcli("evaluate", trained, "--data", "many.npz", "--json").stdout)["accuracy"]
    assert json.loads(result.stdout)["test_accuracy"] >= before - 0.02


def test_a_model_that_is_no_run_cannot_be_gone_on_from(digitcli: Run, trained: Path) -> None:
    result = digitcli("train", "--from", trained / "model.tflite", "--data", "synthetic")
    assert result.exit_code == 1
    assert "is no run with a model.keras" in result.stderr


@pytest.mark.parametrize("option", [["--preset", "cnn"], ["--hidden", "8"], ["--ensemble", "2"]])
def test_another_network_contradicts_from(digitcli: Run, trained: Path, option: list[str]) -> None:
    result = digitcli("train", "--from", trained, *option)
    assert result.exit_code == 2
    assert "--from goes on with the network that is there" in result.stderr
