"""The page of `export --format html` in a real browser: drawn on by mouse, given pictures, never online."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import digitcli
from digitcli.data import synthetic
from digitcli.images.preprocess import to_mnist
from digitcli.reading.one import CLEAR
from digitcli.simulator.strokes import strokes

MODEL = "model.tflite"


@pytest.fixture(scope="module")
def exports(all_exports: list[Any]) -> Path:
    return Path(all_exports[0].path.parent)


@pytest.fixture
def page(chromium: Any, exports: Path) -> Iterator[Any]:
    """The page, just opened. In the end it must have made no request and no error."""
    context = chromium.new_context(viewport={"width": 1000, "height": 900}, offline=True)
    opened = context.new_page()
    requests: list[str] = []
    errors: list[str] = []
    opened.on("request", lambda request: requests.append(request.url))
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    opened.goto((exports / "model.html").as_uri())
    opened.wait_for_function("!document.getElementById('found').hidden")
    yield opened
    context.close()
    assert errors == []
    assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []


def draw(page: Any, lines: list[np.ndarray]) -> None:
    """With the mouse, along lines of x and y in 0-1 of the paper."""
    paper = page.locator("#paper").bounding_box()
    for line in lines:
        for n, (x, y) in enumerate(line.tolist()):
            page.mouse.move(paper["x"] + x * paper["width"], paper["y"] + y * paper["height"])
            if n == 0:
                page.mouse.down()
        page.mouse.up()
    settle(page)


def settle(page: Any) -> None:
    """Waits for the answer, which comes with the next frame."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def digit(page: Any) -> str:
    return str(page.inner_text("#digit"))


def drawing(page: Any) -> Image.Image:
    """The paper as a picture."""
    encoded = page.evaluate("document.getElementById('paper').toDataURL()").partition(",")[2]
    return Image.open(io.BytesIO(base64.b64decode(encoded)))


def seen(page: Any) -> np.ndarray:
    """The 28x28 that the network saw, in 0-255."""
    return np.array(page.evaluate("Array.from(reading.pixels)")).reshape(28, 28)


def put(page: Any, picture: Image.Image) -> None:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    page.set_input_files("#file", {"name": "p.png", "mimeType": "image/png", "buffer": buffer.getvalue()})
    page.wait_for_function("picture !== null")
    settle(page)


