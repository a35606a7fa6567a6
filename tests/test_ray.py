"""`--engine ray`: the same results as on one machine, in parts that are kept whatever happens."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import bombs
import jsonschema
import numpy as np
import psutil
import pytest
from filelock import FileLock
from PIL import Image

from digitcli import classifiers, runs
from digitcli.data import synthetic
from digitcli.results import parts as predict_parts
from digitcli.sources import parts

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
pytestmark = pytest.mark.skipif(not find_spec("ray"), reason="Ray is not installed")

Run = Callable[..., Any]

CLUSTER = """
import json, os, sys
from digitcli.cluster.ray_setup import ray_started
with ray_started(None):
    import ray
    about = {"address": ray.get_runtime_context().gcs_address}
    about["environment"] = {name: value for name, value in os.environ.items() if name.startswith("RAY_")}
    print(json.dumps(about), file=sys.__stdout__, flush=True)
    sys.stdin.read()
"""

# Ray is used by processes of their own, as it is not made to be started again and again in one.
BEGIN = """
import sys
from digitcli.sources import parts
parts.PICTURES = 20
"""
END = """
from digitcli.__main__ import main
main()
"""

KILL_A_PROCESS = """
import psutil
from digitcli.commands import reading_display
def killing(counts, *about):
    for number, each in enumerate(counts):
        if number == 0:
            workers = [each for each in psutil.process_iter() if each.name().startswith("ray::MapWorker")]
            workers[0].kill()
            print("killed", file=sys.__stdout__, flush=True)
        yield each
reading_display.with_progress_of_parts = killing
"""

STOP_AT_ONCE = """
import json, os
import psutil
from digitcli.commands import reading_display
def until_stopped(counts, *about):
    for number, each in enumerate(counts):
        if number == 1:
            # But two that look after Ray itself, and wait a minute for it to come back where it was killed.
            agents = ("ray::DashboardAgent", "ray::RuntimeEnvAgent")
            started = psutil.Process().children(recursive=True)
            pids = [each.pid for each in started if each.name() not in agents]
            print(json.dumps(pids), file=sys.__stdout__, flush=True)
            os.kill(os.getpid(), stop)
        yield each
reading_display.with_progress_of_parts = until_stopped
stop = int(sys.argv.pop())
"""
TELL_WHO_STILL_READS = """
import threading
import ray
shutdown = ray.shutdown
def telling():
    reading = [thread for thread in threading.enumerate() if thread.name == "iter_threaded"]
    print("still reading:", len(reading), file=sys.__stderr__, flush=True)
    shutdown()
ray.shutdown = telling
"""
PATIENCE = 120
"""Seconds after which something surely hangs."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Of a Ray that all tests share, to save its start."""
    with (
        pytest.MonkeyPatch.context() as patch,
        subprocess.Popen(
            [sys.executable, "-c", CLUSTER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process,
    ):
        assert process.stdin
        assert process.stdout
        about = json.loads(process.stdout.readline())
        for name, value in about["environment"].items():
            patch.setenv(name, value)
        yield about["address"]
        process.stdin.close()
        process.wait(PATIENCE)


def ray(*words: object, code: str = "") -> subprocess.CompletedProcess[str]:
    """Runs `digitcli WORDS... --engine ray` in a process of its own, in which parts are small."""
    command = [sys.executable, "-c", BEGIN + code + END, *map(str, words[:1]), "--engine", "ray"]
    command += map(str, words[1:])
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)


@pytest.fixture
def no_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing may be read."""

    def fail(address: str | None) -> None:
        raise AssertionError("Ray was started")

    monkeypatch.setattr(predict_parts, "ray_started", fail)


@pytest.fixture
def pictures(_empty_world: None, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A hundred in Parquet, and some in a folder, an archive and an array; some cannot be read."""
    monkeypatch.setattr(parts, "PICTURES", 20)
    images = synthetic.generate(40, seed=4).images
    packed = [png(image) for image in images]
    rows = [packed[n % 40] for n in range(100)]
    rows[7], rows[31] = b"no picture", None
    pq.write_table(pa.table({"image": rows}), "rows.parquet", row_group_size=10)
    Path("folder").mkdir()
    for number in range(24):
        Path(f"folder/{number:02}.png").write_bytes(packed[number])
    Path("folder/05.png").write_bytes(b"no picture")
    with zipfile.ZipFile("some.zip", "w") as archive:
        archive.writestr("a.png", packed[0])
    np.save("some.npy", images[:5])
    return ["rows.parquet", "folder", "some.zip", "some.npy", "gone.png"]


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def rows(folder: str) -> list[dict[str, Any]]:
    """What is in the parts, in order."""
    return [row for path in sorted(Path(folder).glob("part-*")) for row in pq.read_table(path).to_pylist()]


def state(folder: str) -> dict[str, tuple[int, int]]:
    """The identity of each file."""
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in Path(folder).iterdir()}


