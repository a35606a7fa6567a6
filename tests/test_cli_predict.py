from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bombs
import measured
import numpy as np
import pytest
from PIL import Image, ImageDraw
from test_json_docs import schema

from digitcli import runs
from digitcli.classifiers import trial
from digitcli.commands import predict_results
from digitcli.commands.predict_results import print_results
from digitcli.data import synthetic
from digitcli.output import Output
from digitcli.reading.prediction import Prediction
from digitcli.results.formats import Format
from digitcli.results.layout import Layout
from digitcli.sources import parquet

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A .tflite of the user's: what it reads is of no matter here."""
    return Path(shutil.copy(runs.BUNDLED, tmp_path_factory.mktemp("model") / "m.tflite"))


@pytest.fixture
def pictures() -> None:
    """one.png, seven.jpg and blank.png in the current folder, which is empty otherwise."""
    for name, line in (("one.png", [(20, 5), (20, 35)]), ("seven.jpg", [(8, 5), (32, 5), (18, 35)])):
        image = Image.new("L", (40, 40), 255)
        ImageDraw.Draw(image).line(line, fill=0, width=4)
        image.save(name)
    Image.new("L", (40, 40), 255).save("blank.png")


@pytest.fixture
def broken(pictures: None) -> str:
    Path("broken.png").write_bytes(Path("one.png").read_bytes()[:60])
    return "broken.png"


def rows(text: str) -> list[list[str]]:
    return [line.split("\t") for line in text.splitlines()]


@pytest.mark.usefixtures("pictures")
def test_piped_results_are_tab_separated_with_a_header(digitcli: Run, model: Path) -> None:
    result = digitcli("predict", "one.png", "seven.jpg", "--model", model)
    assert result.exit_code == 0
    header, one, seven = rows(result.stdout)
    assert header == ["path", "digit", "confidence", "note"]
    assert (one[0], seven[0]) == ("one.png", "seven.jpg")
    assert one[1] in "0123456789"
    assert 0 < float(one[2]) <= 1


@pytest.mark.usefixtures("pictures")
def test_the_model_used_is_said_on_stderr(digitcli: Run, model: Path) -> None:
    assert f"Model: {model}, through LiteRT." in digitcli("predict", "one.png", "-m", model).stderr
    assert digitcli("predict", "one.png", "-m", model, "--quiet").stderr == ""


@pytest.mark.usefixtures("pictures")
def test_plain_has_no_header(digitcli: Run, model: Path) -> None:
    result = digitcli("predict", "one.png", "-m", model, "--format", "plain")
    assert [row[0] for row in rows(result.stdout)] == ["one.png"]


def test_csv_quotes_what_needs_it(digitcli: Run, model: Path, pictures: None) -> None:
    Path("one.png").rename('a, "b".png')
    result = digitcli("predict", 'a, "b".png', "-m", model, "--format", "csv", "--top-k", 2)
    header, row = csv.reader(io.StringIO(result.stdout))
    assert header == ["path", "digit", "confidence", "top", "note"]
    assert row[0] == 'a, "b".png'
    first, second = row[3].split(" ")
    assert first.startswith(f"{row[1]}:")
    assert float(second.split(":")[1]) <= float(row[2])


def test_views_are_averaged(digitcli: Run, model: Path, pictures: None) -> None:
    one, four = (
        json.loads(digitcli("predict", "one.png", "-m", model, "--json", *words).stdout)["results"][0]
        for words in ([], ["--views", "4"])
    )
    assert four["confidence"] != one["confidence"]


