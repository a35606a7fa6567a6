"""Files of several pages: each page is a picture of its own, and none is left out unsaid."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from PIL.TiffImagePlugin import AppendingTiffWriter
from typer.testing import CliRunner

import digitcli
from digitcli.cli import app
from digitcli.data import synthetic
from digitcli.errors import ImageError, UsageError
from digitcli.images import pdf
from digitcli.sources.expand import expand
from digitcli.sources.pages import Pages

ENDLESS = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    b"2 0 obj<</Type/Pages/Count 1000000/Kids[3 0 R]>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]>>endobj\ntrailer<</Root 1 0 R>>\n"
)
TEN_METRES = ENDLESS.replace(b"1000000", b"1").replace(b"0 0 200 200", b"0 0 28346 28346")


def digits(count: int) -> list[Image.Image]:
    """Those of which each is read as its place, from 0."""
    drawn = synthetic.generate(200, seed=3)
    first = [drawn.labels.tolist().index(digit) for digit in range(count)]
    return [Image.fromarray(255 - drawn.images[each]).resize((140, 140)) for each in first]


def saved(format: str, count: int, **options: object) -> bytes:
    file = io.BytesIO()
    first, *others = digits(count)
    first.save(file, format, save_all=True, append_images=others, **options)
    return file.getvalue()


def names(*words: str, pages: str = "") -> list[str]:
    return [source.name for source in expand(words, io.BytesIO(), Pages(pages))]


def rows(*words: str) -> tuple[int, list[str]]:
    """The exit code and the rows of predict."""
    result = CliRunner().invoke(app, ["predict", *words, "--format", "csv", "--quiet"])
    return result.exit_code, result.stdout.splitlines()[1:]


@pytest.mark.parametrize("format", ["tiff", "pdf"])
def test_each_page_is_a_picture_named_by_its_number(format: str) -> None:
    Path(f"scan.{format}").write_bytes(saved(format, 4))
    code, found = rows(f"scan.{format}")
    assert code == 0
    assert [row.split(",")[:2] for row in found] == [[f"scan.{format}[{n + 1}]", str(n)] for n in range(4)]


@pytest.mark.parametrize("format", ["tiff", "pdf"])
def test_a_file_of_one_page_keeps_its_name(format: str) -> None:
    Path(f"scan.{format}").write_bytes(saved(format, 1))
    _, (row,) = rows(f"scan.{format}")
    assert row.startswith(f"scan.{format},0,")


def test_pages_come_out_of_archives_and_from_stdin() -> None:
    with zipfile.ZipFile("both.zip", "w") as archive:
        archive.writestr("in/a.tif", saved("tiff", 2))
        archive.writestr("b.pdf", saved("pdf", 3))
    inside = [f"both.zip/in/a.tif[{n}]" for n in (1, 2)] + [f"both.zip/b.pdf[{n}]" for n in (1, 2, 3)]
    assert names("both.zip") == inside
    assert [source.name for source in expand(["-"], io.BytesIO(saved("pdf", 2)))] == ["-[1]", "-[2]"]


def test_a_folder_of_good_and_damaged_files_gives_a_row_for_every_page_or_its_reason() -> None:
    folder = Path("scans")
    folder.mkdir()
    whole = {"a.tif": saved("tiff", 3), "b.pdf": saved("pdf", 5), "c.png": saved("png", 1)}
    damaged = {
        "d.pdf": saved("pdf", 3)[:1500],
        "e.pdf": b"",
        "f.pdf": ENDLESS,
        "g.tif": saved("tiff", 3)[:25_000],
        "h.tif": b"II*\0",
        "i.pdf": b"no pdf",
    }
    for name, content in (whole | damaged).items():
        (folder / name).write_bytes(content)
    code, found = rows("scans")
    assert code == 1
    assert [row.split(",")[0] for row in found[:9]] == [
        *(f"scans/a.tif[{n}]" for n in range(1, 4)),
        *(f"scans/b.pdf[{n}]" for n in range(1, 6)),
        "scans/c.png",
    ]
    told = "\n".join(found[9:])
    for name, why in {
        "d.pdf": "is damaged",
        "e.pdf": "is empty",
        "f.pdf": "claims to have 1000000 pages",
        "g.tif": "list of pages is cut off",
        "h.tif": "not a picture",
        "i.pdf": "not a picture",
    }.items():
        assert any(name in line and why in line for line in told.splitlines()), name


def test_a_page_of_ten_metres_is_drawn_small_enough() -> None:
    drawn = pdf.drawn(TEN_METRES, "x.pdf", 0)
    assert drawn.size == (pdf.LONGEST_SIDE, pdf.LONGEST_SIDE)
    assert drawn.getextrema() == ((255, 255),) * 3


def test_a_page_has_the_resolution_of_a_scan_unless_less_is_enough() -> None:
    content = saved("pdf", 1, resolution=70)  # 140 pixels on two inches
    assert pdf.drawn(content, "x.pdf", 0).size == (2 * pdf.DOTS_PER_INCH, 2 * pdf.DOTS_PER_INCH)
    assert pdf.drawn(content, "x.pdf", 0, least_side=90).size == (90, 90)


def test_a_page_that_takes_too_long_to_draw_is_given_up() -> None:
    squares = b"".join(b"%d %d 300 300 re S\n" % (n % 97, n % 89) for n in range(400_000))
    page = ENDLESS.replace(b"1000000", b"1").replace(b"200 200]", b"200 200]/Contents 4 0 R")
    body = b"4 0 obj<</Length %d>>stream\n%s\nendstream endobj\ntrailer" % (len(squares), squares)
    with pytest.raises(ImageError, match=r"takes longer than 0\.2 s"):
        pdf.drawn(page.replace(b"trailer", body), "x.pdf", 0, seconds=0.2)


def test_reduced_copies_within_a_tiff_are_no_pages() -> None:
    preview = Image.new("L", (20, 20))
    first, second = digits(2)
    copies = {254: 1}  # NewSubfileType: a reduced copy
    file = io.BytesIO()
    with AppendingTiffWriter(file, True) as writer:
        for image, tags in ((preview, copies), (first, {}), (preview, copies), (second, {})):
            image.save(writer, "TIFF", tiffinfo=tags)
            writer.newFrame()
    Path("scan.tif").write_bytes(file.getvalue())
    _, found = rows("scan.tif")
    assert [row.split(",")[:2] for row in found] == [["scan.tif[1]", "0"], ["scan.tif[2]", "1"]]


def test_a_list_of_pages_in_a_circle_ends() -> None:
    content = bytearray(saved("tiff", 2))
    (first,) = struct.unpack_from("<I", content, 4)
    (entries,) = struct.unpack_from("<H", content, first)
    (second,) = struct.unpack_from("<I", content, first + 2 + 12 * entries)
    (entries,) = struct.unpack_from("<H", content, second)
    struct.pack_into("<I", content, second + 2 + 12 * entries, first)
    Path("scan.tif").write_bytes(content)
    assert names("scan.tif") == ["scan.tif[1]", "scan.tif[2]", "scan.tif[3]"]
    assert "runs in a circle" in rows("scan.tif")[1][2]


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [("2", [2]), ("1,3-4", [1, 3, 4]), ("4-", [4, 5]), ("5,1", [1, 5]), ("3-99", [3, 4, 5])],
)
def test_pages_are_chosen_as_in_a_print_dialogue(chosen: str, expected: list[int]) -> None:
    Path("scan.pdf").write_bytes(saved("pdf", 5))
    assert names("scan.pdf", pages=chosen) == [f"scan.pdf[{n}]" for n in expected]


def test_it_is_told_where_none_of_the_pages_is_there() -> None:
    Path("scan.tif").write_bytes(saved("tiff", 2))
    code, (row,) = rows("scan.tif", "--pages", "7")
    assert code == 1
    assert "has 2 pages" in row


@pytest.mark.parametrize("text", ["0", "3-1", "a", "1,,2", "-3", "1;2"])
def test_what_names_no_pages_is_wrong_usage(text: str) -> None:
    with pytest.raises(UsageError, match="names no pages"):
        Pages(text)


def test_a_tiff_of_several_pages_under_another_name_is_told() -> None:
    Path("scan.png").write_bytes(saved("tiff", 2))
    code, (row,) = rows("scan.png")
    assert code == 1
    assert "has 2 pages" in row


def test_python_users_name_the_page() -> None:
    model = digitcli.load()
    content = saved("pdf", 3)
    assert model.read(content, page=3).digit == 2
    with pytest.raises(ImageError, match="several pages"):
        model.read(content)
    assert model.read(saved("tiff", 1)).digit == 0


def test_a_stop_within_a_pdf_leaves_each_page_once() -> None:
    Path("scan.pdf").write_bytes(saved("pdf", 5))
    _, whole = rows("scan.pdf")
    header = "path,digit,confidence,note"
    Path("out.csv.unfinished").write_text("\n".join([header, *whole[:2]]) + "\n")
    done = CliRunner().invoke(app, ["predict", "scan.pdf", "--output", "out.csv", "--resume"])
    assert done.exit_code == 0
    assert Path("out.csv").read_text().splitlines() == [header, *whole]


def test_copies_of_the_pages_are_annotated() -> None:
    Path("scan.pdf").write_bytes(saved("pdf", 2))
    assert CliRunner().invoke(app, ["predict", "scan.pdf", "--annotate", "copies"]).exit_code == 0
    assert {path.name for path in Path("copies").iterdir()} == {"scan.pdf[1].png", "scan.pdf[2].png"}