def test_the_rows_are_those_of_the_local_engine(digitcli: Run, pictures: list[str], address: str) -> None:
    options = ["--top-k", "2", "--min-confidence", "0.5"]
    local = digitcli("predict", *pictures, *options, "--output", "local.parquet")
    done = ray("predict", *pictures, *options, "--address", address, "--output", "out")
    assert done.returncode == local.exit_code == 1
    assert done.stderr.splitlines()[1:] == [
        "Wrote out: 131 pictures.",
        "Warning: 4 of 131 pictures could not be read.",
    ]
    expected = pq.read_table("local.parquet").to_pylist()
    found = rows("out")
    assert len(found) == len(expected) == 131
    for one, other in zip(found, expected, strict=True):
        confidence = other.pop("confidence")
        assert one.pop("confidence") == (None if confidence is None else pytest.approx(confidence, abs=1e-5))
        top = [(each["digit"], pytest.approx(each["probability"], abs=1e-5)) for each in other.pop("top")]
        assert [(each["digit"], each["probability"]) for each in one.pop("top")] == top
        assert one == other
    assert len(list(Path("out").iterdir())) == 5 + 2 + 3


def test_a_second_run_reads_nothing_and_tells_the_same(
    digitcli: Run, pictures: list[str], address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["predict", *pictures, "--address", address, "--output", "out"]
    first = ray(*words)
    before = state("out")
    with monkeypatch.context() as patch:
        patch.setattr(predict_parts, "ray_started", None)
        again = digitcli(*words, "--engine", "ray")
    assert again.exit_code == first.returncode == 1
    assert again.stderr.splitlines()[-2:] == first.stderr.splitlines()[-2:]
    assert "out has all results already." in again.stderr
    assert state("out") == before

    # What is missing or damaged is read again, and nothing else; as JSON it is told, too.
    missing, damaged, *_ = sorted(Path("out").iterdir())
    whole = rows("out")
    missing.unlink()
    damaged.write_bytes(damaged.read_bytes()[:-9])
    document = json.loads(ray(*words, "--json").stdout)
    schema = Path(__file__).parents[1] / "docs" / "schemas" / "predict-parts.json"
    jsonschema.validate(document, json.loads(schema.read_text()))
    assert (document["parts"], document["pictures"], document["errors"]) == (10, 131, 4)
    assert rows("out") == whole
    changed = {name for name, each in state("out").items() if each != before[name]}
    assert changed == {missing.name, damaged.name}


def test_evaluate_gives_the_figures_of_the_local_engine(digitcli: Run, address: str) -> None:
    digits = synthetic.generate(90, seed=6)
    columns = {"image": list(map(png, digits.images)), "label": digits.labels}
    pq.write_table(pa.table(columns), "x.parquet", row_group_size=25)
    words = ["evaluate", "--data", "x.parquet", "--json"]
    local = json.loads(digitcli(*words).stdout)
    done = ray(*words, "--address", address)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    schema = Path(__file__).parents[1] / "docs" / "schemas" / "evaluate.json"
    jsonschema.validate(document, json.loads(schema.read_text()))
    assert document["data"] == {"name": "x.parquet", "sha256": None, "images": 90}
    for figure in ("accuracy", "loss", "calibration_error"):
        assert document[figure] == pytest.approx(local[figure], abs=1e-6)
    for figure in ("wrong", "digits", "confusion"):
        assert document[figure] == local[figure]

    columns["label"][40] = 11
    pq.write_table(pa.table(columns), "x.parquet")
    refused = ray(*words, "--address", address, code=TELL_WHO_STILL_READS)
    assert refused.returncode == 1
    assert "x.parquet[40]: its label is 11; a digit 0-9 is expected." in refused.stderr
    assert "still reading: 0" in refused.stderr  # or Ray may end the process before the error is told


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--data", "synthetic", "--engine", "ray"],
            "--engine ray scores Parquet, which 'synthetic' is not.",
        ),
        (["--engine", "ray", "--robustness"], "--engine ray scores one model at a time"),
        (["--address", "auto"], "--address is for --engine ray"),
    ],
)
def test_evaluate_tells_what_ray_does_not_score(digitcli: Run, words: list[str], message: str) -> None:
    done = digitcli("evaluate", *words)
    assert done.exit_code == 2
    assert message in done.stderr