@pytest.mark.parametrize("words", [["--json"], ["--format", "json"]])
def test_json_is_one_document(digitcli: Run, model: Path, broken: str, words: list[str]) -> None:
    result = digitcli("predict", "one.png", broken, "blank.png", "-m", model, "-k", 2, *words)
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    one = document["results"][0]
    assert document == {
        "schema": 1,
        "command": "predict",
        "model": {"path": str(model), "runtime": "LiteRT"},
        "results": [
            {
                "path": "one.png",
                "digit": one["top"][0]["digit"],
                "text": str(one["top"][0]["digit"]),
                "full": str(one["top"][0]["digit"]),
                "confidence": one["top"][0]["probability"],
                "uncertain": one["confidence"] < 0.8,
                "top": one["top"],
                "digits": [],
                "reason": None,
                "error": None,
            },
            {
                "path": "broken.png",
                "digit": None,
                "text": None,
                "full": None,
                "confidence": None,
                "uncertain": False,
                "top": [],
                "digits": [],
                "reason": None,
                "error": document["results"][1]["error"],
            },
            {
                "path": "blank.png",
                "digit": None,
                "text": None,
                "full": None,
                "confidence": None,
                "uncertain": False,
                "top": [],
                "digits": [],
                "reason": "no ink",
                "error": None,
            },
        ],
    }
    assert len(one["top"]) == 2
    assert "broken.png is damaged" in document["results"][1]["error"]


@pytest.mark.usefixtures("pictures")
def test_jsonl_has_one_object_per_line(digitcli: Run, model: Path) -> None:
    result = digitcli("predict", ".", "-m", model, "--format", "jsonl")
    read = [json.loads(line) for line in result.stdout.splitlines()]
    assert [each["path"] for each in read] == ["./blank.png", "./one.png", "./seven.jpg"]


def test_a_broken_picture_fails_at_the_end_and_the_others_are_read(
    digitcli: Run, model: Path, broken: str
) -> None:
    result = digitcli("predict", broken, "one.png", "gone.png", "-m", model)
    assert result.exit_code == 1
    _, first, second, third = rows(result.stdout)
    assert first[1] == ""
    assert "damaged" in first[3]
    assert second[1] != ""
    assert third[3] == "gone.png: no such file."
    assert "2 of 3 pictures could not be read" in result.stderr


@pytest.mark.usefixtures("pictures")
def test_a_blank_picture_is_no_failure(digitcli: Run, model: Path) -> None:
    result = digitcli("predict", "blank.png", "-m", model)
    assert result.exit_code == 0
    assert rows(result.stdout)[1] == ["blank.png", "", "", "no ink"]


@pytest.mark.usefixtures("pictures")
def test_an_unsure_model_gives_no_digit(digitcli: Run, model: Path) -> None:
    result = digitcli("predict", "one.png", "-m", model, "--min-confidence", 1)
    assert result.exit_code == 0
    _, row = rows(result.stdout)
    assert row[1] == ""
    assert row[3].startswith("not sure enough (")


@pytest.mark.usefixtures("pictures")
def test_stdin_takes_paths_or_a_picture(digitcli: Run, model: Path) -> None:
    listed = digitcli("predict", "-", "-m", model, input="one.png\nseven.jpg\n")
    assert [row[0] for row in rows(listed.stdout)] == ["path", "one.png", "seven.jpg"]
    piped = digitcli("predict", "-", "-m", model, input=Path("one.png").read_bytes())
    assert rows(piped.stdout)[1][0] == "-"
    assert rows(piped.stdout)[1][1:] == rows(listed.stdout)[1][1:]


def test_a_folder_without_pictures_is_an_error(digitcli: Run, model: Path) -> None:
    Path("empty").mkdir()
    result = digitcli("predict", "empty", "-m", model, "--json")
    assert result.exit_code == 1
    assert "No pictures in empty" in result.stderr
    assert json.loads(result.stdout)["error"]["kind"] == "ImageError"


