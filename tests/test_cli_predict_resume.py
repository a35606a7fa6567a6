"""`digitcli predict --output` that was stopped, and goes on with --resume."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock
from PIL import Image

from digitcli.data import synthetic
from digitcli.reading import prediction

FORMATS = ["csv", "plain", "jsonl", "json", "parquet"]
COUNT = 20
WHOLE = prediction.predict
BROKEN = "pictures/03.png"

STOP_AT_ONCE = """
import os, signal, sys
from digitcli.reading import prediction
whole = prediction.predict
def until_killed(*arguments, **options):
    for number, result in enumerate(whole(*arguments, **options)):
        if number == 7:
            os.kill(os.getpid(), int(sys.argv.pop()))
        yield result
prediction.predict = until_killed
from digitcli.results import file
file.FLUSH_EVERY = 0
from digitcli.__main__ import main
main()
"""


@pytest.fixture(autouse=True)
def pictures(_empty_world):
    """Twenty pictures in the working directory; one is broken and one has a name that CSV must quote."""
    Path("pictures").mkdir()
    for number, image in enumerate(synthetic.generate(COUNT - 1, seed=5).images):
        Image.fromarray(image).save(f"pictures/{number:02}.png")
    Path(BROKEN).write_bytes(b"no picture")
    Image.new("L", (28, 28), 255).save('pictures/05, "blank"\nand so on.png')


class Reading:
    """What `predict` reads. stop_before: the number of the picture before which Ctrl-C comes, once."""

    def __init__(self):
        self.names = []
        self.stop_before = None

    def predict(self, *arguments, **options):
        self.names.clear()
        for result in WHOLE(*arguments, **options):
            if self.stop_before == len(self.names):
                self.stop_before = None
                raise KeyboardInterrupt
            self.names.append(result.path)
            yield result


@pytest.fixture
def read(monkeypatch):
    reading = Reading()
    monkeypatch.setattr(prediction, "predict", reading.predict)
    return reading


def paths(rows):
    return [json.loads(row)["path"] for row in rows.splitlines()]


def content(file):
    if file.suffix != ".parquet":
        return file.read_text()
    from pyarrow import parquet

    return parquet.read_table(file).to_pylist()


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("number", [0, 7])
def test_stopped_anywhere_and_resumed_it_is_the_file_of_a_command_never_stopped(
    digitcli, read, format, number
):
    assert digitcli("predict", "pictures", "-o", f"whole.{format}", "-f", format).exit_code == 1
    read.stop_before = number
    command = ["predict", "pictures", "-o", f"out.{format}", "-f", format]
    stopped = digitcli(*command)
    assert stopped.exit_code == 130
    assert not Path(f"out.{format}").exists()
    resumed = digitcli(*command, "--resume")
    assert resumed.exit_code == 1  # for the broken picture, whenever it was read
    assert "1 of 20 pictures could not be read" in resumed.stderr
    assert len(read.names) == COUNT - number
    assert content(Path(f"out.{format}")) == content(Path(f"whole.{format}"))
    assert sorted(os.listdir()) == [f"out.{format}", "pictures", f"whole.{format}"]


def test_ctrl_c_says_how_to_go_on_and_leaves_whole_rows(digitcli, read):
    read.stop_before = 7
    stopped = digitcli("predict", "pictures", "-o", "out.csv")
    assert stopped.stderr.splitlines()[-1] == (
        "Interrupted. out.csv.unfinished has what was read. The same command with --resume goes on."
    )
    text = Path("out.csv.unfinished").read_text()
    assert text.startswith("path,digit,confidence,note\npictures/00.png,")
    assert text.endswith("\n")


@pytest.mark.parametrize("format", FORMATS)
def test_a_row_that_was_not_written_to_its_end_is_written_again(digitcli, read, format):
    digitcli("predict", "pictures", "-o", f"whole.{format}", "-f", format)
    read.stop_before = 7
    command = ["predict", "pictures", "-o", f"out.{format}", "-f", format]
    digitcli(*command)
    kept = Path(f"out.{format}.unfinished")
    kept.write_bytes(kept.read_bytes()[:-3])
    digitcli(*command, "--resume")
    assert len(read.names) == COUNT - 6
    assert content(Path(f"out.{format}")) == content(Path(f"whole.{format}"))


@pytest.mark.parametrize(("kill", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 130)])
def test_a_killed_process_loses_no_whole_row(kill, code):
    command = [sys.executable, "-c", STOP_AT_ONCE, "predict", "pictures", "-o", "out.jsonl"]
    assert subprocess.run([*command, str(int(kill))], capture_output=True).returncode == code
    before = paths(Path("out.jsonl.unfinished").read_text())
    assert len(before) == 7
    command[1:3] = ["-m", "digitcli"]
    assert subprocess.run([*command, "--resume"], capture_output=True).returncode == 1
    after = paths(Path("out.jsonl").read_text())
    assert after[:7] == before
    assert len(set(after)) == len(after) == COUNT


def test_a_picture_that_is_named_twice_has_two_rows(digitcli, read):
    read.stop_before = 2
    command = ["predict", "pictures/01.png", "pictures/02.png", "pictures/01.png", "-o", "out.jsonl"]
    digitcli(*command)
    digitcli(*command, "--resume")
    assert paths(Path("out.jsonl").read_text()) == [f"pictures/0{n}.png" for n in (1, 2, 1)]


def test_pictures_that_came_meanwhile_are_read_too(digitcli, read):
    read.stop_before = 7
    digitcli("predict", "pictures", "-o", "out.jsonl")
    Image.new("L", (28, 28), 255).save("pictures/00 new.png")
    digitcli("predict", "pictures", "-o", "out.jsonl", "--resume")
    assert sorted(paths(Path("out.jsonl").read_text())) == sorted(
        str(path) for path in Path("pictures").iterdir()
    )


def test_without_resume_the_results_are_not_overwritten(digitcli, read):
    read.stop_before = 7
    command = ["predict", "pictures", "-o", "out.jsonl"]
    digitcli(*command)
    refused = digitcli(*command)
    assert refused.exit_code == 1
    assert "out.jsonl.unfinished has the results of a command that was stopped" in refused.stderr
    assert "--resume" in refused.stderr
    assert "--force" in refused.stderr
    assert len(read.names) == 7
    digitcli(*command, "--force")
    assert len(read.names) == COUNT


def test_resuming_what_is_complete_does_nothing(digitcli, read):
    digitcli("predict", "pictures", "-o", "out.csv")
    before = Path("out.csv").read_bytes()
    read.names.clear()
    again = digitcli("predict", "pictures", "-o", "out.csv", "--resume")
    assert again.exit_code == 0
    assert again.stderr == "out.csv is there already; nothing is left to do.\n"
    assert read.names == []
    assert Path("out.csv").read_bytes() == before


def test_resuming_what_was_never_begun_begins(digitcli):
    assert digitcli("predict", "pictures/01.png", "-o", "out.csv", "--resume").exit_code == 0
    assert len(Path("out.csv").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("format", "options"),
    [(format, ["--top-k", "3"]) for format in FORMATS]
    + [(format, ["--many"]) for format in FORMATS if format != "plain"],  # whose rows look the same
)
def test_rows_of_another_form_are_not_mixed(digitcli, read, format, options):
    read.stop_before = 7
    command = ["predict", "pictures", "-o", "out", "-f", format]
    digitcli(*command)
    before = Path("out.unfinished").read_bytes()
    result = digitcli(*command, "--resume", *options)
    assert result.exit_code == 2
    assert "out.unfinished has rows of another form" in result.stderr
    assert Path("out.unfinished").read_bytes() == before


@pytest.mark.parametrize("junk", [b"\xff\xfe\n", b"{}\n", b"\n\n", b'{"path": 1}\n', b"a,b\n"])
@pytest.mark.parametrize("format", FORMATS)
def test_what_is_no_result_is_not_gone_on_with(digitcli, format, junk):
    Path("out.unfinished").write_bytes(junk)
    result = digitcli("predict", "pictures", "-o", "out", "-f", format, "--resume")
    assert result.exit_code == 2
    assert "out.unfinished has rows of another form" in result.stderr


def test_two_processes_do_not_write_the_same_file(digitcli):
    with FileLock(".out.csv.lock"):
        result = digitcli("predict", "pictures", "-o", "out.csv")
    assert result.exit_code == 1
    assert result.stderr == "Error: Another process is writing out.csv. Choose another name.\n"


def test_resume_needs_a_file_to_go_on_with(digitcli):
    result = digitcli("predict", "pictures", "--resume")
    assert result.exit_code == 2
    assert "--resume needs --output" in result.stderr
