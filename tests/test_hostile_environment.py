"""Each thing that goes wrong around a program is one clear line, an exit code, and no half file.

Everything is done by real processes, as a user or a script starts them.
"""

from __future__ import annotations

import csv
import ctypes
import fcntl
import json
import os
import pty
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny_models
from PIL import Image, ImageDraw

from digitcli import runs
from digitcli.data.digits import DataSet
from digitcli.data.formats import npz

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="full disks and the like are made as on Linux"
)

DIGITCLI = [sys.executable, "-m", "digitcli"]
TRAIN = ["train", "--preset", "mlp-512", "--hidden", "16", "--epochs", "1", "--data", "digits.npz", "-q"]
PATIENCE = 300
"""Seconds after which a process surely hangs."""

NOT_UTF_8 = os.fsdecode(b"caf\xe9")
"""A name as older systems wrote it."""


@pytest.fixture(autouse=True)
def _files() -> None:
    """seven.png, and digits.npz with a few digits, in the current folder."""
    image = Image.new("L", (40, 40), 255)
    ImageDraw.Draw(image).line([(8, 5), (32, 5), (18, 35)], fill=0, width=4)
    image.save("seven.png")
    digits = tiny_models.draw_once(60)
    npz.write(DataSet(digits.take(slice(50)), digits.take(slice(50, 60)), "few"), Path("digits.npz"))