@pytest.mark.usefixtures("pictures")
def test_archives_and_arrays_are_read_like_folders(digitcli: Run, model: Path) -> None:
    with zipfile.ZipFile("in.zip", "w") as archive:
        archive.write("one.png", "inner/one.png")
        archive.writestr("inner/bad.png", b"no picture")
    np.save("rows.npy", np.asarray(Image.open("one.png").resize((28, 28)))[None])
    result = digitcli("predict", "one.png", "in.zip", "rows.npy", "-m", model)
    assert result.exit_code == 1
    _, file, member, bad, row = rows(result.stdout)
    assert [member[0], bad[0], row[0]] == ["in.zip/inner/one.png", "in.zip/inner/bad.png", "rows.npy[0]"]
    assert member[1:] == file[1:]
    assert "in.zip/inner/bad.png is not a picture" in bad[3]
    assert row[1] != ""


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "json", "plain"])
def test_a_file_gets_what_would_be_printed(digitcli: Run, model: Path, broken: str, suffix: str) -> None:
    printed = digitcli("predict", "one.png", broken, "-m", model, "-f", suffix)
    result = digitcli("predict", "one.png", broken, "-m", model, "--output", f"out.{suffix}")
    assert result.exit_code == printed.exit_code == 1
    assert result.stdout == ""
    assert Path(f"out.{suffix}").read_text(encoding="utf-8") == printed.stdout


@pytest.mark.usefixtures("pictures")
def test_a_file_is_overwritten_only_by_force(digitcli: Run, model: Path) -> None:
    Path("out.csv").write_text("precious")
    assert digitcli("predict", "one.png", "-m", model, "-o", "out.csv").exit_code == 1
    assert Path("out.csv").read_text() == "precious"
    assert digitcli("predict", "one.png", "-m", model, "-o", "out.csv", "--force").exit_code == 0
    assert "one.png" in Path("out.csv").read_text()


def test_a_failure_leaves_no_file_behind(digitcli: Run, model: Path) -> None:
    Path("empty").mkdir()
    assert digitcli("predict", "empty", "-m", model, "-o", "out.csv").exit_code == 1
    assert [path.name for path in Path().iterdir()] == ["empty"]


def test_parquet_holds_what_json_holds(digitcli: Run, model: Path, broken: str) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    words = ["predict", "one.png", broken, "blank.png", "-m", model, "-k", 3]
    assert digitcli(*words, "--output", "out.parquet").exit_code == 1
    expected = json.loads(digitcli(*words, "--json").stdout)["results"]
    assert parquet.read_table("out.parquet").to_pylist() == expected


@pytest.mark.usefixtures("pictures")
def test_without_pyarrow_parquet_says_how_to_get_it(
    digitcli: Run, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "find_spec", lambda name: None)
    result = digitcli("predict", "one.png", "-m", model, "-o", "out.parquet")
    assert result.exit_code == 1
    assert "pip install 'digitcli[parquet]'" in result.stderr


