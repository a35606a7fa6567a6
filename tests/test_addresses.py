"""Pictures at addresses: in a memory that fsspec has, and in an S3 on the loopback."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from PIL import Image

from digitcli.data import synthetic
from digitcli.errors import ImageError, MissingExtraError
from digitcli.sources import addresses, parquet, parts
from digitcli.sources.expand import count, expand
from digitcli.sources.parts import cut
from digitcli.sources.source import Source

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
fs = pytest.importorskip("pyarrow.fs")
fsspec = pytest.importorskip("fsspec")
MemoryFile = pytest.importorskip("fsspec.implementations.memory").MemoryFile
moto = pytest.importorskip("moto.server")

Run = Callable[..., Any]
Put = Callable[[str, bytes], None]
PATIENCE = 120
"""Seconds after which something surely hangs."""


@pytest.fixture(autouse=True)
def _no_place_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses._opened.cache_clear()
    for name, value in (
        ("ACCESS_KEY_ID", "me"),
        ("SECRET_ACCESS_KEY", "secret"),
        ("DEFAULT_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(f"AWS_{name}", value)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """Of an S3 that all tests share."""
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> tuple[str, Put]:
    """An empty bucket."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    files = fs.S3FileSystem(endpoint_override=endpoint, allow_bucket_creation=True)
    files.create_dir("digits")
    files.delete_dir_contents("digits")

    def put(name: str, content: bytes) -> None:
        with files.open_output_stream(f"digits/{name}") as file:
            file.write(content)

    return "s3://digits", put


@pytest.fixture
def memory() -> Iterator[tuple[str, Put]]:
    files = fsspec.filesystem("memory")
    yield "memory://digits", lambda name, content: files.pipe(f"/digits/{name}", content)
    files.store.clear()
    files.pseudo_dirs[:] = [""]


@pytest.fixture(params=["memory", "s3"])
def place(request: pytest.FixtureRequest) -> tuple[str, Put]:
    """How addresses begin, and what puts a file there."""
    found: tuple[str, Put] = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths in memory:// that have been opened so far."""
    seen: list[str] = []
    memory = type(fsspec.filesystem("memory"))
    before = memory._open

    def open_and_tell(self: Any, path: str, mode: str = "rb", **options: Any) -> Any:
        seen.append(path)
        return before(self, path, mode, **options)

    monkeypatch.setattr(memory, "_open", open_and_tell)
    return seen


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def rows_of(pictures: list[bytes], group: int = 100) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table({"image": pictures}), file, row_group_size=group)
    return file.getvalue()


def found(*words: str, stdin: bytes = b"") -> list[Source]:
    return list(expand(words, io.BytesIO(stdin)))


def names(*words: str, stdin: bytes = b"") -> list[str]:
    return [source.name for source in found(*words, stdin=stdin)]


def error(word: str) -> str:
    (source,) = found(word)
    assert isinstance(source.content, ImageError)
    assert source.name == word
    return str(source.content)


def test_a_picture_is_called_by_its_address(place: tuple[str, Put]) -> None:
    root, put = place
    for name in ("a.png", "no suffix", "a b%20ü#+.png"):
        put(name, name.encode())
        assert found(f"{root}/{name}") == [Source(f"{root}/{name}", name.encode())]


def test_a_folder_gives_its_pictures_and_parquet_sorted_and_its_subfolders_too(
    place: tuple[str, Put],
) -> None:
    root, put = place
    for name in (
        "in/b.png",
        "in/a.JPG",
        "in/._b.png",
        "in/notes.txt",
        "in/p/d.bmp",
        "in/p-/c.bmp",
        "in/p/q/a.gif",
        "in/p/q.png/notes.txt",
    ):
        put(name, b"x")
    put("in/p/rows.parquet", rows_of([b"1", b"2"]))
    inside = ["a.JPG", "b.png", "p/d.bmp", "p/rows.parquet[0]", "p/rows.parquet[1]", "p/q/a.gif", "p-/c.bmp"]
    for word in (f"{root}/in", f"{root}/in/", root):
        assert names(word) == [f"{root}/in/{name}" for name in inside]


