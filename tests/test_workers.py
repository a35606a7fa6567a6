"""Processes that train one network together: the same weights as one, and a clean end when one is gone."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from unittest.mock import patch

import keras
import numpy as np
import pytest
import together
from test_resume import AT_EVERY_CALL

from digitcli import runs
from digitcli.data import synthetic
from digitcli.data.digits import DataSet
from digitcli.data.formats import npz
from digitcli.errors import ClusterError, UsageError
from digitcli.training import loop
from digitcli.training.cluster import Cluster
from digitcli.training.config import configure
from digitcli.training.loop import fit
from digitcli.training.meeting import meet
from digitcli.training.processor import precision

CLI = "from digitcli.cli import main; main()"
CLI_WITH_SIGNALS = "from digitcli.__main__ import main; main()"
WITH_CHECKPOINTS = AT_EVERY_CALL + "import digitcli.training.loop as l; l.STEPS_PER_CALL = 2\n" + CLI
IMPATIENT = "import digitcli.training.meeting as m; m.PATIENCE = 1\n" + CLI
CONFIGS = {
    # Its batch normalisation sees the same parts of a batch however many share it.
    "cnn": configure(
        "cnn",
        model={"channels": (4, 8), "depth": ()},
        recipe={"epochs": 2, "batch_size": 128, "val_split": 0.25, "optimizer": "adamw"},
    ),
    "dense": configure("mlp-512-64", model={"hidden": (32,)}, recipe={"epochs": 4, "batch_size": 64}),
    "two": configure("mlp-512-64", members=2, patience=1, model={"hidden": (8,)}, recipe={"epochs": 2}),
}
# What each of several workers does: trains all of these and keeps the weights and what it was told.
FITS = """
import sys
import numpy as np
from test_workers import CONFIGS, drawn, trained
from digitcli.training.cluster import Cluster
from digitcli.training.config import configure
from digitcli.training.loop import fit
from digitcli.training.workers import connected
index = int(sys.argv[2])
with connected(Cluster(tuple(sys.argv[1].split(",")), index)) as workers:
    kept = {}
    for name in CONFIGS:
        fitted = trained(name, workers)
        kept |= {f"{name}/{n}": weight for n, weight in enumerate(fitted.model.get_weights())}
        kept[f"{name} history"] = [(e.loss, e.accuracy, e.val_loss, e.val_accuracy) for e in fitted.history]
    budget = configure("mlp-512-64", time_budget=2.0, model={"hidden": (8,)})
    fitted = fit(budget, drawn().train, workers=workers)
    kept["budget"] = np.concatenate([weight.ravel() for weight in fitted.model.get_weights()])
    kept["epochs"] = len(fitted.history)
    kept["word"] = np.frombuffer(workers.from_first(None if index else b"of the first"), np.uint8)
    kept["total"] = workers.total([index + 1.0, 10.0])
    np.savez(sys.argv[3], **kept)
