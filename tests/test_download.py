from __future__ import annotations

import gzip
import hashlib
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from filelock import FileLock
from mirror import Mirror, mirror, proxy

from digitcli.data import download, load
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
    assert {path.name: gzip.decompress(path.read_bytes()) for path in kept(folder)} == {
        f"{name}.gz": content for name, content in CONTENT.items()
    }


def kept(folder: Path) -> list[Path]:
    """What lies in the folder, but for the lock."""
    return [path for path in folder.iterdir() if path.name != ".lock"]


def refusal(folder: Path, *mirrors: Mirror | str) -> str:
    """Why images.gz cannot be had from the last of the mirrors; nothing of it is kept."""
    with pytest.raises(DataError) as caught:
        fetch(folder, *mirrors)
    assert kept(folder) == []
    return str(caught.value).splitlines()[-1].partition("/images.gz: ")[2]


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
    assert kept(folder) == []


def test_a_folder_that_cannot_be_made_is_an_output_error(folder: Path, good: Mirror) -> None:
    (folder / "file").write_text("in the way")
    with pytest.raises(OutputError, match="Cannot write"):
        fetch(folder / "file" / "folder", good)


def test_digitcli_mirror_replaces_the_known_mirrors(monkeypatch: pytest.MonkeyPatch) -> None:
    assert download.mirrors() == download.MIRRORS
    monkeypatch.setenv("DIGITCLI_MIRROR", "http://127.0.0.1:9/mnist")
    assert list(download.mirrors()) == ["http://127.0.0.1:9/mnist/"]


def test_a_server_that_lies_about_where_its_answer_begins_is_asked_anew(folder: Path, good: Mirror) -> None:
    good.cut_after, good.cuts, good.shift = 70_000, 1, 10
    fetch(folder, good)
    assert_complete(folder)
    assert [wanted for _, wanted in good.requests[:3]] == [None, "bytes=70000-", None]


def test_a_server_that_stalls_is_asked_for_the_rest(
    folder: Path, good: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "TIMEOUT", 0.2)
    good.cut_after, good.cuts, good.stalls = 1000, 1, True
    fetch(folder, good)
    assert_complete(folder)
    assert good.requests[1] == ("images.gz", "bytes=1000-")


def test_a_server_that_says_nothing_is_given_up(
    folder: Path, good: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "TIMEOUT", 0.2)
    good.cuts, good.stalls = 1, True
    assert refusal(folder, good) == "nothing came for 0.2 seconds"


def test_an_endless_answer_is_cut_short(
    folder: Path, good: Mirror, other: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "MOST_BYTES", 500_000)
    good.endless = True
    assert refusal(folder, good) == "sends more than 500000 bytes, which no file of MNIST has"
    assert fetch(folder, good, other)[0].mirror == other.url
    assert_complete(folder)


def test_what_is_said_to_be_far_too_long_is_not_received(folder: Path, good: Mirror) -> None:
    good.files["images.gz"] = bytes(download.MOST_BYTES + 1)
    received: list[int] = []
    with pytest.raises(DataError, match="sends more than"):
        download.fetch(folder, lambda done, total: received.append(done), sources=[good.url], files=HASHES)
    assert received == []


def test_what_unpacks_to_far_more_is_refused_whatever_its_hash(
    folder: Path, good: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "MOST_BYTES", len(CONTENT["images"]) - download.CHUNK)
    good.files["images.gz"] = gzip.compress(CONTENT["images"])
    assert refusal(folder, good) == "its content is not the original's (SHA-256 differs)"


@pytest.mark.parametrize(
    ("status", "headers", "told"),
    [
        (404, {}, "404 Not Found"),
        (416, {}, "416 Requested Range Not Satisfiable"),
        (429, {}, "429 Too Many Requests"),
        (429, {"Retry-After": "120"}, "429 Too Many Requests; it asks to wait 120 seconds"),
        (500, {}, "500 Internal Server Error"),
        (503, {"Retry-After": "\x1b[31mnever"}, "503 Service Unavailable"),
        (599, {}, "599"),
    ],
)
def test_a_server_that_refuses_gives_way_to_the_next(
    folder: Path, good: Mirror, other: Mirror, status: int, headers: dict[str, str], told: str
) -> None:
    good.refusal = status, headers
    assert refusal(folder, good) == told
    assert len(good.requests) == 1
    assert fetch(folder, good, other)[0].mirror == other.url
    assert_complete(folder)


@pytest.mark.parametrize("length", ["some", "-5", "9" * 5000])
def test_a_length_that_is_none_is_a_fault_of_the_server(folder: Path, good: Mirror, length: str) -> None:
    good.refusal = 200, {"Content-Length": length}
    refusal(folder, good)


def test_a_redirect_from_http_is_followed(folder: Path, good: Mirror, other: Mirror) -> None:
    good.redirect = other.url
    fetch(folder, good)
    assert_complete(folder)


def test_a_redirect_to_another_protocol_is_refused(folder: Path, good: Mirror) -> None:
    good.redirect = "ftp://127.0.0.1:9/"
    assert refusal(folder, good) == "redirects to ftp://127.0.0.1:9/images.gz, which is not safe"


@pytest.mark.parametrize("target", ["file:///", f"http://{'a' * 70}.test/", "http://[/"])
def test_a_redirect_to_nowhere_is_refused(folder: Path, good: Mirror, target: str) -> None:
    good.redirect = target
    refusal(folder, good)


