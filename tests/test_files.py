"""Outputs appear complete or not at all."""

from __future__ import annotations

import os
import platform
import stat

import pytest

from digitcli.errors import OutputError
from digitcli.system.files import atomic_group, atomic_path, begun, sole_writer, write_durably


def interrupt_after_writing(path):
    path.write_text("half")
    raise KeyboardInterrupt


def test_file_appears_when_done(tmp_path):
    target = tmp_path / "deep" / "out.txt"
    with atomic_path(target) as temporary:
        temporary.write_text("whole")
        assert not target.exists()
    assert target.read_text() == "whole"
    assert list(target.parent.iterdir()) == [target]


def test_failure_leaves_the_old_file_and_no_trace(tmp_path):
    target = tmp_path / "here" / "out.txt"
    target.parent.mkdir()
    target.write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic_path(target) as temporary:
        interrupt_after_writing(temporary)
    assert target.read_text() == "old"
    assert list(target.parent.iterdir()) == [target]


def test_folder_replaces_folder(tmp_path):
    target = tmp_path / "run"
    target.mkdir()
    (target / "old").touch()
    with atomic_path(target) as temporary:
        temporary.mkdir()
        (temporary / "new").touch()
    assert [file.name for file in target.iterdir()] == ["new"]


def test_existing_target_is_refused_without_force(tmp_path):
    target = tmp_path / "out.txt"
    target.write_text("old")
    with (
        pytest.raises(OutputError, match=r"out\.txt exists already.*--force"),
        atomic_path(target, force=False),
    ):
        pytest.fail("the body must not run")
    assert target.read_text() == "old"


def test_target_below_a_file_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="Cannot write"), atomic_path(tmp_path / "file" / "out"):
        pytest.fail("the body must not run")


def test_what_is_written_durably_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    target = tmp_path / "out.txt"
    synced = []

    def sync(descriptor, fsync=os.fsync):
        fsync(descriptor)
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        synced.append(("folder" if is_folder else "file", target.exists()))

    monkeypatch.setattr(os, "fsync", sync)
    write_durably(target, b"who", b"le")
    assert target.read_bytes() == b"whole"
    assert synced == [("file", False), ("folder", True)]


def test_what_a_killed_process_of_the_same_number_left_is_no_obstacle(tmp_path):
    left = tmp_path / f".run.{os.getpid()}@{platform.node()}.partial"
    left.mkdir()
    (left / "old").touch()
    with atomic_path(tmp_path / "run") as temporary:
        temporary.mkdir()
        (temporary / "new").touch()
    assert [file.name for file in (tmp_path / "run").iterdir()] == ["new"]
    assert not left.exists()


@pytest.mark.parametrize(
    "name",
    [
        f".out.txt.{2**22 + 1}@another.partial",  # no process has that number here, but it may have there
        f".other.txt.{os.getpid()}@{platform.node()}.partial",
    ],
    ids=["another machine", "a running process"],
)
def test_what_others_are_writing_to_the_same_folder_is_left_alone(tmp_path, name):
    theirs = tmp_path / name
    theirs.touch()
    with atomic_path(tmp_path / "out.txt") as temporary:
        temporary.touch()
    assert theirs.exists()


def test_what_killed_processes_left_in_a_group_is_removed(tmp_path):
    left = tmp_path / f".model.x1y2.{2**22 + 1}@{platform.node()}.partial"
    left.mkdir()
    (left / "model").touch()
    with atomic_group(tmp_path / "model") as temporary:
        temporary.touch()
    assert not left.exists()


def test_an_output_that_cannot_be_begun_is_left_to_others_at_once(tmp_path):
    target, lock = tmp_path / "out", tmp_path / "lock"

    def refuse():
        raise OutputError("out is there already.")

    with pytest.raises(OutputError) as refused:
        begun(sole_writer(target, lock), refuse)
    assert refused.traceback  # which keeps alive what was being done
    assert not lock.exists()
    with begun(sole_writer(target, lock), lambda: None):
        assert lock.exists()
    assert not lock.exists()