"""


def drawn():
    digits = synthetic.generate(1100, seed=1)
    return DataSet(digits.take(slice(1000)), digits.take(slice(1000, 1100)), "digits")


def trained(name, workers=None):
    """One of CONFIGS; the dense one in 32 bits, of which rounding in another order takes less than of 16."""
    with patch.object(loop, "precision", lambda spec: "float32" if name == "dense" else precision(spec)):
        return fit(CONFIGS[name], drawn().train, workers=workers)


@pytest.fixture(scope="module")
def fits(tmp_path_factory):
    """What two workers kept."""
    folder = tmp_path_factory.mktemp("fits")
    addresses = ",".join(together.addresses(2))
    files = [folder / f"{index}.npz" for index in range(2)]
    workers = [together.start(FITS, addresses, index, file) for index, file in enumerate(files)]
    for worker in workers:
        _, messages = worker.communicate()
        assert worker.returncode == 0, messages
    return [dict(np.load(file)) for file in files]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "digits.npz"
    npz.write(drawn(), path)
    return path


def words(data, run, *more):
    return ["train", "--data", data, "--output", run, "--preset", "mlp-512-64", "--hidden", "16",
            "--epochs", "3", "--batch-size", "20", "--augment", *more]  # fmt: skip


def start_all(program, *args, count=2, cwd=None):
    addresses = ",".join(together.addresses(count))
    return [
        together.start(program, *args, "--workers", addresses, "--index", index, cwd=cwd)
        for index in range(count)
    ]


def ended(process):
    stdout, stderr = process.communicate()
    return process.returncode, stdout, stderr


def weights(run):
    return keras.saving.load_model(run / runs.KERAS_MODEL).get_weights()


def read_until(stream, text):
    """Reads lines as they come, up to one with that text."""
    for line in stream:
        if text in line:
            return
    raise AssertionError(f"it ended without '{text}'")


def test_all_workers_end_with_the_same_weights_and_history(fits):
    first, second = fits
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])


def test_a_convolutional_network_gets_the_weights_of_one_process_to_the_last_bit(fits):
    alone = trained("cnn")
    for n, weight in enumerate(alone.model.get_weights()):
        np.testing.assert_array_equal(fits[0][f"cnn/{n}"], weight)


def test_a_dense_network_gets_those_of_one_process_but_for_rounding(fits):
    alone = trained("dense")
    for n, weight in enumerate(alone.model.get_weights()):
        difference = np.linalg.norm(fits[0][f"dense/{n}"] - weight)
        assert difference <= 1e-5 * np.linalg.norm(weight)


@pytest.mark.parametrize("name", ["cnn", "dense"])
def test_losses_and_accuracies_are_over_the_shares_of_all(fits, name):
    alone = trained(name)
    told = [(e.loss, e.accuracy, e.val_loss, e.val_accuracy) for e in alone.history]
    np.testing.assert_allclose(fits[0][f"{name} history"], told, rtol=1e-5)


def test_a_time_budget_ends_for_all_at_the_same_step(fits):
    assert fits[0]["epochs"] >= 1
    np.testing.assert_array_equal(fits[0]["budget"], fits[1]["budget"])


def test_workers_add_up_and_hear_the_first(fits):
    for kept in fits:
        np.testing.assert_array_equal(kept["total"], [3.0, 20.0])
        assert kept["word"].tobytes() == b"of the first"


def test_a_batch_that_cannot_be_shared_evenly_says_which_can():
    class Three:
        replicas = 3

    config = configure("mlp-512-64", recipe={"batch_size": 128})
    with pytest.raises(UsageError, match="same share for each of 3 workers or GPUs"):
        fit(config, drawn().train, workers=Three())


def test_only_the_first_worker_shows_and_writes_the_run(data, tmp_path):
    first, second = map(ended, start_all(CLI, *words(data, tmp_path / "run"), cwd=tmp_path))
    assert (first[0], second[0]) == (0, 0), first[2] + second[2]
    assert "test accuracy" in first[1]
    assert first[2].count("epoch ") == 3
    assert second[1] == ""
    assert second[2].splitlines()[-1] == "Trained as worker 1 of 2; the run is where worker 0 wrote it."
    assert json.loads((tmp_path / "run" / runs.RECORD).read_text())["machine"]["workers"] == 2
    assert not list(tmp_path.glob("run.*"))


@pytest.fixture(scope="module")
def undisturbed(data, tmp_path_factory):
    """A run that nobody killed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    workers = start_all(WITH_CHECKPOINTS, *words(data, folder / "run"), cwd=folder)
    assert [ended(each)[0] for each in workers] == [0, 0]
    return folder / "run"


