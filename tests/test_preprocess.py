from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageDraw

from digitcli.data import synthetic
from digitcli.images.geometry import centre_by_mass, fit_in_20x20, is_in_mnist_form
from digitcli.images.lines import frame_inside
from digitcli.images.preprocess import readings, to_mnist
from digitcli.images.strokes import stroke_width

DIGITS = synthetic.generate(40, seed=5).images

two_tone = arrays(np.bool_, st.tuples(st.integers(1, 60), st.integers(1, 60)))


def seven(paper: object, ink: object, size: tuple[int, int] = (200, 160), mode: str = "RGB") -> Image.Image:
    image = Image.new(mode, size, paper)
    ImageDraw.Draw(image).line([(60, 30), (120, 32), (85, 120)], fill=ink, width=9, joint="curve")
    return image


def difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(int) - b.astype(int)).mean())


BLACK_ON_WHITE = to_mnist(seven("white", "black"))


def test_digits_in_mnist_form_pass_unchanged() -> None:
    normal = [to_mnist(Image.fromarray(digit)) for digit in DIGITS]
    for digit in normal:
        assert is_in_mnist_form(digit)
        assert np.array_equal(to_mnist(Image.fromarray(digit)), digit)
        assert np.array_equal(to_mnist(Image.fromarray(digit).convert("RGB")), digit)
        assert np.array_equal(to_mnist(Image.fromarray(255 - digit)), digit)


@pytest.mark.parametrize("times", [2, 10, 33])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_so_do_those_that_were_enlarged_to_squares(times: int, mode: str) -> None:
    digit = to_mnist(Image.fromarray(DIGITS[0]))
    large = Image.fromarray(digit).resize((28 * times, 28 * times), Image.Resampling.NEAREST).convert(mode)
    (reading,) = readings(large)
    assert np.array_equal(reading.pixels, digit)
    rows, columns = np.nonzero(np.asarray(large.convert("L")))
    assert reading.box == (columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)
    large.putpixel((0, 5), 1 if mode == "L" else (1, 1, 1))
    assert next(readings(large)).name != "as it is"


def test_the_longer_side_is_20_and_the_centre_of_mass_in_the_middle_pixel() -> None:
    rows, columns = np.nonzero(BLACK_ON_WHITE)
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
    mass = BLACK_ON_WHITE / BLACK_ON_WHITE.sum()
    middle = np.arange(28) + 0.5
    assert 14 <= mass.sum(axis=1) @ middle < 15
    assert 14 <= mass.sum(axis=0) @ middle < 15
    assert BLACK_ON_WHITE.max() == 255


@pytest.mark.parametrize(
    ("paper", "ink"),
    [
        ("black", "white"),
        ("white", "yellow"),
        ("black", "blue"),
        ("darkgreen", "white"),
        ("lightgrey", "navy"),
        ((128, 128, 128), (90, 90, 90)),
        ((0, 128, 0), (218, 0, 0)),
    ],
)
def test_colours_make_no_difference(paper: object, ink: object) -> None:
    assert difference(to_mnist(seven(paper, ink)), BLACK_ON_WHITE) < 1


@pytest.mark.parametrize("scale", [3, 10, 40])
def test_size_makes_little_difference(scale: int) -> None:
    image = seven("white", "black")
    large = image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)
    assert difference(to_mnist(large), BLACK_ON_WHITE) < 3


def test_a_digit_of_mnists_size_keeps_its_own_pixels_on_a_larger_page() -> None:
    digits = [to_mnist(Image.fromarray(digit)) for digit in DIGITS]
    for digit in (digit for digit in digits if stroke_width(digit > 127) > 1.5):
        page = np.full((480, 640), 255, np.uint8)
        page[8:36, 600:628] = 255 - digit
        result = to_mnist(Image.fromarray(page))
        # A faint edge that is cut away can move the centre of mass across the border of a pixel.
        shifted = [np.roll(result, (y, x), (0, 1)) for y in (-1, 0, 1) for x in (-1, 0, 1)]
        assert min(difference(each, digit) for each in shifted) < 0.1


def test_unless_it_is_drawn_with_a_hair() -> None:
    image = Image.new("L", (60, 60), 255)
    ImageDraw.Draw(image).line([(20, 20), (30, 20), (24, 39)], fill=0)
    ink = np.asarray(image) == 0
    assert np.ptp(np.nonzero(ink)[0]) + 1 == 20
    assert to_mnist(image).sum() / 255 > 1.2 * ink.sum()


def test_grain_of_the_paper_is_not_ink() -> None:
    noise = np.random.default_rng(0).normal(0, 6, (160, 200, 1))
    grainy = (np.asarray(seven((190, 185, 180), (60, 60, 90))) + noise).clip(0, 255).astype(np.uint8)
    assert difference(to_mnist(Image.fromarray(grainy)), BLACK_ON_WHITE) < 5