def test_a_picture_that_takes_too_long_is_a_row_with_its_error(address: str) -> None:
    Path("slow.jpg").write_bytes(bombs.jpeg_of_scans(4096, 2_000))
    Image.new("L", (28, 28), 255).save("blank.png")
    words = ["blank.png", "slow.jpg", "blank.png", "--time-limit", "0.5"]
    assert ray("predict", *words, "--address", address, "--output", "out").returncode == 1
    assert [row["reason"] for row in rows("out")] == ["no ink", None, "no ink"]
    assert "slow.jpg takes longer than 0.5 s" in rows("out")[1]["error"]


def test_the_same_weights_in_a_run_that_went_on_give_results_of_their_own(address: str) -> None:
    for name, start in (("begun", None), ("mine", "bundled")):
        Path(name).mkdir()
        shutil.copy(runs.BUNDLED, name)
        runs.write_record(Path(name), {"config": {"start": start}})
    Image.new("L", (28, 28), 255).save("blank.png")
    words = ["blank.png", "--address", address, "--output", "out", "--model"]
    assert ray("predict", *words, "begun").returncode == 0
    assert ray("predict", *words, "begun").returncode == 0
    refused = ray("predict", *words, "mine")
    assert refused.returncode == 1
    assert "out has results of other pictures, options or another model" in refused.stderr


@pytest.mark.usefixtures("pictures")
def test_what_a_process_was_reading_when_it_died_is_read_by_another(address: str) -> None:
    words = ["predict", "rows.parquet", "--address", address, "--output", "out"]
    done = ray(*words, code=KILL_A_PROCESS)
    assert (done.returncode, done.stdout) == (1, "killed\n"), done.stderr
    assert "Wrote out: 100 pictures." in done.stderr
    assert [row["path"] for row in rows("out")] == [f"rows.parquet[{n}]" for n in range(100)]


@pytest.mark.parametrize(
    ("stop", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130), (signal.SIGTERM, 130)]
)
@pytest.mark.usefixtures("pictures")
def test_a_stopped_command_leaves_whole_parts_and_no_process_and_is_finished_by_the_same_command(
    address: str, stop: signal.Signals, code: int
) -> None:
    # The last picture takes longer than anybody waits, so that the command is stopped before its end.
    Path("slow.jpg").write_bytes(bombs.jpeg_of_scans(5120, 20_000))
    words = ["predict", "rows.parquet", "slow.jpg", "--time-limit", 600, "--output", "out"]
    stopped = ray(*words, int(stop), code=STOP_AT_ONCE)
    assert stopped.returncode == code, stopped.stderr
    if code == 130:
        assert stopped.stderr.splitlines()[1:] == [
            "Interrupted. What was read is kept. The same command goes on."
        ]
    _, alive = psutil.wait_procs(
        [
            psutil.Process(pid)
            for pid in json.loads(stopped.stdout.splitlines()[-1])
            if psutil.pid_exists(pid)
        ],
        timeout=PATIENCE,
    )
    assert alive == []
    before = {name: each for name, each in state("out").items() if not name.startswith(".")}
    assert 2 <= len(before) <= 5

    Path("slow.jpg").write_bytes(b"quick")
    assert ray(*words, "--address", address).returncode == 1
    assert {name: each for name, each in state("out").items() if name in before} == before
    assert len(state("out")) == 6
    assert [row["path"] for row in rows("out")] == [*(f"rows.parquet[{n}]" for n in range(100)), "slow.jpg"]