@pytest.fixture(scope="module")
def tf_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that must be read by TensorFlow."""
    path = tmp_path_factory.mktemp("model") / "model.keras"
    tiny_models.keras_model((784,)).save(path)
    return path


def run(*words: object, **how: Any) -> subprocess.CompletedProcess[str]:
    """digitcli with these words, to its end; bytes that are not UTF-8 come as they are."""
    command = [*DIGITCLI, *map(str, words)]
    how = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "errors": "surrogateescape", **how}
    return subprocess.run(command, timeout=PATIENCE, encoding="utf-8", check=False, **how)


def shell(script: str, **how: Any) -> subprocess.CompletedProcess[str]:
    """A line of shell, in which `digitcli` is digitcli."""
    command = ["bash", "-c", f'digitcli() {{ "{sys.executable}" -m digitcli "$@"; }}; {script}']
    return subprocess.run(command, timeout=PATIENCE, capture_output=True, text=True, check=False, **how)


def assert_fails(done: subprocess.CompletedProcess[str], message: str, code: int = 1) -> None:
    """Its last line is the error, there is no traceback, and the exit code is right."""
    assert done.stderr.splitlines()[-1:] == [f"Error: {message}"]
    assert_calm(done)
    assert done.returncode == code


def assert_calm(done: subprocess.CompletedProcess[str]) -> None:
    told = f"{done.stdout or ''}{done.stderr or ''}"
    assert "Traceback" not in told
    assert "Unexpected" not in told
    assert "Exception ignored" not in told


def assert_no_leftovers() -> None:
    """Nothing is in the current folder but what was put there, and folders on the way to a target."""
    left = {str(path) for path in Path().rglob("*") if path.is_file()}
    assert left == {"seven.png", "digits.npz"}


# A disk that is full


def full_disk(kilobytes: int) -> Callable[[], None]:
    """For a child: no file may grow beyond that, which fails as a full disk does but needs none."""
    size = 1024 * kilobytes
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize(
    "words",
    [
        ["predict", "seven.png"],
        ["predict", "seven.png", "--json"],
        ["predict", "seven.png", "--format", "csv"],
        ["evaluate", "--data", "digits.npz"],
        ["evaluate", "--data", "digits.npz", "--json"],
        ["data", "status"],
        ["data", "verify", "digits.npz"],
        ["train", "--list-presets"],
        ["--help"],
        ["--version"],
    ],
    ids=" ".join,
)
def test_results_that_cannot_be_written_are_an_error(words: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = run(*words, stdout=full)
    assert_fails(done, "Cannot write to stdout: No space left on device.")


def test_messages_that_cannot_be_written_stop_nothing() -> None:
    with open("/dev/full", "w") as full:
        done = run("predict", "seven.png", "no.png", stderr=full)
    assert done.returncode == 1
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == ["path", "seven.png", "no.png"]


def test_an_error_that_cannot_be_told_keeps_its_exit_code() -> None:
    with open("/dev/full", "w") as full:
        assert run("train", "--epoch", "3", stderr=full).returncode == 2


@pytest.mark.parametrize(
    ("words", "target"),
    [
        (["predict", "seven.png", "--output", "out.csv"], "out.csv"),
        (["predict", "seven.png", "--output", "out.json"], "out.json"),
        (["predict", "seven.png", "--output", "out.parquet"], "out.parquet"),
        (["predict", "seven.png", "--annotate", "out.png"], "out.png"),
        (["evaluate", "--data", "digits.npz", "--report", "out"], "out"),
        (["data", "convert", "digits.npz", "out", "--format", "idx"], "out"),
        (["data", "convert", "digits.npz", "out", "--format", "npz"], "out"),
        (["data", "convert", "digits.npz", "out", "--format", "folders"], "out"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_a_full_disk_is_told_and_leaves_no_half_file(words: list[str], target: str) -> None:
    done = run(*words, preexec_fn=full_disk(0))
    assert_fails(done, f"Cannot write {target}: File too large.")
    assert_no_leftovers()


def test_a_full_disk_in_a_conversion_to_csv() -> None:
    done = run("data", "convert", "digits.npz", "out", "--format", "csv", preexec_fn=full_disk(0))
    assert done.stderr.startswith("Error: Cannot write out: File too large")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert_no_leftovers()


def test_a_full_disk_at_the_end_of_a_training() -> None:
    done = run(*TRAIN, "--output", "run", preexec_fn=full_disk(20))
    assert_fails(done, "Cannot write run: File too large.")
    assert_no_leftovers()


@pytest.mark.parametrize("format", ["keras", "savedmodel"])
def test_a_full_disk_in_an_export(tf_model: Path, format: str) -> None:
    words = ["export", tf_model, "--format", format, "--output", "out", "--data", "digits.npz", "-q"]
    assert_fails(run(*words, preexec_fn=full_disk(1)), "Cannot write out: File too large.")
    assert_no_leftovers()


# Folders and files that may not be written or read


def not_almighty() -> None:
    """For a child: even root is bound by permissions. (Others may not drop what they do not have.)"""
    for capability in (1, 2):  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH
        ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


@pytest.mark.parametrize(
    ("words", "target"),
    [
        (["predict", "seven.png", "--output", "locked/out.csv"], "locked/out.csv"),
        (["predict", "seven.png", "--annotate", "locked/out"], "locked/out/seven.png"),
        (["evaluate", "--data", "digits.npz", "--report", "locked/out"], "locked/out"),
        (["data", "convert", "digits.npz", "locked/out", "--format", "csv"], "locked/out"),
        (["export", runs.BUNDLED, "-f", "tflite", "--data", "digits.npz", "-o", "locked/out"], "locked/out"),
        (["data", "fetch", "--to", "locked"], "to locked"),
        (["data", "fetch", "--to", "locked/out"], "to locked/out"),
        ([*TRAIN, "--output", "locked/out"], "locked/out"),
    ],
    ids=lambda each: " ".join(map(str, each)) if isinstance(each, list) else "",
)
def test_a_folder_that_may_not_be_written(words: list[str], target: str) -> None:
    Path("locked").mkdir(0o555)
    done = run(*words, preexec_fn=not_almighty)
    assert_fails(done, f"Cannot write {target}: Permission denied.")
    assert_no_leftovers()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["predict", "-q", "locked.png"], "locked.png cannot be read: Permission denied."),
        (["evaluate", "-q", "--data", "locked.npz"], "Cannot read locked.npz: Permission denied."),
        (["evaluate", "-q", "--data", "locked"], "locked: Permission denied."),
        (["data", "status"], "MNIST: Permission denied."),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_what_may_not_be_read(words: list[str], message: str) -> None:
    for name in ("locked.png", "locked.npz"):
        Path(name).touch(0)
    Path("locked").mkdir(0)
    if words[0] == "data":
        Path("MNIST").mkdir(0)
    done = run(*words, preexec_fn=not_almighty)
    assert message in (done.stdout if words[0] == "predict" else done.stderr)
    assert_calm(done)
    assert done.returncode == 1


def test_a_folder_that_cannot_be_listed_is_not_passed_over() -> None:
    Path("scans").mkdir()
    shutil.copy("seven.png", "scans")
    Path("scans/locked").mkdir(0)
    done = run("predict", "-q", "scans", preexec_fn=not_almighty)
    paths = [line.split("\t") for line in done.stdout.splitlines()[1:]]
    assert [(path[0], path[3]) for path in paths] == [
        ("scans/seven.png", ""),
        ("scans/locked", "scans/locked: its pictures cannot be read, since it cannot be listed."),
    ]
    assert done.returncode == 1


# A file or folder that goes away, as when a network mount does

GONE = "/proc/self/mem"
"""A file that opens, but reading from its start is an input/output error."""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["predict", "-q", GONE], f"{GONE} cannot be read: Input/output error."),
        (["predict", "seven.png", "--model", GONE], f"{GONE}: cannot be read: Input/output error."),
        (["evaluate", "--data", GONE], f"Cannot read {GONE}: Input/output error."),
        (["evaluate", GONE], f"{GONE}: cannot be read: Input/output error."),
        (
            ["export", GONE, "-f", "tflite", "--data", "digits.npz"],
            f"{GONE}: cannot be read: Input/output error.",
        ),
        (["data", "verify", GONE], f"Cannot read {GONE}: Input/output error."),
        (["data", "convert", GONE, "out", "-f", "csv"], f"Cannot read {GONE}: Input/output error."),
        ([*TRAIN, "--data", GONE], f"Cannot read {GONE}: Input/output error."),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_a_file_that_goes_away_while_it_is_read(words: list[str], message: str) -> None:
    done = run(*words)
    assert message in done.stdout + done.stderr
    assert_calm(done)
    assert done.returncode == 1
    assert_no_leftovers()


def test_a_current_folder_that_is_gone_matters_only_to_what_is_in_it() -> None:
    places = f"seven={Path('seven.png').resolve()}; mkdir gone; cd gone; rmdir ../gone;"
    done = shell(f'{places} digitcli predict "$seven"')
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 2)
    assert_fails(
        shell(f'{places} digitcli predict "$seven" -o out.csv'),
        "Cannot write out.csv: No such file or directory.",
    )
    assert_fails(shell(f"{places} digitcli evaluate -q model.h5"), "There is no model at model.h5.")


# Pipes and streams that are closed


@pytest.mark.parametrize(
    "words",
    [
        ["predict", "seven.png", "seven.png", "-q"],
        ["predict", "seven.png", "--json", "-q"],
        ["evaluate", "--data", "digits.npz", "-q"],
        ["evaluate", "--data", "digits.npz", "--json", "-q"],
        ["data", "status", "-q"],
        ["data", "verify", "digits.npz", "-q"],
        ["train", "--list-presets"],
        ["train", "--help"],
        ["--version"],
    ],
    ids=" ".join,
)
def test_a_reader_that_is_gone_is_no_error(words: list[str]) -> None:
    gone, pipe = os.pipe()
    os.close(gone)
    done = run(*words, stdout=pipe)
    os.close(pipe)
    assert (done.stderr, done.returncode) == ("", 1)


def test_head_takes_what_it_wants_in_peace() -> None:
    done = shell("for n in {1..2000}; do echo seven.png; done | digitcli predict - -q | head -n 1")
    assert (done.stdout.split("\t")[0], done.stderr) == ("path", "")


def test_a_reader_of_messages_that_stops_is_no_error() -> None:
    done = shell("digitcli predict seven.png 2> >(exec <&-)")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 2)


@pytest.mark.parametrize("words", ["predict seven.png -q", "predict seven.png --json", "--version"])
def test_closed_stdout_is_an_error_where_a_result_is_lost(words: str) -> None:
    assert_fails(shell(f"digitcli {words} >&-"), "Cannot write to stdout: Bad file descriptor.")


def test_nothing_gets_into_a_file_that_is_opened_while_the_streams_are_closed() -> None:
    done = shell("digitcli predict seven.png no.png --output out.jsonl <&- >&- 2>&-")
    assert done.returncode == 1
    results = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert [result["path"] for result in results] == ["seven.png", "no.png"]


def test_closed_stderr_hides_messages_only() -> None:
    done = shell("digitcli predict seven.png no.png 2>&-")
    assert (done.returncode, len(done.stdout.splitlines())) == (1, 3)
    assert shell("digitcli evaluate no-model 2>&-").returncode == 1


def test_closed_stdin_holds_no_pictures() -> None:
    done = shell("digitcli predict - -q <&-")
    assert_fails(done, "No pictures in stdin. Name a picture, or a folder that holds some.")


def test_stdin_that_cannot_be_read_is_told() -> None:
    with open("out", "wb") as only_for_writing:
        done = run("predict", "-", "-q", stdin=only_for_writing)
    assert_fails(done, "Cannot read stdin: Bad file descriptor.")


# A user without a home


@pytest.mark.parametrize("home", [None, "/proc/1/home"], ids=["unset", "cannot be made"])
def test_without_a_home_directory_nothing_is_said_of_it(home: str | None) -> None:
    environment = {key: value for key, value in os.environ.items() if key not in ("HOME", "XDG_CACHE_HOME")}
    environment |= {"HOME": home} if home else {}
    done = run("evaluate", "-q", "--data", "digits.npz", "--report", "page", env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert Path("page/report.html").exists()


def test_a_home_that_cannot_be_written_is_told_where_it_matters() -> None:
    environment = {**os.environ, "HOME": "/proc/1/home"}
    del environment["XDG_CACHE_HOME"]
    done = run("evaluate", "-q", env=environment)
    assert "Cannot write to /proc/1/home/.cache/digitcli/mnist: " in done.stderr
    assert_calm(done)
    assert done.returncode == 1


WITHOUT_USER = """
import os, pwd, sys
def nobody(*_): raise KeyError
pwd.getpwuid = pwd.getpwnam = nobody
os.environ.pop("HOME"), os.environ.pop("XDG_CACHE_HOME")
from digitcli.__main__ import main
main()
"""


def test_a_user_whom_the_system_does_not_know_keeps_mnist_here() -> None:
    command = [sys.executable, "-c", WITHOUT_USER]
    done = subprocess.run([*command, "data", "status"], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1].startswith("the cache\tMNIST\t")
    done = subprocess.run(
        [*command, "evaluate", "--data", "~/x"], capture_output=True, text=True, check=False
    )
    assert done.stderr.splitlines()[-1].startswith("Error: There is no data set '~/x'")
    assert_no_leftovers()


# Terminals


def on_terminal(*words: object, columns: int) -> tuple[int, str]:
    """The exit code, and what a terminal of that width shows, without colours."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {
        key: value for key, value in os.environ.items() if key not in ("COLUMNS", "TERMINAL_WIDTH")
    }
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), slave)
    environment["TERM"] = "xterm-256color"
    with subprocess.Popen([*DIGITCLI, *map(str, words)], env=environment, **streams) as process:
        os.close(slave)
        shown = b""
        while True:
            try:
                piece = os.read(master, 1 << 16)
            except OSError:  # how a terminal ends on Linux
                piece = b""
            if not piece:
                break
            shown += piece
        code = process.wait(PATIENCE)
    os.close(master)
    return code, re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode("utf-8", "replace")).replace("\r", "")