def test_a_shadow_along_one_side_is_not_ink() -> None:
    shade = np.linspace(0.5, 1, 200)[None, :, None]
    shadowed = (np.asarray(seven("white", "black")) * shade).astype(np.uint8)
    assert difference(to_mnist(Image.fromarray(shadowed)), BLACK_ON_WHITE) < 8


def test_a_hairline_on_a_large_page_is_ink() -> None:
    image = Image.new("L", (3000, 2000), 255)
    ImageDraw.Draw(image).line([(500, 300), (1500, 330), (900, 1700)], fill=0, width=1)
    assert to_mnist(image).max() == 255


@pytest.mark.parametrize("colour", [0, 7, 128, 255])
def test_a_blank_page_has_no_ink(colour: int) -> None:
    assert not to_mnist(Image.new("L", (50, 40), colour)).any()


def test_the_grain_of_a_blank_page_is_no_ink() -> None:
    noise = np.random.default_rng(0).normal(180, 4, (100, 100)).astype(np.uint8)
    assert not to_mnist(Image.fromarray(noise)).any()


@pytest.mark.parametrize(("shape", "fitted"), [((40, 10), (20, 5)), ((3, 6), (10, 20)), ((100, 1), (20, 1))])
def test_fitting_keeps_the_proportions(shape: tuple[int, int], fitted: tuple[int, int]) -> None:
    digit = fit_in_20x20(np.full(shape, 80, np.uint8))
    assert digit.shape == fitted
    assert digit.max() == 255


def test_lopsided_ink_stays_inside_when_centred() -> None:
    digit = np.zeros((20, 20), np.uint8)
    digit[0, :] = 1
    digit[19, :] = 255
    assert centre_by_mass(digit).sum() == digit.sum()


def test_a_frame_and_what_is_about_it_are_no_ink() -> None:
    image = Image.new("RGB", (300, 260), "white")
    image.paste(seven((30, 30, 60), (250, 240, 120)), (50, 30))
    ImageDraw.Draw(image).text((10, 100), "14", fill="black")
    assert difference(to_mnist(image), BLACK_ON_WHITE) < 1
    framed = seven("white", "black")
    ImageDraw.Draw(framed).rectangle((0, 0, 199, 159), outline="black", width=4)
    assert difference(to_mnist(framed), BLACK_ON_WHITE) < 1


def test_a_plot_with_ticks_is_looked_into() -> None:
    plot = Image.new("RGB", (330, 260), "white")
    draw = ImageDraw.Draw(plot)
    plot.paste(seven("black", "white"), (60, 40))
    draw.rectangle((60, 40, 260, 200), outline="black")
    for tick in range(10, 160, 30):
        draw.line((53, 40 + tick, 60, 40 + tick), fill="black")
        draw.line((60 + tick, 200, 60 + tick, 207), fill="black")
    assert difference(to_mnist(plot), BLACK_ON_WHITE) < 1


@pytest.mark.parametrize(
    ("turns", "box"),
    [(0, (116, 26, 65, 96)), (1, (26, 75, 96, 65)), (2, (75, 38, 65, 96)), (3, (38, 116, 96, 65))],
)
def test_what_lies_beside_the_page_is_not_looked_into(turns: int, box: tuple[int, int, int, int]) -> None:
    image = Image.new("RGB", (256, 160), "white")
    image.paste(seven("white", "black"), (56, 0))
    draw = ImageDraw.Draw(image)
    draw.polygon([(0, 0), (50, 0), (56, 159), (0, 159)], fill=(60, 50, 40))
    draw.line((25, 40, 27, 120), fill=(200, 200, 200), width=6)
    assert next(readings(image.rotate(90 * turns, expand=True))).box == box


def test_a_frame_along_three_edges_is_looked_into() -> None:
    image = Image.new("RGB", (420, 160), "white")
    image.paste(seven("white", "black"), (0, 0))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 199, 159), outline="black", width=4)
    draw.text((300, 60), "14", fill="black")
    assert difference(to_mnist(image), BLACK_ON_WHITE) < 1


def test_what_leaves_only_a_line_of_the_page_is_not_beside_it() -> None:
    image = Image.new("RGB", (120, 110), "white")
    image.paste("yellow", (0, 2, 120, 109))
    image.paste("yellow", (50, 109, 55, 110))
    image.paste(seven("yellow", "black").crop((40, 10, 140, 110)), (10, 5))
    assert difference(to_mnist(image), BLACK_ON_WHITE) < 8


def spans(side: int) -> st.SearchStrategy[list[int]]:
    """From, to along a side, often near its ends."""
    near = st.sampled_from([0, 1, 2, side - 2, side - 1, side]).map(lambda at: max(at, 0))
    return st.lists(near | st.integers(0, side), min_size=2, max_size=2).map(sorted)