@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_worker_ends_all_and_the_same_command_goes_on_exactly(data, undisturbed, tmp_path, victim):
    workers = start_all(WITH_CHECKPOINTS, *words(data, tmp_path / "run"), cwd=tmp_path)
    read_until(workers[0].stderr, "epoch 1/3")
    workers[victim].kill()
    code, _, messages = ended(workers[1 - victim])
    assert code == 1
    assert "Error: " in messages
    assert f"Worker {victim} (localhost:" in messages
    assert "has stopped, and so does this one. Start all of them again" in messages
    assert "Traceback" not in messages
    assert not (tmp_path / "run").exists()
    ended(workers[victim])
    assert list((tmp_path / "run.unfinished").glob("*.checkpoint"))

    again = list(map(ended, start_all(WITH_CHECKPOINTS, *words(data, tmp_path / "run"), cwd=tmp_path)))
    assert [each[0] for each in again] == [0, 0]
    for one, other in zip(weights(tmp_path / "run"), weights(undisturbed), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_worker_that_is_told_to_stop_does_and_so_do_the_others(data, tmp_path, number):
    workers = start_all(CLI_WITH_SIGNALS, *words(data, tmp_path / "run", "--epochs", "5000"), cwd=tmp_path)
    read_until(workers[0].stderr, "epoch    1/5000")
    workers[1].send_signal(number)
    assert ended(workers[1])[0] == 130
    code, _, messages = ended(workers[0])
    assert code == 1
    assert "Worker 1 (localhost:" in messages


def test_workers_with_other_settings_are_refused_on_all(data, tmp_path):
    addresses = ",".join(together.addresses(2))
    workers = [
        together.start(
            CLI, *words(data, tmp_path / "run", "--seed", seed), "--workers", addresses, "--index", seed
        )
        for seed in range(2)
    ]
    for index, (code, _, messages) in enumerate(map(ended, workers)):
        assert code == 2
        assert "started with other settings, data or versions" in messages.splitlines()[-1]
        assert f"Worker 0 and {'worker 1' if index else 'another worker'}" in messages
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("index", [0, 1])
def test_a_worker_that_does_not_come_is_named(data, tmp_path, index):
    addresses = together.addresses(2)
    process = together.start(
        IMPATIENT, *words(data, tmp_path / "run"), "--workers", ",".join(addresses), "--index", index
    )
    code, _, messages = ended(process)
    assert code == 1
    absent = f"worker {1 - index} ({addresses[1 - index]})"
    assert messages.splitlines()[-1] == f"Error: After 1 s there is no sign of {absent}."


@pytest.mark.parametrize("index", [0, 1])
def test_ctrl_c_while_waiting_for_the_others_is_heeded(data, tmp_path, index):
    telling = "import digitcli.training.workers as w\nmeet = w.meet\n"
    telling += (
        "def telling(cluster):\n    print('waiting', flush=True)\n    meet(cluster)\nw.meet = telling\n"
    )
    addresses = ",".join(together.addresses(2))
    process = together.start(
        telling + CLI, *words(data, tmp_path / "run"), "--workers", addresses, "--index", index
    )
    read_until(process.stdout, "waiting")
    process.send_signal(signal.SIGINT)
    code, _, messages = ended(process)
    assert code == 130
    assert "Traceback" not in messages


def test_a_worker_that_stops_while_others_are_awaited_ends_all():
    addresses = tuple(together.addresses(3))
    cluster = [Cluster(addresses, index) for index in range(3)]
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(meet, cluster[0])
        host, port = cluster[0].workers[0].split(":")
        with connect(host, int(port)) as stopping:
            stopping.sendall(b"digitcli 1\n")
        third = threads.submit(meet, cluster[2])
        with pytest.raises(ClusterError, match="has stopped"):
            first.result()
        with pytest.raises(ClusterError, match="ended before all were there"):
            third.result()


def test_who_does_not_speak_like_a_worker_is_not_taken_for_one():
    addresses = tuple(together.addresses(2))
    cluster = [Cluster(addresses, index) for index in range(2)]
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(meet, cluster[0])
        host, port = cluster[0].workers[0].split(":")
        with connect(host, int(port)) as stranger:
            stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
            threads.submit(meet, cluster[1]).result()
            first.result()


def connect(host, port):
    """A connection to where somebody is about to listen."""
    while True:
        with suppress(ConnectionRefusedError):
            connection = socket.create_connection((host, port))
            if connection.getsockname() != connection.getpeername():  # as TCP may, where nobody listens
                return connection
            connection.close()


def test_a_port_that_is_taken_is_told(data, tmp_path, digitcli):
    mine, other = together.addresses(2)
    with socket.create_server(("localhost", int(mine.rpartition(":")[2]))):
        result = subprocess.run(
            [sys.executable, "-m", "digitcli", *map(str, words(data, tmp_path / "run")),
             "--workers", f"{mine},{other}", "--index", "0"],
            capture_output=True, text=True,
        )  # fmt: skip
    assert result.returncode == 1
    assert "Worker 0 cannot have port" in result.stderr
    assert "Does it run already?" in result.stderr


def test_resume_is_not_for_several_workers(tmp_path, digitcli):
    result = digitcli("train", "--resume", tmp_path / "run", "--workers", "a:1,b:1", "--index", 0)
    assert result.exit_code == 2
    assert "Several workers go on by the same command" in result.stderr


def test_several_devices_of_one_process_give_the_weights_of_one(tmp_path):
    program = """
import sys
import numpy as np
from test_workers import CONFIGS, drawn
from digitcli.training.loop import fit
from digitcli.training.workers import Workers
import tensorflow as tf
halves = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], halves)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
np.savez(sys.argv[1], *fit(CONFIGS["cnn"], drawn().train, workers=Workers(strategy)).model.get_weights())
"""
    process = together.start(program, tmp_path / "weights.npz")
    code, _, messages = ended(process)
    assert code == 0, messages
    alone = trained("cnn")
    several = np.load(tmp_path / "weights.npz")
    for name, weight in zip(several.files, alone.model.get_weights(), strict=True):
        np.testing.assert_array_equal(several[name], weight)