def test_a_table_that_does_not_fit_is_told_row_by_row() -> None:
    code, shown = on_terminal("predict", "seven.png", "no.png", "-q", columns=20)
    assert code == 1
    assert "path: seven.png\ndigit: 7\nconfidence: " in shown
    assert "path: no.png\nnote: no.png: no \nsuch file." in shown
    assert "…" not in shown


def test_charts_fit_into_20_columns() -> None:
    code, shown = on_terminal("predict", "seven.png", "--show", "-q", columns=20)
    assert code == 0
    assert re.search(r"^7 █+.*%$", shown, re.MULTILINE)
    picture = [line for line in shown.splitlines() if line.startswith("▀")]
    assert {len(line) for line in picture} == {14}
    assert len(picture) == 7


def test_scores_fit_into_20_columns() -> None:
    code, shown = on_terminal("evaluate", "--data", "digits.npz", "-q", columns=20)
    assert code == 0
    assert max(map(len, shown.splitlines())) <= 20
    assert "…" not in shown
    assert re.search(r"^digit: 3$", shown, re.MULTILINE)


@pytest.mark.parametrize("command", [[], ["predict"], ["train"], ["data", "fetch"]], ids=" ".join)
def test_help_loses_no_words_on_20_columns(command: list[str]) -> None:
    code, narrow = on_terminal(*command, "--help", columns=20)
    _, wide = on_terminal(*command, "--help", columns=200)
    assert code == 0
    assert "[bold]" not in narrow
    options = re.findall(r"--[a-z-]+", wide)
    assert set(options) <= set(re.findall(r"--[a-z-]+", narrow))