@pytest.mark.usefixtures("no_ray")
class TestWithoutReading:
    """What is found out before Ray is started."""

    @pytest.fixture(autouse=True)
    def results(self, pictures: list[str], _empty_world: None) -> None:
        """A part of other pictures is in the folder out."""
        Path("out").mkdir()
        Path("out/part-000000-0123456789abcdef.parquet").write_bytes(b"")

    def test_results_of_other_pictures_options_or_models_are_not_mixed(self, digitcli: Run) -> None:
        refused = digitcli("predict", "folder", "--engine", "ray", "--output", "out")
        assert refused.exit_code == 1
        assert refused.stderr.splitlines()[-1] == (
            "Error: out has results of other pictures, options or another model. Choose another folder, or "
            "begin again with --force."
        )

    @pytest.mark.parametrize("words", [[], ["--force"]])
    def test_a_folder_with_other_things_is_not_written_to(self, digitcli: Run, words: list[str]) -> None:
        Path("out/thesis.txt").write_text("all of it")
        refused = digitcli("predict", "folder", "--engine", "ray", "--output", "out", *words)
        assert refused.exit_code == 1
        assert "out also holds thesis.txt. Choose another folder." in refused.stderr
        assert len(os.listdir("out")) == 2

    def test_two_processes_do_not_write_the_same_folder(self, digitcli: Run) -> None:
        with FileLock("out/.digitcli.lock"):
            refused = digitcli("predict", "folder", "--engine", "ray", "--output", "out")
        assert refused.exit_code == 1
        assert "Another process is writing out." in refused.stderr

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["--engine", "ray"], "--engine ray needs --output, a folder"),
            (["--engine", "ray", "--output", "x", "--format", "csv"], "leave --format csv out"),
            (["--engine", "ray", "--output", "x", "--show"], "--save-digits are for --engine local"),
            (
                ["--engine", "ray", "--output", "x", "--annotate", "y"],
                "--show, --annotate and --save-digits are for",
            ),
            (["--engine", "ray", "--output", "s3://bucket/x"], "is an address. Name a folder"),
            (["--address", "auto"], "--address is for --engine ray"),
            (["--engine", "spark", "--output", "x"], "'spark'"),
        ],
    )
    def test_options_that_contradict_are_told(self, digitcli: Run, words: list[str], message: str) -> None:
        done = digitcli("predict", "folder", *words)
        assert done.exit_code == 2
        assert message in done.stderr

    def test_a_picture_through_stdin_is_for_one_machine(self, digitcli: Run) -> None:
        done = digitcli(
            "predict", "-", "--engine", "ray", "--output", "x", input=png(np.zeros((9, 9), np.uint8))
        )
        assert done.exit_code == 2
        assert "A picture through stdin" in done.stderr

    def test_models_of_other_runtimes_are_to_be_exported_first(
        self, digitcli: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bundled = classifiers.load(runs.BUNDLED)
        bundled.runtime = "Keras"
        monkeypatch.setattr(classifiers, "load", lambda *about, **options: bundled)
        done = digitcli("predict", "folder", "--engine", "ray", "--output", "x")
        assert done.exit_code == 1
        assert "is run by Keras; --engine ray takes LiteRT only. Export it first" in done.stderr

    def test_without_ray_it_is_said_how_to_get_it(
        self, digitcli: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name: None if name == "ray" else find_spec(name)
        )
        done = digitcli("predict", "folder", "--engine", "ray", "--output", "x")
        assert done.exit_code == 1
        assert "Ray is not installed. Install it with: pip install 'digitcli[ray]'" in done.stderr
        assert digitcli("predict", "folder/01.png").exit_code == 0


@pytest.mark.parametrize("place", ["127.0.0.1:9", "ray://127.0.0.1:9"])
def test_an_address_without_a_cluster_is_told(digitcli: Run, pictures: list[str], place: str) -> None:
    done = digitcli("predict", "folder", "--engine", "ray", "--address", place, "--output", "out")
    assert done.exit_code == 1
    assert f"There is no Ray at {place}" in done.stderr


@pytest.mark.usefixtures("address")
def test_a_ray_of_our_own_is_closed_to_others() -> None:
    open_to = set()
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # Ray's ended ones, zombies among them
            if "ray" in " ".join(process.cmdline()):
                open_to |= {each.laddr.ip for each in process.net_connections() if each.status == "LISTEN"}
    assert open_to
    assert open_to <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
    assert os.environ["RAY_AUTH_MODE"] == "token"
    assert len(os.environ["RAY_AUTH_TOKEN"]) == 64