@st.composite
def rectangles(draw: st.DrawFn) -> np.ndarray:
    """A mask with some rectangles, drawn over each other."""
    height, width = draw(st.integers(1, 200)), draw(st.integers(1, 200))
    mask = np.zeros((height, width), bool)
    for filled in draw(st.lists(st.booleans(), max_size=4)):
        (top, bottom), (left, right) = draw(spans(height)), draw(spans(width))
        mask[top:bottom, left:right] = filled
    return mask


@given(rectangles())
@settings(max_examples=500, deadline=None)
def test_within_a_frame_there_is_something(mask: np.ndarray) -> None:
    left, top, right, bottom = frame_inside(mask) or (0, 0, 1, 1)
    assert 0 <= left < right <= mask.shape[1]
    assert 0 <= top < bottom <= mask.shape[0]


def test_a_bar_with_buttons_is_no_frame() -> None:
    window = Image.new("RGB", (200, 200), (217, 217, 217))
    window.paste(seven("white", "black"), (0, 0))
    for left in (10, 110):
        ImageDraw.Draw(window).rectangle((left, 168, left + 80, 192), outline="black")
    assert difference(to_mnist(window), BLACK_ON_WHITE) < 1


def test_an_angular_eight_is_no_frame() -> None:
    image = Image.new("L", (145, 221), 255)
    for top in (30, 85):
        ImageDraw.Draw(image).rectangle((75, top, 135, top + 55), outline=0, width=4)
    left, top, width, height = next(readings(image)).box
    assert (left, top, width, height) == (75, 30, 61, 111)


def test_a_strip_of_light_along_the_edge_is_neither_frame_nor_ink() -> None:
    image = seven((90, 90, 90), "black").crop((40, 10, 140, 140))
    ImageDraw.Draw(image).rectangle((0, 118, 99, 129), fill=(160, 160, 160))
    ImageDraw.Draw(image).rectangle((0, 120, 99, 129), fill=(230, 230, 230))
    assert difference(to_mnist(image), BLACK_ON_WHITE) < 8


def test_ruled_lines_and_grids_are_no_ink() -> None:
    # Of a grid, stubs stay on the strokes that cross it.
    for step, most in ((40, 2), (20, 20)):
        image = seven("white", "black")
        for y in range(14, 160, step):
            ImageDraw.Draw(image).line([(0, y), (199, y + 4)], fill=(90, 90, 200), width=1)
        if step == 20:
            for x in range(8, 200, step):
                ImageDraw.Draw(image).line([(x, 0), (x - 3, 159)], fill=(90, 90, 200), width=1)
        assert difference(to_mnist(image), BLACK_ON_WHITE) < most


def test_within_axes_the_bar_of_a_seven_is_no_line() -> None:
    image = Image.new("L", (28, 28), 255)
    draw = ImageDraw.Draw(image)
    draw.line([(6, 5), (21, 5), (12, 22)], fill=0, width=2)
    alone = to_mnist(image)
    draw.line([(1, 0), (1, 27)], fill=0)
    draw.line([(0, 25), (27, 25)], fill=0)
    assert difference(to_mnist(image), alone) < 6


def test_a_grid_that_stays_is_read_after_the_digit() -> None:
    image = seven("white", (20, 20, 90))
    for offset in range(9, 200, 12):  # too wavy to be taken out
        wave = [(at, offset + 3 * np.sin(at / 9)) for at in range(200)]
        ImageDraw.Draw(image).line(wave, fill=(150, 150, 200))
        ImageDraw.Draw(image).line([(y, x) for x, y in wave], fill=(150, 150, 200))
    assert difference(to_mnist(image), BLACK_ON_WHITE) < 25


def test_a_bar_of_a_digit_is_no_line() -> None:
    image = seven("white", "black").crop((54, 24, 128, 126))
    assert difference(to_mnist(image), BLACK_ON_WHITE) < 3


def test_an_angular_zero_keeps_its_sides() -> None:
    image = Image.new("L", (120, 220), 255)
    ImageDraw.Draw(image).rectangle((20, 30, 90, 185), outline=0, width=11)
    result = to_mnist(image)
    assert result[14, 14] == 0
    sides = (result[14, :14], result[14, 14:], result[:14, 14], result[14:, 14])
    assert all(side.max() == 255 for side in sides)


def test_paler_specks_beside_a_digit_are_no_ink() -> None:
    image = seven("white", "black")
    for x, y in ((50, 60), (70, 100), (125, 100), (130, 50)):
        ImageDraw.Draw(image).ellipse((x, y, x + 9, y + 9), fill=(112, 112, 112))
    assert difference(to_mnist(image), BLACK_ON_WHITE) < 1