def test_training_shows_its_progress_in_20_columns() -> None:
    words = [word for word in TRAIN if word != "-q"]
    code, shown = on_terminal(*words, columns=20)
    assert code == 0
    assert re.search(r"epoch 1/1 +\d+%", shown)
    assert "epoch kept" in shown


def test_names_cannot_command_the_terminal() -> None:
    shutil.copy("seven.png", "\x1b]0;owned\x07.png")
    for words in (["predict"], ["predict", "--show"], ["evaluate", "--model"]):
        _, shown = on_terminal(*words, "\x1b]0;owned\x07.png", columns=80)
        assert "owned" in shown
        assert "\x1b]" not in shown
    shutil.copy(runs.BUNDLED, "\x1b]0;owned\x07.tflite")
    _, shown = on_terminal("predict", "seven.png", "--model", "\x1b]0;owned\x07.tflite", columns=80)
    assert "Model: \\x1b]0;owned\\x07.tflite" in shown


# Names and locales


def test_a_name_that_is_not_utf_8_comes_back_as_it_was() -> None:
    name = f"{NOT_UTF_8}.png"
    shutil.copy("seven.png", name)
    for words in ([], ["--format", "plain"], ["--format", "csv"]):
        last = run("predict", name, "-q", *words).stdout.splitlines()[-1]
        assert re.split("[\t,]", last)[:2] == [name, "7"]
    for words in (["--format", "json"], ["--format", "jsonl"]):
        text = run("predict", name, "-q", *words).stdout
        assert "caf\\udce9.png" in text
        assert json.loads(text).get("results", [json.loads(text)])[0]["path"] == name


