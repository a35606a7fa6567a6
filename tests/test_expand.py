from __future__ import annotations

import io
import os
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from digitcli.errors import ImageError
from digitcli.images import decode
from digitcli.sources.expand import count, expand


def picture(path: Path | str, format: str = "PNG") -> str:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), "white").save(path, format)
    return str(path)


def names(*inputs: str, stdin: bytes = b"") -> list[str]:
    return [source.name for source in expand(inputs, io.BytesIO(stdin))]


def test_files_come_in_the_order_they_are_named() -> None:
    paths = [picture("b.png"), picture("a.png"), picture("c.anything"), "gone.png"]
    assert names(*paths) == paths


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
    content = Path(picture("a", format)).read_bytes()
    (source,) = expand(["-"], io.BytesIO(content))
    assert (source.name, source.content) == ("-", content)


@pytest.mark.parametrize("stdin", [b"", b"\n\n"])
def test_finding_no_picture_is_an_error(stdin: bytes) -> None:
    Path("empty").mkdir()
    with pytest.raises(ImageError, match="No pictures in empty, stdin"):
        names("empty", "-", stdin=stdin)


@pytest.mark.parametrize("name", ["in.zip", "in.tar", "in.tgz", "rows.npy", "no-suffix"])
def test_archives_and_arrays_are_known_by_their_content(name: str) -> None:
    picture("a.png")
    with zipfile.ZipFile("1", "w") as file:
        file.write("a.png")
    with tarfile.open("2", "w:gz") as file:
        file.add("a.png")
    np.save("3.npy", np.zeros((2, 28, 28), np.uint8))
    for content, expected in (("1", ["/a.png"]), ("2", ["/a.png"]), ("3.npy", ["[0]", "[1]"])):
        Path(name).write_bytes(Path(content).read_bytes())
        assert names(name) == [name + each for each in expected]


@pytest.mark.parametrize("name", ["b.zip", "b.tar.gz", "B.TGZ"])
def test_archives_in_folders_are_read_too(name: str) -> None:
    picture("in/a.png")
    picture("in/c.png")
    with (
        tarfile.open(f"in/{name}", "w:gz")
        if "g" in name.lower()
        else zipfile.ZipFile(f"in/{name}", "w") as file
    ):
        add = file.add if isinstance(file, tarfile.TarFile) else file.write
        add("in/a.png", "1.png")
    Path("in/._b.zip").write_bytes(b"of macOS")
    expected = sorted(["in/a.png", f"in/{name}/1.png", "in/c.png"])
    assert names("in") == names("in/[!.]*") == expected


def test_a_broken_archive_in_a_folder_is_told() -> None:
    Path("in").mkdir()
    Path("in/b.zip").write_bytes(b"no archive")
    assert names("in") == ["in/b.zip"]


def test_a_link_that_leads_to_itself_is_told_and_stops_nothing() -> None:
    picture("in/a.png")
    os.symlink("b.png", "in/b.png")
    picture("in/c.png")
    assert names("in") == ["in/a.png", "in/b.png", "in/c.png"]


def test_pipes_among_pictures_are_not_waited_for_but_lost_ones_are_told() -> None:
    picture("in/b.png")
    os.mkfifo("in/a.png")
    os.symlink("gone", "in/c.png")
    assert names("in") == ["in/b.png", "in/c.png"]


def test_stdin_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with open("/dev/zero", "rb") as zero:
        monkeypatch.setattr(decode, "MAX_SIZE", 10_000)
        with pytest.raises(ImageError, match="- is too large for a pipe: more than 10000 bytes"):
            next(expand(["-"], zero))


@pytest.mark.parametrize("before", [b"", b"a.png\n"])
def test_a_line_without_end_is_no_path(before: bytes) -> None:
    with pytest.raises(ImageError, match="stdin holds a line of more than 65536 bytes"):
        names("-", stdin=before + b"x" * 10**6)


@pytest.mark.parametrize("line", [b"a\0b.png", b"*\0*", b"\xff\xfe.png", b"[", b"**/" * 20])
def test_lines_that_are_no_paths_come_out_as_they_are_or_find_nothing(line: bytes) -> None:
    assert names("-", "gone.png", stdin=line)[-1] == "gone.png"


def test_pictures_are_counted_where_no_file_has_to_be_opened() -> None:
    for name in ("in/a.png", "in/sub/b.jpg", "c.gif"):
        picture(name)
    assert count(["in", "c.gif", "in/*.png", "gone.png"]) == 5
    assert count(["in", "some.zip"]) is None
    assert count(["-"]) is None
