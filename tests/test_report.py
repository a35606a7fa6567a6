"""The page that `evaluate --report` writes, and the pictures in it."""

from __future__ import annotations

import base64
import io
import math
import re
import shutil
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from digitcli import runs
from digitcli.data import synthetic
from digitcli.data.digits import DataSet
from digitcli.data.formats import npz
from digitcli.data.load import load
from digitcli.evaluation import figures
from digitcli.evaluation.metrics import ReliabilityBin, reliability, wilson_interval
from digitcli.runs import history
from digitcli.runs.history import EpochReport

VOID = {"meta", "link", "img", "br", "hr"}


class Page(HTMLParser):
    """What a browser would find: all addresses, texts and unclosed elements."""

    def __init__(self, text):
        super().__init__()
        self.addresses, self.open, self.headings, self.images = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.addresses += [value for name, value in attrs if name in ("src", "href", "xlink:href")]
        if tag == "img":
            self.images.append(attributes)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.addresses += [value for name, value in attrs if name in ("src", "href", "xlink:href")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("h1", "h2"):
            self.headings.append(data)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "digits.npz"
    npz.write(DataSet(synthetic.generate(300, seed=1), synthetic.generate(200, seed=2), "digits"), path)
    return path


@pytest.fixture
def run(tensorflow, digitcli, data):
    words = ["--preset", "mlp-512", "--hidden", "16", "--epochs", "2", "--batch-size", "50"]
    assert digitcli("train", *words, "--data", data, "-o", "small <run>").exit_code == 0
    return Path("small <run>")


def pixels(address):
    kind, content = address.split(",", 1)
    assert kind == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))


