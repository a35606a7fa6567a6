from __future__ import annotations

import copy
import gzip
import io
import struct
import sys
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import measured
import pytest

from digitcli.errors import ImageError
from digitcli.sources import archives
from digitcli.sources.source import Source
from digitcli.system import limits

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


def test_links_devices_and_folders_in_a_tar_are_passed_over() -> None:
    kinds = (
        tarfile.SYMTYPE,
        tarfile.LNKTYPE,
        tarfile.FIFOTYPE,
        tarfile.CHRTYPE,
        tarfile.BLKTYPE,
        tarfile.DIRTYPE,
    )
    with tarfile.open("links.tar", "w") as file:
        for kind in kinds:
            member = tarfile.TarInfo("link.png")
            member.type, member.linkname = kind, "/etc/passwd"
            file.addfile(member)
    assert list(archives.read(Path("links.tar"))) == []


def test_archives_in_archives_are_passed_over() -> None:
    inner = archive("zip").read_bytes()
    with zipfile.ZipFile("outer.zip", "w") as file:
        file.writestr("inner.zip", inner)
        file.writestr("called.png", inner)
    assert list(archives.read(Path("outer.zip"))) == [Source("outer.zip/called.png", inner)]


def tar(path: str, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    """An archive of headers and what follows each, whether that fits or not."""
    content = b"".join(member.tobuf(tarfile.GNU_FORMAT) + data for member, data in members)
    packer = gzip.compress if path.endswith("gz") else bytes
    Path(path).write_bytes(packer(content + bytes(1024)))
    return Path(path)


def member(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.size, header.type = size, kind
    return header


def test_much_that_unpacks_between_pictures_is_refused_with_what_came_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "UNPACKED_FREELY", 2**20)
    size = 2**25
    path = tar(
        "bomb.tar.gz",
        (member("a.png", 512), b"a" * 512),
        (member("filler.bin", size), bytes(size)),
        (member("b.png", 512), b"b" * 512),
    )
    first, refused = archives.read(path)
    assert first.content == b"a" * 512
    assert str(refused.content) == (
        "bomb.tar.gz is a damaged tar archive: it unpacks to more than 200 times its size, as made to fill a"
        " computer."
    )


@pytest.mark.parametrize("lying", [False, True])
def test_members_of_a_zip_that_lie_over_each_other_are_refused(
    lying: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "UNPACKED_FREELY", 2**20)
    with zipfile.ZipFile("bomb.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("0.png", bytes(2**18))
        (kernel,) = file.filelist
        for number in range(1, 2000):
            again = copy.copy(kernel)
            again.filename = f"{number}.png"
            file.filelist.append(again)
    if lying:  # of what is packed, so that the ratio looks honest
        content = Path("bomb.zip").read_bytes()
        directory = content.index(b"PK\x01\x02")
        packed = kernel.compress_size.to_bytes(4, "little")
        lies = content[directory:].replace(packed, (2**17).to_bytes(4, "little"))
        Path("bomb.zip").write_bytes(content[:directory] + lies)
    *some, refused = archives.read(Path("bomb.zip"))
    assert len(some) < 200
    assert "unpacks to more than 200 times its size" in str(refused.content)


def test_sizes_that_lie_give_errors_of_their_members() -> None:
    path = archive("zip")
    content = bytearray(path.read_bytes())
    directory = content.index(b"PK\x01\x02")
    content[directory + 24 : directory + 28] = (10).to_bytes(4, "little")
    path.write_bytes(content)
    sources = list(archives.read(path))
    assert len(sources) == 3
    assert errors(sources)[0].startswith("of.zip/b.png is damaged in its archive: Bad CRC-32")


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE])
@pytest.mark.parametrize("suffix", ["tar", "tar.gz"])
def test_a_header_in_a_tar_that_would_fill_the_memory_is_refused(kind: bytes, suffix: str) -> None:
    size = 2**27 if suffix == "tar.gz" else 2**40  # as much as may be unpacked, or any
    path = tar(f"bomb.{suffix}", (member("a.png", 512), b"a" * 512), (member("x", size, kind), bytes(2**20)))
    tracemalloc.start()
    first, refused = archives.read(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert first.content == b"a" * 512
    assert f"a header of {size} bytes" in str(refused.content)
    assert peak < 2**20


def test_headers_within_headers_without_end_are_damage() -> None:
    names = [(member("x", 2, tarfile.GNUTYPE_LONGNAME), b"y\0".ljust(512, b"\0"))] * 5000
    (refused,) = archives.read(tar("deep.tar", *names))
    assert "is a damaged tar archive" in str(refused.content)


def test_negative_sizes_in_a_tar_are_damage() -> None:
    path = tar("back.tar", (member("a.png", 512), b"a" * 512), (member("b.png", -512), b""))
    *_, refused = archives.read(path)
    assert "a header of -512 bytes" in str(refused.content)


def test_holes_that_make_a_picture_of_terabytes_are_not_filled() -> None:
    header = member("holes.png", 512, tarfile.GNUTYPE_SPARSE)
    block = bytearray(header.tobuf(tarfile.GNU_FORMAT))
    block[386:410] = b"00000000000\0" + b"00000001000\0"  # 512 bytes at the start
    block[483:495] = b"77777777777\0"  # of 8 GB
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    Path("holes.tar").write_bytes(bytes(block) + bytes(512) + bytes(1024))
    (source,) = archives.read(Path("holes.tar"))
    assert "holes.png is too large: 8589934591 bytes" in str(source.content)


def directory_of_nothing(path: str, count: int) -> None:
    """A zip archive of so many members, all of which are the same empty file."""
    local = struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 20, 0, 0, 0, 0, 0, 0, 0, 1, 0) + b"x"
    entry = (
        struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"x"
    )
    end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 65535, 65535, count * len(entry), len(local), 0)
    with open(path, "wb") as file:
        file.write(local)
        for _ in range(count // 1000):
            file.write(entry * 1000)
        file.write(end)


def test_a_million_members_are_refused_before_they_are_listed() -> None:
    directory_of_nothing("many.zip", 1_000_000)
    tracemalloc.start()
    (refused,) = archives.read(Path("many.zip"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert str(refused.content) == (
        "many.zip takes more than 330 MB of memory to read. Unpack it and name the folder."
    )
    assert peak < 2**20


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere memory is not limited")
def test_a_directory_that_takes_more_memory_than_it_seemed_is_refused() -> None:
    directory_of_nothing("many.zip", 100_000)
    program = (
        "from pathlib import Path\n"
        "from digitcli.system import limits\n"
        "from digitcli.sources import archives\n"
        "limits.MEMORY = 2**20\n"
        "print(*(source.content for source in archives.read(Path('many.zip'))))\n"
    )
    assert "takes more than 330 MB of memory" in measured.python("-c", program).stdout


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_names_that_would_look_like_results_or_move_the_cursor_are_spelled_out(kind: str) -> None:
    name = "a.png\t7\t1.0\t\nb\x1b[2J.png"
    if kind == "zip":
        with zipfile.ZipFile("of.zip", "w") as file:
            file.writestr(name, b"x")
    else:
        tar("of.tar", (member(name, 0), b""))
    (source,) = archives.read(Path(f"of.{kind}"))
    assert source.name == f"of.{kind}/a.png\\t7\\t1.0\\t\\nb\\x1b[2J.png"