@pytest.mark.parametrize("suffix", ["csv", "json", "jsonl", "parquet"])
def test_files_of_results_bear_names_that_are_not_utf_8(suffix: str) -> None:
    shutil.copy("seven.png", f"{NOT_UTF_8}.png")
    target = Path(f"{NOT_UTF_8}.{suffix}")
    assert run("predict", f"{NOT_UTF_8}.png", "--output", target).returncode == 0
    content = target.read_bytes()
    if suffix == "parquet":
        from pyarrow import parquet

        with target.open("rb") as file:
            assert parquet.read_table(file)["path"].to_pylist() == ["caf\N{REPLACEMENT CHARACTER}.png"]
    else:
        assert (b"caf\xe9.png" if suffix == "csv" else b'"caf\\udce9.png"') in content


def test_models_data_and_outputs_may_have_names_that_are_not_utf_8() -> None:
    data, model, page, picture = (f"{NOT_UTF_8}.{end}" for end in ("npz", "tflite", "page", "png"))
    Path("digits.npz").rename(data)
    shutil.copy(runs.BUNDLED, model)
    done = run("evaluate", model, "--data", data, "--report", page)
    assert (done.returncode, (Path(page) / "report.html").exists()) == (0, True)
    assert run("predict", "seven.png", "--annotate", picture).returncode == 0
    for name in ("csv", "folders", "idx", "npz"):
        assert run("data", "convert", data, f"{NOT_UTF_8}-{name}", "--format", name).returncode == 0
        done = run("data", "verify", f"{NOT_UTF_8}-{name}", "--json")
        assert (json.loads(done.stdout)["train"], done.returncode) == (50, 0)


