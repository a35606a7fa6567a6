from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from digitcli.errors import ImageError
from digitcli.sources import archives
from digitcli.sources.source import Source

MEMBERS = {"b.png": b"first" * 300, "in/a.JPG": b"second" * 300, "../../etc/c.gif": b"third" * 300}
OTHERS = {"notes.txt": b"x", "__MACOSX/._b.png": b"x", ".hidden.png": b"x"}
KINDS = ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"]


def archive(kind: str) -> Path:
    path = Path(f"of.{kind}")
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for name, content in (MEMBERS | OTHERS).items():
                file.writestr(name, content)
        return path
    with tarfile.open(path, "w:" + kind.partition(".")[2]) as file:
        for name, content in (MEMBERS | OTHERS).items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    return path


def errors(sources: list[Source]) -> list[str]:
    return [str(source.content) for source in sources if isinstance(source.content, ImageError)]


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_come_in_the_order_of_the_archive_and_nothing_is_written(kind: str) -> None:
    path = archive(kind)
    assert archives.recognises(path)
    before = sorted(Path().rglob("*"))
    assert list(archives.read(path)) == [
        Source(f"{path}/{name}", content) for name, content in MEMBERS.items()
    ]
    assert sorted(Path().rglob("*")) == before


@pytest.mark.parametrize(
    "content", [b"", b"PK", b"no archive at all" * 50, b"\x1f\x8b\x08broken", b"BZh91AY"]
)
def test_other_files_are_not_recognised(content: bytes) -> None:
    Path("x").write_bytes(content)
    assert not archives.recognises(Path("x"))


def test_a_damaged_member_of_a_zip_has_its_error_and_the_rest_is_read() -> None:
    path = archive("zip")
    content = bytearray(path.read_bytes())
    content[content.index(b"in/a.JPG") + 12] ^= 0xFF
    path.write_bytes(content)
    first, second, third = archives.read(path)
    assert first.content == MEMBERS["b.png"]
    assert "of.zip/in/a.JPG is damaged in its archive" in str(second.content)
    assert third.content == MEMBERS["../../etc/c.gif"]


def test_an_encrypted_member_of_a_zip_has_its_error() -> None:
    path = archive("zip")
    content = bytearray(path.read_bytes())
    directory = content.index(b"PK\x01\x02")
    content[directory + 8] |= 1  # the flag of encryption
    path.write_bytes(content)
    sources = list(archives.read(path))
    assert errors(sources) == ["of.zip/b.png is encrypted. Unpack the archive first."]
    assert len(sources) == 3


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_member_that_would_fill_the_memory_is_refused(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_SIZE", 1600)
    sources = list(archives.read(archive(kind)))
    assert [source.content for source in sources if isinstance(source.content, bytes)] == [
        b"first" * 300,
        b"third" * 300,
    ]
    assert "in/a.JPG is too large: 1800 bytes" in errors(sources)[0]


@pytest.mark.parametrize(("kind", "kept"), [("zip", 0), ("tar", 1), ("tar.gz", 1)])
def test_of_a_truncated_archive_what_is_whole_is_read_and_the_rest_is_an_error(kind: str, kept: int) -> None:
    path = archive(kind)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2 if kind != "tar" else 2600])
    sources = list(archives.read(path))
    assert len(sources) == kept + 1
    assert errors(sources)[0].startswith(f"{path} is a damaged {kind[:3]} archive: ")


def test_a_damaged_header_in_a_tar_is_not_taken_for_its_end() -> None:
    path = archive("tar")
    content = bytearray(path.read_bytes())
    content[content.index(b"in/a.JPG") + 100] ^= 0xFF
    path.write_bytes(content)
    first, lost = archives.read(path)
    assert first.content == MEMBERS["b.png"]
    assert "of.tar is a damaged tar archive" in str(lost.content)


def test_links_in_a_tar_are_passed_over() -> None:
    with tarfile.open("links.tar", "w") as file:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
            member = tarfile.TarInfo("link.png")
            member.type, member.linkname = kind, "/etc/passwd"
            file.addfile(member)
    assert list(archives.read(Path("links.tar"))) == []