def test_patterns_are_expanded_part_by_part(place: tuple[str, Put]) -> None:
    root, put = place
    for name in ("in/b.png", "in/a.png", "in/c.dat", "in/sub/d.png", "in/sub/d.txt", "on/e.png"):
        put(name, b"x")
    assert names(f"{root}/in/*.png") == [f"{root}/in/{name}" for name in ("a.png", "b.png")]
    assert names(f"{root}/in/[bc].*") == [f"{root}/in/{name}" for name in ("b.png", "c.dat")]
    assert names(f"{root}/?n/*.png") == [f"{root}/{name}" for name in ("in/a.png", "in/b.png", "on/e.png")]
    assert names(f"{root}/in/s*") == [f"{root}/in/sub/d.png"]
    assert error(f"{root}/in/*.gif") == f"{root}/in/*.gif: no such file."
    assert "have no **. Name the folder" in error(f"{root}/**/*.png")


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(place: tuple[str, Put]) -> None:
    root, put = place
    for name in ("a[1].png", "a1.png"):
        put(name, b"x")
    assert names(f"{root}/a[1].png") == [f"{root}/a[1].png"]
    assert names(root) == [f"{root}/a1.png", f"{root}/a[1].png"]


def test_archives_arrays_and_parquet_are_known_by_their_content(place: tuple[str, Put]) -> None:
    root, put = place
    Path("a.png").write_bytes(b"picture")
    with zipfile.ZipFile("1", "w") as file:
        file.write("a.png")
    with tarfile.open("2", "w:gz") as file:
        file.add("a.png")
    np.save("3.npy", np.zeros((2, 28, 28), np.uint8))
    Path("4").write_bytes(rows_of([b"picture"]))
    for content, inside in (("1", ["/a.png"]), ("2", ["/a.png"]), ("3.npy", ["[0]", "[1]"]), ("4", ["[0]"])):
        put("some", Path(content).read_bytes())
        sources = found(f"{root}/some")
        assert [source.name for source in sources] == [f"{root}/some{each}" for each in inside]
        if content != "3.npy":
            assert sources[0].content == b"picture"


def test_lines_of_stdin_may_be_addresses(memory: tuple[str, Put]) -> None:
    root, put = memory
    put("a.png", b"x")
    assert names("-", stdin=f"{root}/a.png\n{root}\ngone.png\n".encode()) == [
        *[f"{root}/a.png"] * 2,
        "gone.png",
    ]


def test_each_is_read_once_in_its_order_and_a_few_ahead(
    memory: tuple[str, Put], opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "AHEAD", 2)
    root, put = memory
    for number in range(9):
        put(f"{number}.png", bytes([number]))
    del opened[:]
    taken: list[str] = []
    sources = addresses.pictures(
        taken.append(each) or each for each in (f"{root}/{number}.png" for number in range(9))
    )
    assert taken == []
    assert next(sources) == Source(f"{root}/0.png", bytes([0]))
    assert len(taken) == 3
    assert [source.content for source in sources] == [bytes([number]) for number in range(1, 9)]
    assert sorted(opened) == [f"/digits/{number}.png" for number in range(9)]


def test_a_photo_is_asked_for_in_few_pieces(memory: tuple[str, Put], monkeypatch: pytest.MonkeyPatch) -> None:
    root, put = memory
    photo = bytes(3 * 2**20 + 1)
    put("a.jpg", photo)
    pieces: list[int] = []
    read = MemoryFile.read

    def tell(self: Any, size: int = -1) -> bytes:
        pieces.append(size)
        return bytes(read(self, size))

    monkeypatch.setattr(MemoryFile, "read", tell)
    assert found(f"{root}/a.jpg") == [Source(f"{root}/a.jpg", photo)]
    assert len(pieces) <= 3


def test_large_ones_are_held_alone(memory: tuple[str, Put], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "_MOST_AHEAD", 10)
    root, put = memory
    for name in ("a.png", "b.png"):
        put(name, bytes(11))
    seen: list[int] = []
    picture = addresses._picture

    def tell(address: str, most: int) -> Source | None:
        found = picture(address, most)
        seen.append(most if found else 0)
        return found

    monkeypatch.setattr(addresses, "_picture", tell)
    assert len(found(root)) == 2
    assert sorted(seen) == [0, 0, addresses.MAX_SIZE, addresses.MAX_SIZE]


def test_addresses_are_not_counted_since_they_would_be_listed_twice(memory: tuple[str, Put]) -> None:
    root, put = memory
    put("a.png", b"x")
    assert count([f"{root}/*.png"]) is None


def test_parquet_is_known_by_its_name_and_opened_once(memory: tuple[str, Put], opened: list[str]) -> None:
    root, put = memory
    put("rows.parquet", rows_of([b"1"]))
    del opened[:]
    assert names(f"{root}/rows.parquet") == [f"{root}/rows.parquet[0]"]
    assert opened == ["/digits/rows.parquet"]