@pytest.mark.parametrize(
    "lines",
    [[(132, 130)], [(132, 130), (140, 138)], [(136, 122)]],
    ids=["one", "two", "one that ends higher than the digit"],
)
def test_strokes_below_a_digit_that_are_as_wide_as_it_are_no_ink(lines: list[tuple[int, int]]) -> None:
    underlined = seven("white", "black")
    for left, right in lines:
        ImageDraw.Draw(underlined).line([(65, left), (125, right)], fill="black", width=4)
    assert np.array_equal(to_mnist(underlined), BLACK_ON_WHITE)


@pytest.mark.parametrize("line", [[(95, 132), (115, 132)], [(65, 120), (125, 120)], [(65, 16), (125, 16)]])
def test_short_strokes_below_a_digit_and_any_above_or_on_its_foot_are(line: list[tuple[int, int]]) -> None:
    broken = seven("white", "black")
    ImageDraw.Draw(broken).line(line, fill="black", width=4)
    assert not np.array_equal(to_mnist(broken), BLACK_ON_WHITE)


def test_dust_and_a_dark_edge_of_the_page_are_no_ink() -> None:
    image = seven("white", "black")
    draw = ImageDraw.Draw(image)
    draw.rectangle((190, 0, 199, 159), fill=(40, 30, 30))
    draw.ellipse((30, 130, 33, 133), fill="black")
    assert difference(to_mnist(image), BLACK_ON_WHITE) < 1


def test_hairs_are_thickened_and_markers_thinned() -> None:
    def ink_of(width: int) -> float:
        image = Image.new("L", (220, 220), 255)
        ImageDraw.Draw(image).line([(60, 60), (160, 60), (100, 170)], fill=0, width=width, joint="curve")
        return float(to_mnist(image).astype(float).sum() / 255)

    assert ink_of(1) > 0.6 * ink_of(12)
    assert ink_of(40) < 2.2 * ink_of(12)


def test_a_small_digit_on_a_huge_page_is_looked_at_closer() -> None:
    image = Image.new("RGB", (3200, 2400), "white")
    image.paste(seven("white", "black"), (2500, 300))
    assert difference(to_mnist(image), BLACK_ON_WHITE) < 2


def test_readings_differ_and_the_likeliest_comes_first() -> None:
    image = seven("white", "black")
    ImageDraw.Draw(image).line([(0, 70), (199, 70)], fill=(120, 120, 120), width=2)
    found = list(readings(image))
    assert np.array_equal(found[0].pixels, to_mnist(image))
    assert 2 <= len(found) <= 9
    assert len({reading.pixels.tobytes() for reading in found}) == len(found)
    assert not list(readings(Image.new("L", (30, 30), 99)))


def test_a_reading_tells_where_its_ink_is() -> None:
    small = next(readings(seven("white", "black")))
    assert small.box == (60, 26, 65, 96)
    large = Image.new("RGB", (3200, 2400), "white")
    large.paste(seven("white", "black"), (2500, 300))
    assert np.allclose(next(readings(large)).box, np.add(small.box, (2500, 300, 0, 0)), atol=3)
    as_it_is = Image.fromarray(BLACK_ON_WHITE)
    left, top, width, height = next(readings(as_it_is)).box
    assert BLACK_ON_WHITE[top : top + height, left : left + width].sum() == BLACK_ON_WHITE.sum()
    assert max(width, height) == 20


@given(
    pixels=arrays(np.uint8, st.tuples(st.integers(1, 60), st.integers(1, 60))),
    colour=st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_any_picture_becomes_28x28(pixels: np.ndarray, colour: bool) -> None:
    image = Image.fromarray(pixels)
    if colour:
        image = Image.merge("RGB", (image, image.rotate(180), image))
    result = to_mnist(image)
    assert result.shape == (28, 28)
    assert result.dtype == np.uint8
    assert not result.any() or result.max() >= 200


@given(ink=two_tone, paper=st.integers(0, 80), pen=st.integers(160, 255))
@settings(max_examples=60, deadline=None)
def test_the_negative_gives_the_same(ink: np.ndarray, paper: int, pen: int) -> None:
    page = np.full((ink.shape[0] + 2, ink.shape[1] + 2), paper, np.uint8)
    page[1:-1, 1:-1][ink] = pen
    assert np.array_equal(to_mnist(Image.fromarray(page)), to_mnist(Image.fromarray(255 - page)))


@given(ink=two_tone, left=st.integers(1, 40), top=st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_where_on_the_page_the_ink_is_makes_no_difference(ink: np.ndarray, left: int, top: int) -> None:
    def page(x: int, y: int) -> Image.Image:
        pixels = np.full((120, 120), 255, np.uint8)
        pixels[y : y + ink.shape[0], x : x + ink.shape[1]][ink] = 0
        return Image.fromarray(pixels)

    assert np.array_equal(to_mnist(page(left, top)), to_mnist(page(30, 30)))
