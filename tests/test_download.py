from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from mirror import Mirror, mirror

from digitcli.data import download
from digitcli.errors import DataError, OutputError

CONTENT = {"images": bytes(range(256)) * 400, "labels": b"digits"}
HASHES = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()}
PACKED = {f"{name}.gz": gzip.compress(content, 0, mtime=0) for name, content in CONTENT.items()}
NOWHERE = "http://127.0.0.1:9/"  # the discard port, where nothing listens


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "mnist"
    path.mkdir()
    return path


@pytest.fixture
def good() -> Iterator[Mirror]:
    with mirror(dict(PACKED)) as served:
        yield served


@pytest.fixture
def other() -> Iterator[Mirror]:
    with mirror(dict(PACKED)) as served:
        yield served


def fetch(folder: Path, *mirrors: Mirror | str) -> list[download.Fetched]:
    sources = [source if isinstance(source, str) else source.url for source in mirrors]
    return download.fetch(folder, sources=sources, files=HASHES)


def assert_complete(folder: Path) -> None:
    assert {path.name: gzip.decompress(path.read_bytes()) for path in folder.iterdir()} == {
        f"{name}.gz": content for name, content in CONTENT.items()
    }


def test_all_files_arrive_with_their_source_and_progress(folder: Path, good: Mirror) -> None:
    progress: list[tuple[int, int | None]] = []
    found = download.fetch(folder, lambda *step: progress.append(step), sources=[good.url], files=HASHES)
    assert_complete(folder)
    assert [(file.path.name, file.mirror) for file in found] == [
        ("images.gz", good.url),
        ("labels.gz", good.url),
    ]
    size = len(PACKED["images.gz"])
    assert (size, size) in progress


def test_genuine_files_are_not_fetched_again(folder: Path, good: Mirror) -> None:
    fetch(folder, good)
    found = fetch(folder, good)
    assert [file.mirror for file in found] == [None, None]
    assert len(good.requests) == 2


def test_a_file_that_is_not_genuine_is_replaced(folder: Path, good: Mirror) -> None:
    (folder / "images.gz").write_bytes(b"something else")
    fetch(folder, good)
    assert_complete(folder)


def test_a_download_that_was_cut_off_goes_on_where_it_stopped(folder: Path, good: Mirror) -> None:
    good.cut_after, good.cuts = 70_000, 1
    fetch(folder, good)
    assert_complete(folder)
    assert good.requests[:2] == [("images.gz", None), ("images.gz", "bytes=70000-")]


def test_another_run_goes_on_where_the_first_one_stopped(folder: Path, good: Mirror) -> None:
    (folder / ".images.gz.part").write_bytes(PACKED["images.gz"][:1000])
    fetch(folder, good)
    assert_complete(folder)
    assert good.requests[0] == ("images.gz", "bytes=1000-")


def test_a_part_that_is_the_whole_file_is_used(folder: Path, good: Mirror) -> None:
    (folder / ".images.gz.part").write_bytes(PACKED["images.gz"])
    fetch(folder, good)
    assert_complete(folder)


def test_a_server_that_cannot_resume_sends_the_whole_file(folder: Path, good: Mirror) -> None:
    good.cut_after, good.cuts, good.ignores_range = 70_000, 1, True
    fetch(folder, good)
    assert_complete(folder)
    assert [name for name, _ in good.requests] == ["images.gz", "images.gz", "labels.gz"]


def test_a_part_from_a_mirror_that_packs_differently_is_thrown_away(folder: Path, good: Mirror) -> None:
    (folder / ".images.gz.part").write_bytes(gzip.compress(CONTENT["images"], 9)[:200])
    fetch(folder, good)
    assert_complete(folder)
    assert good.requests[:2] == [("images.gz", "bytes=200-"), ("images.gz", None)]


def test_a_mirror_that_always_cuts_off_gives_way_to_the_next(
    folder: Path, good: Mirror, other: Mirror
) -> None:
    good.cut_after, good.cuts = 10, 1000
    fetch(folder, good, other)
    assert_complete(folder)
    assert other.requests[0] == ("images.gz", f"bytes={10 * download.ATTEMPTS}-")


def test_wrong_bytes_are_never_kept_and_the_next_mirror_is_asked(
    folder: Path, good: Mirror, other: Mirror
) -> None:
    good.files["images.gz"] = gzip.compress(b"wrong")
    found = fetch(folder, good, other)
    assert_complete(folder)
    assert found[0].mirror == other.url


def test_the_error_lists_each_mirror_with_its_reason(folder: Path, good: Mirror, other: Mirror) -> None:
    good.files["images.gz"] = b"no gzip at all"
    del other.files["images.gz"]
    with pytest.raises(DataError) as caught:
        fetch(folder, good, other, NOWHERE)
    lines = str(caught.value).splitlines()
    assert lines[0] == "images.gz could not be downloaded:"
    assert "its content is not the original's" in lines[1]
    assert f"{other.url}images.gz: 404 Not Found" in lines[2]
    assert "refused" in lines[3]
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_an_output_error(folder: Path, good: Mirror) -> None:
    (folder / "file").write_text("in the way")
    with pytest.raises(OutputError, match="Cannot write"):
        fetch(folder / "file" / "folder", good)


def test_digitcli_mirror_replaces_the_known_mirrors(monkeypatch: pytest.MonkeyPatch) -> None:
    assert download.mirrors() == download.MIRRORS
    monkeypatch.setenv("DIGITCLI_MIRROR", "http://127.0.0.1:9/mnist")
    assert list(download.mirrors()) == ["http://127.0.0.1:9/mnist/"]