def test_ten_digits_drawn_by_mouse_are_read_as_predict_reads_them(page: Any, exports: Path) -> None:
    model = digitcli.load(exports / MODEL)
    rng = np.random.default_rng(5)
    right, clear = 0, 0
    for wanted in range(10):
        lines = [0.25 + 0.5 * line[:: max(1, len(line) // 12)] for line in strokes(wanted, rng)]
        draw(page, lines)
        # Where it is less sure, predict looks again, with the line reader too.
        if page.evaluate("reading.confidence") >= CLEAR:
            clear += 1
            assert digit(page) == model.read(drawing(page), mode="single").text
        right += digit(page) == str(wanted)
        page.click("#clear")
        settle(page)
    assert right >= 9
    assert clear >= 4


def test_pictures_are_read_as_predict_reads_them(page: Any, exports: Path) -> None:
    model = digitcli.load(exports / MODEL)
    rng = np.random.default_rng(1)
    differences, clear = [], 0
    for image in synthetic.generate(40, seed=8).images:
        side = int(rng.integers(60, 400))
        mask = Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)
        paper = Image.new("RGB", (500, 440), tuple(rng.integers(170, 255, 3).tolist()))
        pen = Image.new("RGB", mask.size, tuple(rng.integers(0, 90, 3).tolist()))
        paper.paste(pen, (int(rng.integers(10, 90)), int(rng.integers(10, 40))), mask)
        put(page, paper)
        if page.evaluate("reading.confidence") >= CLEAR:
            clear += 1
            assert digit(page) == model.read(paper, mode="single").text
        differences.append(np.abs(seen(page) - to_mnist(paper)).mean())
    assert clear >= 12
    # A digit that lies a pixel beside differs by some 10.
    assert np.median(differences) < 4, differences
    assert np.quantile(differences, 0.9) < 18, differences


def test_a_picture_in_mnist_form_is_seen_unchanged(page: Any) -> None:
    image = synthetic.generate(1, seed=2).images[0]
    put(page, Image.fromarray(image))
    np.testing.assert_array_equal(seen(page), image)
    put(page, Image.fromarray(255 - image))
    np.testing.assert_array_equal(seen(page), image)


@pytest.mark.parametrize("ink", [0, 255])
def test_transparent_pictures_lie_on_what_their_strokes_stand_out_from(page: Any, ink: int) -> None:
    image = synthetic.generate(1, seed=2).images[0]
    mask = Image.fromarray(image).resize((150, 150))
    picture = Image.merge("LA", (Image.new("L", mask.size, ink), mask))
    put(page, picture)
    assert np.abs(seen(page) - image).mean() < 15


def test_strokes_on_a_picture_are_read_with_it(page: Any) -> None:
    put(page, Image.new("RGB", (300, 200), (240, 235, 220)))
    assert page.inner_text("#sure") == "There is no ink to be seen."
    draw(page, [np.array([[0.5, 0.3], [0.5, 0.5], [0.5, 0.7]])])
    assert digit(page) in "0123456789"


def test_a_second_finger_draws_nothing(page: Any) -> None:
    draw(page, [np.array([[0.5, 0.2], [0.5, 0.8]])])
    page.evaluate(
        """() => {
            const finger = { pointerId: 9, isPrimary: false, clientX: 200, clientY: 300 };
            for (const type of ["pointerdown", "pointermove"])
                paper.dispatchEvent(new PointerEvent(type, finger));
        }"""
    )
    assert page.evaluate("strokes.length") == 1


def test_clearing_while_drawing_ends_the_stroke(page: Any) -> None:
    box = page.locator("#paper").bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 100, box["y"] + 200)
    page.keyboard.press("Escape")
    page.mouse.move(box["x"] + 200, box["y"] + 200)
    page.mouse.up()
    settle(page)
    assert page.inner_text("#sure") == "The paper is empty."


def test_the_bars_follow_the_pen(page: Any) -> None:
    shares = "[...document.querySelectorAll('#bars .share')].map((share) => parseFloat(share.textContent))"
    draw(page, [np.array([[0.5, 0.2], [0.5, 0.4], [0.5, 0.8]])])
    first = page.evaluate(shares)
    draw(page, [np.array([[0.3, 0.2], [0.5, 0.2], [0.7, 0.2]])])
    assert sum(first) == pytest.approx(100, abs=0.6)
    assert page.evaluate(shares) != first


def test_it_shows_itself_at_work_until_the_first_stroke(page: Any) -> None:
    page.wait_for_function("document.getElementById('digit').textContent === '3'")
    draw(page, [np.array([[0.4, 0.3], [0.4, 0.5], [0.4, 0.7]])])
    assert page.evaluate("strokes.length") == 1
    assert page.locator("#history figure").count() == 0


def test_clear_undo_and_what_was_read_before(page: Any) -> None:
    draw(page, [np.array([[0.5, 0.2], [0.5, 0.8]]), np.array([[0.2, 0.5], [0.8, 0.5]])])
    page.keyboard.press("Control+z")
    settle(page)
    assert page.evaluate("strokes.length") == 1
    read = digit(page)
    page.keyboard.press("Escape")
    settle(page)
    assert page.inner_text("#sure") == "The paper is empty."
    assert digit(page) == "–"
    assert page.locator("#history figure").all_inner_texts() == [read]


def test_what_is_no_picture_is_told(page: Any) -> None:
    page.set_input_files("#file", {"name": "p.png", "mimeType": "image/png", "buffer": b"no picture"})
    page.wait_for_function("document.getElementById('sure').textContent.includes('no picture')")
    draw(page, [np.array([[0.5, 0.2], [0.5, 0.8]])])
    assert "no picture" not in page.inner_text("#sure")


def test_the_inside_of_the_network_is_shown(page: Any) -> None:
    draw(page, [np.array([[0.5, 0.2], [0.5, 0.8]])])
    page.click("summary")
    settle(page)
    assert page.locator("#layers canvas").count() >= 16 + 32 + 32


@pytest.mark.parametrize("width", [360, 1200])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_runs_over_the_side(chromium: Any, exports: Path, width: int, scheme: str) -> None:
    page = chromium.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page.goto((exports / "model.html").as_uri())
    settle(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


@pytest.mark.parametrize(("none", "answer"), [(0.85, "–"), (0.5, "4")])
def test_a_network_that_knows_what_is_no_digit_says_so(page: Any, none: float, answer: str) -> None:
    # As predict does: no digit where all digits together are less likely than 0.2.
    page.evaluate(
        "(none) => { network.run = () => Float32Array.from({ length: 11 },"
        " (_, n) => n === 10 ? none : n === 4 ? 1 - none : 0); }",
        none,
    )
    draw(page, [np.array([[0.5, 0.2], [0.5, 0.8]])])
    assert digit(page) == answer


def test_the_same_file_can_be_opened_again(page: Any) -> None:
    # A browser fires no event for a file that is chosen already.
    put(page, Image.fromarray(synthetic.generate(1, seed=2).images[0]))
    assert page.evaluate("document.getElementById('file').value") == ""


@pytest.mark.parametrize(
    ("event", "field"), [("DragEvent", "dataTransfer"), ("ClipboardEvent", "clipboardData")]
)
def test_pictures_are_dropped_and_pasted(page: Any, event: str, field: str) -> None:
    image = synthetic.generate(1, seed=2).images[0]
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    page.evaluate(
        """([event, field, bytes]) => {
            const held = new DataTransfer();
            held.items.add(new File([Uint8Array.from(bytes)], "p.png", { type: "image/png" }));
            const type = event === "DragEvent" ? "drop" : "paste";
            window.dispatchEvent(new window[event](type, { [field]: held, cancelable: true }));
        }""",
        [event, field, list(buffer.getvalue())],
    )
    page.wait_for_function("picture !== null")
    settle(page)
    np.testing.assert_array_equal(seen(page), image)