def test_what_is_not_there_is_told_and_the_others_are_read(digitcli: Run, place: tuple[str, Put]) -> None:
    root, put = place
    image = synthetic.generate(1, seed=3).images[0]
    put("a.png", png(image))
    Path("here.png").write_bytes(png(image))
    done = digitcli("predict", f"{root}/gone.png", f"{root}/a.png", "here.png", "--format", "plain")
    assert done.exit_code == 1
    gone, there, here = [line.split("\t") for line in done.stdout.splitlines()]
    assert gone == [f"{root}/gone.png", "", "", f"{root}/gone.png: no such file."]
    assert there == [f"{root}/a.png", *here[1:]]


def test_an_empty_folder_is_no_picture(memory: tuple[str, Put]) -> None:
    root, put = memory
    put("in/notes.txt", b"x")
    with pytest.raises(ImageError, match="No pictures in memory://digits/in"):
        found(f"{root}/in")


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("nobody://knows/this.png", "Protocol not known: nobody"),
        ("https://example.org/a.png", "the web has no folders. Download it first"),
        ("file://host/a.png", "Unsupported hostname in non-Windows local URI: 'file://host/'"),
        ("s3://", "Missing bucket name in S3 URI"),
    ],
)
def test_what_nobody_can_read_is_told(word: str, why: str) -> None:
    assert error(word) == f"{word} cannot be read: {why}."