@pytest.mark.usefixtures("pictures")
def test_show_draws_on_a_terminal_and_is_plain_elsewhere(
    digitcli: Run, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = digitcli("predict", "one.png", "blank.png", "-m", model)
    assert digitcli("predict", "one.png", "blank.png", "-m", model, "--show").stdout == plain.stdout
    monkeypatch.setenv("FORCE_COLOR", "1")  # to be taken for a terminal
    monkeypatch.setenv("NO_COLOR", "1")
    drawn = digitcli("predict", "one.png", "blank.png", "-m", model, "--show").stdout
    assert "▀" in drawn or "█" in drawn
    assert "blank.png  no ink" in re.sub(r"\x1b\[[\d;]*m", "", drawn)


def test_show_draws_each_of_several_digits(
    digitcli: Run, number: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    drawn = digitcli("predict", "--many", "number.png", "-m", runs.BUNDLED, "--show").stdout
    lines = re.sub(r"\x1b\[[\d;]*m", "", drawn).splitlines()
    assert lines[0].startswith("number.png  31 74")
    captions = [re.findall(r"(\d)  \d+%", line) for line in lines]
    assert [digits for digits in captions if digits] == [["3", "1"], ["7", "4"]]


@pytest.mark.parametrize("format", [None, *(each for each in Format if each is not Format.PARQUET)])
def test_results_are_printed_while_others_are_still_being_read(
    format: Format | None, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = []

    def results() -> Iterator[Prediction]:
        for number in range(3):
            printed.append(capsys.readouterr().out)
            yield Prediction(f"{number}.png", str(number), 0.9)

    print_results(results(), format, Layout("auto"), {}, Output("predict"))
    assert "0.png" in printed[1]
    assert "1.png" in printed[2]


def test_long_tables_are_drawn_in_parts(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(predict_results, "TABLE_ROWS", 2)
    results = [Prediction(f"{number}.png", str(number), 0.9) for number in range(5)]
    print_results(results, None, Layout("auto"), {}, Output("predict"))
    drawn = capsys.readouterr().out
    assert drawn.count("confidence") == 3
    assert [drawn.count(f"{number}.png") for number in range(5)] == [1] * 5


def test_bad_files_among_good_ones_each_have_their_reason(digitcli: Run, model: Path, broken: str) -> None:
    Path("in").mkdir()
    Path("one.png").rename("in/a.png")
    Path(broken).rename("in/truncated.png")
    Path("in/empty.png").touch()
    Path("in/text.jpg").write_text("no picture")
    Path("in/huge.ppm").write_bytes(b"P6 50000 50000 255\n")
    frames = [Image.new("L", (28, 28), grey) for grey in range(200)]
    Image.open("in/a.png").save("in/endless.gif", save_all=True, append_images=frames, loop=0)
    result = digitcli("predict", "in", "-m", model, "--json")
    assert result.exit_code == 1
    read = {Path(each["path"]).name: each for each in json.loads(result.stdout)["results"]}
    assert read["a.png"]["digit"] == read["endless.gif"]["digit"] is not None
    assert "is damaged" in read["truncated.png"]["error"]
    assert "is empty" in read["empty.png"]["error"]
    assert "is not a picture" in read["text.jpg"]["error"]
    assert "is too large" in read["huge.ppm"]["error"]


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["a.png", "--format", "parquet"],
        ["a.png", "--output", "digits.txt"],
        ["a.png", "--show", "--format", "csv"],
        ["a.png", "--format", "xml"],
        ["a.png", "--top-k", "11"],
        ["a.png", "--min-confidence", "1.5"],
        ["a.png", "--json", "--format", "csv"],
        ["a.png", "--many", "--top-k", "2"],
        ["a.png", "--many", "--single"],
        ["a.png", "--annotate", "copy.txt"],
        ["a.png", "b.png", "--annotate", "copy.png"],
    ],
)
def test_wrong_usage_has_exit_code_2(digitcli: Run, words: list[str]) -> None:
    assert digitcli("predict", *words).exit_code == 2


@pytest.fixture
def number() -> list[list[int]]:
    """number.png, 31 above 74, drawn; returns the four boxes that the digits were drawn in."""
    digits = synthetic.generate(40, seed=5)
    image = Image.new("L", (240, 260), 255)
    boxes = []
    for digit, (left, top) in zip((3, 1, 7, 4), ((20, 20), (130, 20), (20, 150), (130, 150)), strict=True):
        pixels = digits.images[np.flatnonzero(digits.labels == digit)[0]]
        drawn = Image.fromarray(255 - pixels).resize((84, 84))
        image.paste(drawn, (left, top))
        boxes.append([left, top, 84, 84])
    image.save("number.png")
    return boxes


def test_many_reads_all_digits_line_by_line(digitcli: Run, number: list[list[int]]) -> None:
    result = digitcli("predict", "--many", "number.png", "-m", runs.BUNDLED)
    assert result.exit_code == 0
    header, row = rows(result.stdout)
    assert header == ["path", "text", "confidence", "note"]
    assert row[:2] == ["number.png", "31 74"]
    assert 0.5 < float(row[2]) <= 1
    plain = digitcli("predict", "-M", "number.png", "-m", runs.BUNDLED, "--format", "plain")
    assert rows(plain.stdout) == [row]
    written = digitcli("predict", "-M", "number.png", "-m", runs.BUNDLED, "--format", "csv")
    assert list(csv.reader(io.StringIO(written.stdout))) == [header, row]


def test_many_as_json_has_the_place_of_each_digit(digitcli: Run, number: list[list[int]]) -> None:
    words = ["predict", "--many", "number.png", "-m", runs.BUNDLED]
    (read,) = json.loads(digitcli(*words, "--json").stdout)["results"]
    assert read["text"] == "31\n74"
    result = schema("predict")["properties"]["results"]["items"]
    assert set(read) == set(result["properties"]) - {"digit", "top", "fields"}
    assert [digit["digit"] for digit in read["digits"]] == [3, 1, 7, 4]
    assert 0.9 < read["confidence"] <= min(digit["confidence"] for digit in read["digits"]) <= 1
    for digit, (left, top, width, height) in zip(read["digits"], number, strict=True):
        x, y, w, h = digit["box"]
        assert left <= x < x + w <= left + width
        assert top <= y < y + h <= top + height
        assert h > 0.5 * height
    assert json.loads(digitcli(*words, "--format", "jsonl").stdout) == read


def test_many_tells_blank_and_broken_pictures_apart(
    digitcli: Run, broken: str, number: list[list[int]]
) -> None:
    words = ["predict", "--many", broken, "number.png", "blank.png", "-m", runs.BUNDLED]
    result = digitcli(*words)
    assert result.exit_code == 1
    _, bad, good, blank = rows(result.stdout)
    assert bad[1:3] == blank[1:3] == ["", ""]
    assert "broken.png is damaged" in bad[3]
    assert good[1] == "31 74"
    assert blank[3] == "no digits"
    assert "1 of 3 pictures could not be read" in result.stderr
    failed, _, empty = json.loads(digitcli(*words, "--json").stdout)["results"]
    assert failed["digits"] == empty["digits"] == []
    assert failed["text"] is empty["text"] is None


def test_many_gives_no_text_below_the_least_confidence(digitcli: Run, number: list[list[int]]) -> None:
    result = digitcli("predict", "-M", "number.png", "-m", runs.BUNDLED, "--min-confidence", "1")
    assert result.exit_code == 0
    _, row = rows(result.stdout)
    assert row[1] == ""
    assert row[3].startswith("not sure enough (31 74 at ")


def test_many_as_parquet_holds_what_json_holds(digitcli: Run, broken: str, number: list[list[int]]) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    words = ["predict", "--many", "number.png", broken, "blank.png", "-m", runs.BUNDLED]
    assert digitcli(*words, "--output", "out.parquet").exit_code == 1
    expected = json.loads(digitcli(*words, "--json").stdout)["results"]
    assert parquet.read_table("out.parquet").to_pylist() == expected


def test_annotate_draws_what_was_read_to_a_file(digitcli: Run, number: list[list[int]]) -> None:
    words = ["predict", "--many", "number.png", "-m", runs.BUNDLED, "--annotate", "read.png"]
    assert digitcli(*words).exit_code == 0
    before, after = np.asarray(Image.open("number.png").convert("RGB")), np.asarray(Image.open("read.png"))
    assert (np.asarray(Image.open("read.png")) != 255).sum() > (before != 255).sum()
    assert after.shape[0] >= before.shape[0]
    again = digitcli(*words)
    assert again.exit_code == 1
    assert "--force" in again.stderr
    assert digitcli(*words, "--force").exit_code == 0


def test_annotate_takes_a_folder_for_several_pictures(digitcli: Run, model: Path, broken: str) -> None:
    Path("in").mkdir()
    for name in ("one.png", "seven.jpg", broken):
        Path(name).rename(f"in/{name}")
    assert digitcli("predict", "in", "-m", model, "--annotate", "out").exit_code == 1
    assert sorted(path.name for path in Path("out/in").iterdir()) == ["one.png", "seven.jpg.png"]


@pytest.mark.usefixtures("pictures")
def test_annotate_needs_a_folder_for_several_pictures(digitcli: Run, model: Path) -> None:
    result = digitcli("predict", ".", "-m", model, "--annotate", "read.png")
    assert result.exit_code == 2
    assert "Name a folder" in result.stderr
    assert not Path("read.png").exists()


@pytest.mark.parametrize("option", ["--single", "--top-k=2"])
def test_many_says_which_option_contradicts_it(digitcli: Run, option: str) -> None:
    result = digitcli("predict", "--many", "a.png", option)
    assert f"{option.removesuffix('=2')} contradicts --many" in result.stderr


@pytest.mark.usefixtures("pictures")
def test_a_model_that_is_not_there_is_named(digitcli: Run) -> None:
    result = digitcli("predict", "one.png", "--model", "nowhere.tflite")
    assert result.exit_code == 1
    assert "nowhere.tflite" in result.stderr


@pytest.mark.usefixtures("pictures")
def test_one_picture_imports_nothing_that_it_can_do_without(model: Path) -> None:
    trial.remember(model)
    heavy = {"tensorflow", "keras", "matplotlib", "polars", "pyarrow", "tarfile", "digitcli.system.parallel"}
    program = (
        "import sys\n"
        "from digitcli.cli import app\n"
        "try: app()\n"
        "except SystemExit as end: code = end.code\n"
        f"print(code, sorted({heavy} & set(sys.modules)))\n"
    )
    words = ["predict", "one.png", "-m", str(model)]
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 []"


def test_pictures_made_to_fill_the_memory_are_errors_beside_good_ones(model: Path, pictures: None) -> None:
    Path("in").mkdir()
    hostile = {
        "header.pgm": (b"P5 60000 60000 255\n", "is too large"),
        "icon.ico": (bombs.icon(10_000), "takes more than 330 MB of memory"),
        "program.png": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", "is a program"),
        "row.png": (bombs.png(40_000_000, 1, 0, bytes(40_000_001)), "more than 65535 on a side"),
        "scans.jpg": (bombs.jpeg_of_scans(5120, 20_000), "takes longer than 0.5 s"),
        "tile.tif": (bombs.tiled(24_000), "tile.tif"),
    }
    for name, (content, _) in hostile.items():
        Path("in", name).write_bytes(content)
    for name in ("a.png", "z.png"):
        shutil.copy("one.png", Path("in", name))
    Path("in", "exif.png").write_bytes(bombs.exif_of_copies())
    done = measured.digitcli("predict", "in", "-m", model, "--json", "--time-limit", 0.5)
    assert done.peak < measured.BOUND
    assert done.exit_code == 1
    assert "Traceback" not in done.stderr
    results = {Path(each["path"]).name: each for each in json.loads(done.stdout)["results"]}
    for name in ("a.png", "z.png"):
        assert results[name]["error"] is None
    for name, (_, complaint) in hostile.items():
        assert complaint in results[name]["error"]
        assert "\n" not in results[name]["error"]


@pytest.mark.parametrize("size", ["0", "-1", "soon"])
def test_a_time_limit_that_makes_no_sense_is_refused(digitcli: Run, size: str) -> None:
    assert digitcli("predict", "a.png", "--time-limit", size).exit_code == 2


def test_every_example_can_be_read() -> None:
    from digitcli.images.decode import open_picture
    from digitcli.images.preprocess import to_mnist

    examples = Path(__file__).parent.parent / "examples"
    paths = [path for path in sorted(examples.iterdir()) if path.suffix in (".png", ".jpg")]
    assert {path.name[0] for path in paths} == set("0123456789")
    for path in paths:
        assert np.count_nonzero(to_mnist(open_picture(path))) > 20
    assert sum(path.stat().st_size for path in paths) < 300_000


def test_help_fits_a_screen(digitcli, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    assert len(digitcli("predict", "--help").stdout.splitlines()) <= 50