def test_a_training_may_have_a_name_that_is_not_utf_8() -> None:
    Path("digits.npz").rename(f"{NOT_UTF_8}.npz")
    done = run(*TRAIN, "--data", f"{NOT_UTF_8}.npz", "--output", NOT_UTF_8)
    assert (done.returncode, done.stderr) == (0, "")
    assert "caf\\udce9.npz" in Path(NOT_UTF_8, "run.json").read_text(encoding="utf-8")
    assert run("predict", "seven.png", "--model", NOT_UTF_8).returncode == 0


def test_tabs_and_newlines_in_a_name_do_not_break_rows() -> None:
    name = "a\tb\nc\rd.png"
    shutil.copy("seven.png", name)
    _, row = run("predict", name, "-q").stdout.splitlines()
    assert row.split("\t")[:2] == ["a\\tb\\nc\\rd.png", "7"]
    assert json.loads(run("predict", name, "-q", "--format", "jsonl").stdout)["path"] == name


@pytest.mark.parametrize("name", ["a\nb.png", "a\rb.png", "a\tb.png", 'a,"b.png'])
def test_names_in_csv_may_hold_anything(name: str) -> None:
    shutil.copy("seven.png", name)
    assert run("predict", name, "--output", "out.csv").returncode == 0
    with open("out.csv", newline="") as file:
        assert [row[0] for row in csv.reader(file)] == ["path", name]


LATIN_1 = "en_US.ISO-8859-1"