def test_the_page_needs_nothing_from_elsewhere_and_shows_all_it_should(digitcli, run, data):
    result = digitcli("evaluate", run, "--data", data, "--report", "page")
    assert result.exit_code == 0
    assert "The report is in page/report.html." in result.stderr
    text = Path("page/report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.open == []
    assert all(address.startswith(("data:", "#")) for address in page.addresses)
    assert "<script" not in text
    assert not re.search(r"@import|url\((?!#)", text)
    assert "small &lt;run&gt;" in text
    assert page.headings == [
        "small <run>", "Training", "Which digit is taken for which", "Can its confidence be trusted?",
        "Each digit", "Misread, the surest first", "Read right, the least sure first", "How it was made",
    ]  # fmt: skip
    assert "config.recipe.lr" in text
    assert text.count("<svg") == 3


def test_the_galleries_show_the_pictures_that_were_misread_and_doubtful(digitcli, run, data):
    digitcli("evaluate", run, "--data", data, "--report", "page")
    digits = load(str(data)).test
    found = digitcli("evaluate", run, "--data", data, "--json").stdout
    wrong = int(re.search(r'"wrong": (\d+)', found)[1])
    assert wrong > 3
    images = Page(Path("page/report.html").read_text(encoding="utf-8")).images
    mistakes = [image for image in images if "read as" in image["alt"]]
    assert len(mistakes) == min(wrong, 60)
    for image in mistakes:
        true, read = re.fullmatch(r"a (\d), read as (\d)", image["alt"]).groups()
        assert true != read
        (same,) = np.flatnonzero((digits.images == pixels(image["src"])).all((1, 2)))
        assert digits.labels[same] == int(true)
    page = Path("page/report.html").read_text(encoding="utf-8")
    for gallery, falls in (("wrong", True), ("right", False)):
        sure = [float(each) for each in re.findall(rf'read-{gallery}">\d</span><small>([\d.]+)', page)]
        assert sure == sorted(sure, reverse=falls)


def test_every_plot_is_there_as_png_and_svg(digitcli, run, data):
    digitcli("evaluate", run, "--data", data, "--report", "page")
    names = sorted(path.name for path in Path("page").iterdir())
    plots = ["confusion", "curves", "reliability"]
    assert names == sorted(
        ["report.html", *(f"{plot}.{ending}" for plot in plots for ending in ("png", "svg"))]
    )
    for plot in plots:
        assert min(Image.open(Path("page", f"{plot}.png")).size) > 300
        assert ET.parse(Path("page", f"{plot}.svg")).getroot().tag.endswith("svg")


def test_a_model_that_is_no_run_has_no_curves_and_no_settings(digitcli, data):
    shutil.copy(runs.BUNDLED, "file.tflite")
    assert digitcli("evaluate", "file.tflite", "--data", data, "--report", "page").exit_code == 0
    page = Page(Path("page/report.html").read_text(encoding="utf-8"))
    assert "Training" not in page.headings
    assert "How it was made" not in page.headings
    assert not Path("page/curves.png").exists()


def test_a_folder_that_is_there_is_kept_unless_forced_and_ours(digitcli, data):
    Path("page").mkdir()
    Path("page/thesis.txt").write_text("mine")
    words = ["evaluate", runs.BUNDLED, "--data", data, "--report", "page"]
    result = digitcli(*words)
    assert result.exit_code == 1
    assert "page exists already" in result.stderr
    assert "accuracy" not in result.stdout  # said before the work, not after
    result = digitcli(*words, "--force")
    assert result.exit_code == 1
    assert Path("page/thesis.txt").read_text() == "mine"
    Path("page/thesis.txt").unlink()
    assert digitcli(*words, "--force").exit_code == 0
    assert digitcli(*words, "--force").exit_code == 0
    assert sorted(path.name for path in Path().iterdir()) == ["page"]


def test_the_json_names_the_page(digitcli, data):
    words = ["evaluate", runs.BUNDLED, "--data", data, "--json"]
    assert '"report": null' in digitcli(*words).stdout
    assert '"report": "page/report.html"' in digitcli(*words, "--report", "page").stdout


def test_reliability_compares_confidence_with_what_was_right():
    probabilities = np.zeros((4, 10))
    probabilities[:, 0] = [0.98, 0.96, 0.52, 0.5]
    probabilities[:, 1] = 1 - probabilities[:, 0]
    bins = reliability(probabilities, np.array([0, 1, 0, 0]))
    assert [(each.count, each.accuracy) for each in bins] == [(2, 1.0), (2, 0.5)]
    assert [each.confidence for each in bins] == pytest.approx([0.51, 0.97])


@given(count=st.integers(1, 100_000), share=st.floats(0, 1))
def test_at_the_ends_of_the_interval_what_was_found_is_just_as_far_off_as_it_may_be(count, share):
    right = round(count * share)
    low, high = wilson_interval(right, count)
    assert 0 <= low <= right / count + 1e-12
    assert right / count - 1e-12 <= high <= 1
    for end in (low, high):
        if 1e-9 < end < 1 - 1e-9:
            deviation = math.sqrt(end * (1 - end) / count)
            assert abs(right / count - end) == pytest.approx(1.96 * deviation, rel=1e-3)


def test_history_comes_back_as_it_was_written(tmp_path):
    rows = (
        EpochReport(1, 1, 0.5, 0.9, None, None, 0.01, 3.25),
        EpochReport(2, 1, 0.25, 0.95, 0.3, 0.94, 0.0, 1e-3),
    )
    history.write(rows, tmp_path / "history.csv")
    assert history.read(tmp_path / "history.csv") == rows


def test_an_inline_plot_takes_the_colour_of_the_text_around_it(digitcli, run, data):
    digitcli("evaluate", run, "--data", data, "--report", "page")
    text = Path("page/report.html").read_text()
    assert text.count("currentColor") > 50
    assert figures.INK not in text
    assert "currentColor" not in Path("page/confusion.svg").read_text()


def test_dots_of_a_reliability_diagram_stand_where_they_should():
    figure = figures.reliability([ReliabilityBin(10, 0.5, 0.25), ReliabilityBin(90, 0.75, 1.0)])
    (dots,) = figure.axes[0].collections
    assert dots.get_offsets().tolist() == [[0.5, 0.25], [0.75, 1.0]]


def test_a_damaged_history_is_named_and_leaves_no_page(digitcli, run, data):
    (run / "history.csv").write_text("member,epoch,loss\n1,one,0.5\n")
    result = digitcli("evaluate", run, "--data", data, "--report", "page")
    assert result.exit_code == 1
    assert "small <run>/history.csv is not the history of a run" in result.stderr
    assert not list(Path().glob("*page*"))


@pytest.mark.parametrize("width", [390, 1200])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_shows_the_page_without_error_or_request(digitcli, chromium, run, data, width, scheme):
    assert digitcli("evaluate", run, "--data", data, "--report", "page", "--robustness").exit_code == 0
    page = chromium.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme, offline=True)
    errors, requests = [], []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: requests.append(request.url))
    page.goto(Path("page/report.html").resolve().as_uri())
    # Those further down are loaded when one gets there; a broken one fails to decode.
    page.evaluate(
        "Promise.all([...document.images].map((image) => {"
        " image.loading = 'eager'; return image.decode(); }))"
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()
    assert errors == []
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