class Authority:
    """A certificate authority of its own, and a mirror that speaks https with a certificate of it."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(self.context)
        self.file = folder / "authority.pem"
        authority.cert_pem.write_to_path(str(self.file))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def trusted(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))


@pytest.fixture
def secure(authority: Authority) -> Iterator[Mirror]:
    with mirror(dict(PACKED), authority.context) as served:
        yield served


@pytest.mark.usefixtures("trusted")
def test_https_with_a_certificate_that_is_trusted_works(folder: Path, secure: Mirror) -> None:
    fetch(folder, secure)
    assert_complete(folder)


def test_a_certificate_that_nobody_vouches_for_is_refused_with_the_way_out(
    folder: Path, secure: Mirror
) -> None:
    told = refusal(folder, secure)
    assert told.startswith("its certificate cannot be verified (")
    assert "SSL_CERT_FILE" in told
    assert secure.requests == []


def test_a_machine_without_any_certificate_authority_refuses_too(
    folder: Path, secure: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "none"))
    monkeypatch.setenv("SSL_CERT_DIR", str(folder / "none"))
    assert "SSL_CERT_FILE" in refusal(folder, secure)


@pytest.mark.usefixtures("trusted")
def test_a_redirect_from_https_to_https_is_followed(
    folder: Path, secure: Mirror, authority: Authority
) -> None:
    with mirror(dict(PACKED), authority.context) as second:
        secure.redirect = second.url
        fetch(folder, secure)
    assert_complete(folder)


@pytest.mark.usefixtures("trusted")
def test_a_redirect_from_https_to_plain_http_is_refused(folder: Path, secure: Mirror, good: Mirror) -> None:
    secure.redirect = good.url
    assert refusal(folder, secure) == f"redirects to {good.url}images.gz, which is not safe"
    assert good.requests == []


def test_the_proxy_that_the_environment_names_is_used(
    folder: Path, good: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxy(good) as (url, asked):
        monkeypatch.setenv("http_proxy", url)
        fetch(folder, "http://mnist.test/")
    assert_complete(folder)
    assert asked == ["http://mnist.test/images.gz", "http://mnist.test/labels.gz"]


@pytest.mark.parametrize("protocol", ["http", "https"])
def test_a_dead_proxy_is_named_without_its_password(
    folder: Path, protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{protocol}_proxy", "http://me:secret@127.0.0.1:9/")
    told = refusal(folder, f"{protocol}://mnist.test/")
    assert told == "Connection refused (asked through the proxy 127.0.0.1:9, which the environment names)"


def test_files_that_are_there_need_no_writing(folder: Path, good: Mirror) -> None:
    fetch(folder, good)
    (folder / ".lock").unlink()
    fetch(folder, good)
    assert not (folder / ".lock").exists()


FETCH = """
import sys
from pathlib import Path
from digitcli.data import download, load

{before}
hashes = dict(word.split("=") for word in sys.argv[3:])
try:
    download.fetch(Path(sys.argv[1]), on_note=lambda text: print(text, flush=True),
                   sources=[sys.argv[2]], files=hashes)
except Exception as error:
    sys.exit(f"{{type(error).__name__}}: {{error}}")
"""


def in_another_process(folder: Path, source: str, before: str = "") -> subprocess.Popen[str]:
    """A download there; what it notes comes through stdout."""
    words = [str(folder), source, *(f"{name}={value}" for name, value in HASHES.items())]
    return subprocess.Popen(
        [sys.executable, "-c", FETCH.format(before=before), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_downloads_into_one_folder_are_one_download(folder: Path, good: Mirror) -> None:
    good.cuts, good.stalls = 1, True  # the first one is in the middle of it until the mirror lets it go
    good.cut_after = 1000
    first = in_another_process(folder, good.url, "download.ATTEMPTS = 2")
    assert good.asked.wait(30)
    with in_another_process(folder, good.url) as second:
        assert second.stdout
        assert second.stdout.readline() == f"Another digitcli is downloading to {folder}. Waiting for it.\n"
        good.closing.set()
        assert (second.wait(), first.wait()) == (0, 0)
    assert_complete(folder)
    assert [name for name, _ in good.requests] == ["images.gz", "images.gz", "labels.gz"]


@pytest.mark.parametrize(
    "words",
    [["data", "fetch"], ["evaluate"], ["data", "convert", "mnist", "out", "-f", "npz"]],
    ids=" ".join,
)
def test_commands_say_that_they_wait(words: list[str]) -> None:
    cache = load.cache_folder()
    cache.mkdir(parents=True)
    command = [sys.executable, "-m", "digitcli", *words]
    environment = {**os.environ, "DIGITCLI_MIRROR": NOWHERE}
    with FileLock(cache / ".lock"):
        process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        assert process.stderr
        told = [process.stderr.readline() for _ in range(1 + (words[0] == "evaluate"))]  # first its model
    _, rest = process.communicate()
    assert told[-1] == f"Another digitcli is downloading to {cache}. Waiting for it.\n"
    assert (process.returncode, "Connection refused" in rest) == (1, True)


def test_a_killed_download_leaves_no_lock(folder: Path, good: Mirror) -> None:
    good.cuts, good.stalls = 1, True
    with in_another_process(folder, good.url) as killed:
        assert good.asked.wait(30)
        killed.send_signal(signal.SIGKILL)
    notes: list[str] = []
    download.fetch(folder, on_note=notes.append, sources=[good.url], files=HASHES)
    assert_complete(folder)
    assert notes == []


def test_a_disk_that_fills_up_is_told_as_such_and_what_came_is_resumed(folder: Path, good: Mirror) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (70_000, 70_000))"
    with in_another_process(folder, good.url, limit) as process:
        _, told = process.communicate()
    assert told == f"OutputError: Cannot write to {folder}: File too large.\n"
    assert [path.name for path in kept(folder)] == [".images.gz.part"]
    fetch(folder, good)
    assert_complete(folder)
    assert good.requests[1] == ("images.gz", "bytes=70000-")