@pytest.fixture(scope="module")
def latin_1(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment with a locale in Latin-1, made here, since few systems have one."""
    folder = tmp_path_factory.mktemp("locales")
    try:
        subprocess.run(
            ["localedef", "-i", "en_US", "-f", "ISO-8859-1", folder / LATIN_1],
            check=True,
            capture_output=True,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no locale in Latin-1 can be made here: {error}")
    return {"LOCPATH": str(folder), "LC_ALL": LATIN_1}


def in_locale(*words: object, **locale: str) -> subprocess.CompletedProcess[bytes]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("LC_", "PYTHON"))}
    environment |= {"PYTHONPATH": os.environ.get("PYTHONPATH", "")} | locale
    command = [*DIGITCLI, *map(str, words)]
    return subprocess.run(command, env=environment, capture_output=True, check=False, timeout=PATIENCE)


@pytest.mark.parametrize("name", [b"caf\xc3\xa9.png", b"caf\xe9.png"], ids=["UTF-8", "Latin-1"])
@pytest.mark.parametrize("coercion", ["1", "0"])
def test_the_locale_c_changes_no_name(name: bytes, coercion: str) -> None:
    shutil.copy("seven.png", os.fsdecode(name))
    locale = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": coercion, "PYTHONUTF8": coercion}
    done = in_locale("predict", os.fsdecode(name), "-q", "-f", "csv", **locale)
    assert done.stdout.splitlines()[1].split(b",")[:2] == [name, b"7"]
    done = in_locale("predict", os.fsdecode(name), "-q", "--json", **locale)
    assert done.returncode == 0
    json.loads(done.stdout)


def test_a_locale_in_latin_1_changes_no_name_and_json_stays_json(latin_1: dict[str, str]) -> None:
    name = b"caf\xe9.png"
    shutil.copy("seven.png", os.fsdecode(name))
    for words in (["-f", "plain"], ["-f", "csv"]):
        done = in_locale("predict", os.fsdecode(name), "-q", *words, **latin_1)
        assert re.split(b"[\t,]", done.stdout.splitlines()[-1])[:2] == [name, b"7"]
    done = in_locale("predict", os.fsdecode(name), "-q", "--json", **latin_1)
    assert json.loads(done.stdout.decode("ascii"))["results"][0]["path"] == "café.png"


@pytest.mark.parametrize("words", [["--show"], [], ["--many", "--show"]], ids=" ".join)
def test_what_is_drawn_does_not_fail_where_its_characters_are_unknown(words: list[str]) -> None:
    locale = {"PYTHONIOENCODING": "latin-1:strict", "FORCE_COLOR": "1"}
    done = in_locale("predict", "seven.png", *words, **locale)
    assert (done.returncode, b"Error" in done.stderr) == (0, False)
    assert in_locale("evaluate", "--data", "digits.npz", **locale).returncode == 0


# Signals


def interrupted_in(module: str, number: int, *words: object, **how: Any) -> subprocess.CompletedProcess[str]:
    """digitcli, which gets a signal when it imports a module, at whatever point that is."""
    folder = Path("impostor")
    folder.mkdir()
    (folder / f"{module}.py").write_text(f"import os; os.kill(os.getpid(), {number}); import no_such_module")
    search = os.pathsep.join(filter(None, [str(folder.resolve()), os.environ.get("PYTHONPATH")]))
    done = run(*words, env={**os.environ, "PYTHONPATH": search}, **how)
    shutil.rmtree(folder)
    return done


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name
)
@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("typer", ["--help"]),
        ("ai_edge_litert", ["predict", "seven.png", "-q"]),
        ("tensorflow", TRAIN),
        ("polars", ["data", "convert", "digits.npz", "out", "--format", "csv"]),
        ("jinja2", ["evaluate", "--data", "digits.npz", "--report", "out", "-q"]),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_signals_end_it_with_one_line_and_leave_nothing(module: str, number: int, words: list[str]) -> None:
    done = interrupted_in(module, number, *words)
    assert (done.stderr, done.returncode) == ("Interrupted.\n", 130)
    assert_no_leftovers()


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name
)
def test_signals_after_all_is_read_lose_none_of_it(number: int) -> None:
    words = ["predict", "seven.png", "--output", "out.parquet", "-q"]
    done = interrupted_in("pyarrow", number, *words)
    assert done.returncode == 130
    assert done.stderr == (
        "Interrupted. out.parquet.unfinished has what was read. The same command with --resume goes on.\n"
    )
    assert run(*words, "--resume").returncode == 0
    Path("out.parquet").unlink()
    assert_no_leftovers()


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    ignore = lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)  # noqa: E731 # as nohup does
    done = interrupted_in("typer", signal.SIGHUP, "--help", preexec_fn=ignore)
    assert "no_such_module" in done.stderr


WORKERS = """
from digitcli.system.parallel import map_in_order
results = map_in_order(eval, ["1", "__import__('time').sleep(600)"], 2)
print(next(results), flush=True)
input()
"""


def test_workers_end_with_a_killed_parent() -> None:
    # The workers hold the same stderr, so that ends only when the last of them does.
    with subprocess.Popen(
        [sys.executable, "-c", WORKERS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as parent:
        assert parent.stdout
        assert parent.stderr
        assert parent.stdout.readline() == b"('1', 1)\n"
        parent.kill()
        parent.communicate(timeout=PATIENCE)


# What killed processes left


def test_a_half_written_folder_of_a_killed_process_is_removed_by_the_next() -> None:
    words = ["evaluate", "--data", "digits.npz", "--report", "report", "-q"]
    interrupted_in("matplotlib", signal.SIGKILL, *words)
    (left,) = Path().glob(".report.*")
    assert run(*words).returncode == 0
    assert not left.exists()


def test_what_a_running_process_is_writing_is_left_alone() -> None:
    os.mkfifo("slow.png")
    command = [*DIGITCLI, "predict", "slow.png", "--output", "results.csv", "-q"]
    with subprocess.Popen(command) as process, open("slow.png", "wb") as slow:
        assert run("predict", "seven.png", "--output", "others.csv").returncode == 0
        slow.write(Path("seven.png").read_bytes())
        slow.close()
        assert process.wait(PATIENCE) == 0
    assert len(Path("results.csv").read_text().splitlines()) == 2