@pytest.mark.parametrize("name", ["a.png", "no-suffix", "a.parquet"])
@pytest.mark.parametrize("broken", ["open", "read", "list"])
def test_whatever_goes_wrong_is_a_row_of_few_words(
    memory: tuple[str, Put], name: str, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class OddError(Exception):
        pass

    def fail(*about: Any, **options: Any) -> None:
        raise OddError("it is a long story, " * 1000)

    root, put = memory
    put(name, rows_of([b"x"]))
    files = type(fsspec.filesystem("memory"))
    of, method = {"open": (files, "_open"), "read": (MemoryFile, "read"), "list": (files, "info")}[broken]
    monkeypatch.setattr(of, method, fail)
    told = error(f"{root}/{name}")
    assert "it is a long story," in told
    assert len(told) < 400


def test_what_cannot_be_reached_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def fail(root: str) -> None:
        tried.append(root)
        raise OSError("nobody answers")

    monkeypatch.setattr(fsspec.core, "url_to_fs", fail)
    assert error("memory://far/a.png") == "memory://far/a.png cannot be read: nobody answers."
    assert error("memory://far/b.png") == "memory://far/b.png cannot be read: nobody answers."
    assert tried == ["memory://far/"]


class _Refusing(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(403)

    def do_HEAD(self) -> None:
        self.send_error(403)

    def log_message(self, *about: Any) -> None:
        pass


@pytest.mark.parametrize("word", ["s3://digits/a.png", "s3://digits", "s3://digits/*.png"])
def test_what_is_not_allowed_is_told(monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    with HTTPServer(("127.0.0.1", 0), _Refusing) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        try:
            told = error(word)
        finally:
            server.shutdown()
            thread.join()
    assert "ACCESS_DENIED" in told
    assert told.startswith(f"{word} cannot be read: ")
    assert len(told) < 400


def test_a_picture_that_is_too_large_is_not_held(
    memory: tuple[str, Put], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, put = memory
    monkeypatch.setattr(addresses, "_MOST_AHEAD", 5)
    monkeypatch.setattr(addresses, "MAX_SIZE", 10)
    put("a.png", bytes(11))
    put("b.png", bytes(10))
    assert error(f"{root}/a.png") == "memory://digits/a.png is too large: more than 10 bytes."
    assert found(f"{root}/b.png") == [Source(f"{root}/b.png", bytes(10))]


def test_a_password_is_not_taken_as_it_would_be_written_down(digitcli: Run) -> None:
    done = digitcli("predict", "s3://me:secret@digits/a.png")
    assert done.exit_code == 2
    assert "A password in an address would stand in the results" in done.stderr
    assert "me:secret" not in done.stdout + done.stderr


def test_a_file_that_is_called_like_an_address_is_that_file() -> None:
    Path("memory:").mkdir()
    Path("memory:/a.png").write_bytes(b"x")
    assert found("memory://a.png") == [Source("memory://a.png", "memory://a.png")]


def test_addresses_of_this_machine_are_its_paths() -> None:
    folder = Path("some folder").absolute()
    folder.mkdir()
    for name in ("b.png", "a.png"):
        (folder / name).write_bytes(b"x")
    (folder / "loop").symlink_to(folder)
    (folder / "rows.parquet").write_bytes(rows_of([b"1", b"2"]))
    with zipfile.ZipFile(folder / "some.zip", "w") as file:
        file.writestr("c.png", b"x")
    np.save(folder / "some.npy", np.zeros((28, 28), np.uint8))
    begin = f"file://{folder}".replace(" ", "%20")
    assert names(begin) == [f"{folder}/{name}" for name in ("a.png", "b.png", "some.zip/c.png")]
    assert names(f"{begin}/b.png", f"{begin}/*.npy") == [f"{folder}/b.png", f"{folder}/some.npy[0]"]
    inside = ["rows.parquet[0]", "rows.parquet[1]", "some.zip/c.png"]
    assert names(f"{begin}/rows.parquet", f"{begin}/some.zip") == [f"{folder}/{name}" for name in inside]
    assert names("file:///gone.png") == ["/gone.png"]


def test_without_pyarrow_or_fsspec_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="fsspec, which may know memory://, is not installed"):
        found("memory://x/a.png")
    monkeypatch.setattr(parquet, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'digitcli\[parquet\]'"):
        found("s3://x/a.png")
    with pytest.raises(MissingExtraError):  # as on another machine, which did not find it itself
        list(addresses.pictures(["s3://x/a.png"]))


class TestParts:
    """What other processes are given."""

    @pytest.fixture(autouse=True)
    def few_make_a_part(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(parts, "PICTURES", 3)
        monkeypatch.setattr(parts, "BYTES", 1000)

    def test_pictures_are_cut_by_the_listing_alone(self, memory: tuple[str, Put], opened: list[str]) -> None:
        root, put = memory
        for number in range(4):
            put(f"small/{number}.png", b"x")
            put(f"large/{number}.png", bytes(600))
        del opened[:]
        cuts = list(cut([f"{root}/small", f"{root}/large"], io.BytesIO()))
        assert opened == []
        assert [len(part.paths) for part in cuts] == [3, 3, 2]
        assert [source.content for part in cuts for source in part.sources()] == [b"x"] * 4 + [bytes(600)] * 4

    def test_parquet_is_cut_into_rows(self, place: tuple[str, Put]) -> None:
        root, put = place
        pictures = [bytes([n]) * 30 for n in range(8)]
        put("rows.parquet", rows_of(pictures, group=4))
        cuts = list(cut([root], io.BytesIO()))
        assert [part.rows for part in cuts] == [range(4), range(4, 8)]
        assert [source.content for part in cuts for source in part.sources()] == pictures

    def test_what_cannot_be_read_is_a_row_of_a_part(self, memory: tuple[str, Put]) -> None:
        root, put = memory
        put("a.png", b"x")
        (part,) = cut([f"{root}/gone", f"{root}/a.png", "nobody://knows"], io.BytesIO())
        gone, there, unknown = part.sources()
        assert str(gone.content) == "memory://digits/gone: no such file."
        assert there == Source("memory://digits/a.png", b"x")
        assert "Protocol not known" in str(unknown.content)


@pytest.mark.slow
@pytest.mark.skipif(not find_spec("ray"), reason="Ray is not installed")
def test_other_processes_read_the_same_as_this_one(digitcli: Run, s3: tuple[str, Put]) -> None:
    root, put = s3
    pictures = list(map(png, synthetic.generate(6, seed=4).images))
    put("rows.parquet", rows_of([*pictures, b"no picture"]))
    put("folder/a.png", pictures[0])
    Path("here.png").write_bytes(pictures[1])
    words = [root, f"{root}/gone.png", f"file://{Path('here.png').absolute()}"]
    local = digitcli("predict", *words, "--output", "local.parquet")
    command = [sys.executable, "-m", "digitcli", "predict", *words, "--engine", "ray", "--output", "out"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == local.exit_code == 1, done.stderr
    assert done.stderr.splitlines()[1:] == [
        "Wrote out: 10 pictures.",
        "Warning: 2 of 10 pictures could not be read.",
    ]
    columns = ["path", "text", "error"]
    rows = [
        row
        for part in sorted(Path("out").iterdir())
        for row in pq.read_table(part, columns=columns).to_pylist()
    ]
    assert rows == pq.read_table("local.parquet", columns=columns).to_pylist()
