"""A training that was stopped goes on, and ends as if it had never been stopped."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import keras
import numpy as np
import pytest

from digitcli import models, runs
from digitcli.data import synthetic
from digitcli.data.digits import DataSet
from digitcli.data.formats import npz
from digitcli.errors import DataError, Interrupted, OutputError
from digitcli.runs import history
from digitcli.training import checkpoints, loop, unfinished
from digitcli.training.config import configure
from digitcli.training.run import resume, train
from digitcli.training.state import TrainingState, from_arrays, to_arrays

# A checkpoint after every call, and written when the next call begins.
AT_EVERY_CALL = """
from types import SimpleNamespace
import digitcli.training.checkpoints as c
c.EVERY, c.SHARE = 0, 1e9
c.ThreadPoolExecutor = lambda threads: SimpleNamespace(submit=lambda f, *a: f(*a), shutdown=lambda: None)
"""
PROGRAM = AT_EVERY_CALL + "from digitcli.cli import main; main()"
STEPS_PER_CALL = loop.STEPS_PER_CALL
WORDS = ["--preset", "mlp-dropout", "--epochs", "4", "--batch-size", "10", "--augment", "--seed", "3"]


@pytest.fixture(scope="module")
def data():
    digits = synthetic.generate(700, seed=1)
    return DataSet(digits.take(slice(600)), digits.take(slice(600, 700)), "digits")


@pytest.fixture(scope="module", autouse=True)
def _checkpoint_at_every_call():
    with pytest.MonkeyPatch.context() as monkeypatch:
        _patch(monkeypatch)
        yield


def _patch(monkeypatch):
    for name in ("EVERY", "SHARE", "ThreadPoolExecutor"):
        monkeypatch.setattr(checkpoints, name, getattr(checkpoints, name))  # to be as before afterwards
    exec(AT_EVERY_CALL, {})
    monkeypatch.setattr(loop, "STEPS_PER_CALL", 5)


def small(preset, *, members=1, patience=None, teacher=None, **recipe):
    recipe = {"epochs": 3, "batch_size": 50, "val_split": 0.2, "augment": True, **recipe}
    model = {"channels": (4, 8), "depth": ()} if models.preset(preset).model.channels else {"hidden": (32,)}
    return configure(preset, members=members, patience=patience, model=model, recipe=recipe, teacher=teacher)


def weights(run):
    return keras.saving.load_model(run / runs.KERAS_MODEL).get_weights()


def timeless(epochs):
    return [replace(epoch, seconds=0.0) for epoch in epochs]


def stop_at(call):
    """A callback that interrupts the training at its so-manieth call."""
    calls = 0  # an epoch of 9 steps takes two

    def on_step(report):
        nonlocal calls
        calls += 1
        if calls == call:
            raise KeyboardInterrupt

    return on_step


@pytest.mark.parametrize(
    "config",
    [
        small("cnn"),
        small("mlp-dropout", optimizer="adamw"),
        small("mlp-512", optimizer="sgd", average=0.9),
        small("mlp-512", patience=2, lr=2.0, optimizer="sgd", schedule="constant", epochs=6),
    ],
    ids=["averaged", "dropout", "momentum", "patience"],
)
def test_from_every_state_it_ends_with_the_same_weights_and_history(config, data):
    states = []
    whole = loop.fit(config, data.train, on_state=lambda take: states.append(take()))
    assert len(states) >= 2 * len(whole.history)  # within epochs too
    assert config.patience is None or whole.best_epoch < len(whole.history)
    for state in states[1::3]:
        kept = from_arrays(to_arrays(TrainingState((), (), state))).current
        again = loop.fit(config, data.train, resumed=kept)
        assert timeless(again.history) == timeless(whole.history)
        assert again.best_epoch == whole.best_epoch
        for one, other in zip(whole.model.get_weights(), again.model.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)


def test_an_interrupted_ensemble_is_resumed_in_its_second_member(data, tmp_path):
    config = small("mlp-dropout", members=2)
    whole = train(config, data, tmp_path / "whole")
    with pytest.raises(Interrupted, match=f"digitcli train --resume {tmp_path / 'run'}"):
        train(config, data, tmp_path / "run", on_step=stop_at(9))
    assert not (tmp_path / "run").exists()
    again = resume(tmp_path / "run", data)
    assert timeless(again.history) == timeless(whole.history)
    for one, other in zip(weights(tmp_path / "whole"), weights(tmp_path / "run"), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not runs.unfinished(tmp_path / "run").exists()


def test_a_training_with_a_teacher_is_resumed(data, tmp_path):
    train(small("cnn", epochs=1), data, tmp_path / "teacher")
    config = small("cnn", teacher=tmp_path / "teacher")
    train(config, data, tmp_path / "whole" / "run")
    with pytest.raises(Interrupted):
        train(config, data, tmp_path / "run", on_step=stop_at(3))
    resume(tmp_path / "run", data)
    require_same(tmp_path)


@pytest.fixture(scope="module")
def interrupted(data, tmp_path_factory):
    """A run, and beside it the same training interrupted in its third epoch."""
    folder = tmp_path_factory.mktemp("interrupted")
    config = small("mlp-512")
    train(config, data, folder / "whole" / "run")
    with pytest.raises(Interrupted):
        train(config, data, folder / "run", on_step=stop_at(5))
    return folder


@pytest.fixture
def folder(interrupted, tmp_path):
    """A copy of it."""
    return shutil.copytree(interrupted, tmp_path / "folder")


def require_same(folder):
    one, other = map(runs.read_record, (folder / "whole" / "run", folder / "run"))
    for record in (one, other):
        del record["finished"], record["metrics"]["seconds"]
    assert one == other
    for ours, theirs in zip(weights(folder / "run"), weights(folder / "whole" / "run"), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_resumed_run_is_that_of_a_training_never_stopped(folder, data):
    resume(folder / "run", data)
    require_same(folder)


def test_stopped_twice_and_resumed_twice(folder, data):
    with pytest.raises(Interrupted):
        resume(folder / "run", data, on_step=stop_at(2))
    resume(folder / "run", data)
    require_same(folder)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-100],
        lambda content: b"",
        lambda content: content[:500] + b"x" + content[501:],
    ],
    ids=["cut off", "empty", "one byte"],
)
def test_a_damaged_newest_checkpoint_costs_only_what_came_after_the_one_before(folder, data, damage):
    _, newer = sorted((folder / "run.unfinished").glob("*.checkpoint"))
    newer.write_bytes(damage(newer.read_bytes()))
    assert checkpoints.newest(folder / "run.unfinished").current.steps == 14
    resume(folder / "run", data)
    require_same(folder)


def test_without_a_checkpoint_it_begins_again(folder, data):
    for checkpoint in (folder / "run.unfinished").glob("*.checkpoint"):
        checkpoint.unlink()
    resume(folder / "run", data)
    require_same(folder)


def test_other_data_are_refused_and_the_training_is_kept(folder, data):
    with pytest.raises(DataError, match=r"not what the training of .*run was begun with"):
        resume(folder / "run", replace(data, train=data.test))
    assert checkpoints.newest(folder / "run.unfinished")


def test_what_was_stopped_before_its_first_checkpoint_leaves_nothing(data, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "EVERY", 1000)
    with pytest.raises(KeyboardInterrupt) as interrupt:
        train(small("mlp-512"), data, tmp_path / "run", on_step=stop_at(5))
    assert not isinstance(interrupt.value, Interrupted)
    assert [path.name for path in tmp_path.iterdir()] == ["cwd"]


def test_checkpoints_that_cannot_be_written_are_told_once_and_the_training_goes_on(
    data, tmp_path, monkeypatch
):
    def full(path, *content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints, "write_durably", full)
    warnings = []
    run = train(small("mlp-512"), data, tmp_path / "run", on_warning=warnings.append)
    assert len(run.history) == 3
    assert len(warnings) == 1
    assert warnings[0].startswith(
        f"{tmp_path / 'run.unfinished'} cannot be written: No space left on device."
    )


def test_a_run_that_cannot_be_written_at_the_end_is_resumed_when_that_is_mended(data, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(history, "write", full)
        with pytest.raises(OutputError, match=f"No space left.*digitcli train --resume {tmp_path / 'run'}"):
            train(small("mlp-512"), data, tmp_path / "run")
    epochs = []
    assert len(resume(tmp_path / "run", data, on_epoch=epochs.append).history) == 3
    assert len(epochs) < 3


def test_training_where_another_process_is_at_work_is_refused(data, tmp_path):
    refused = []

    def train_too(report):
        if not refused:
            with pytest.raises(OutputError, match=r"Another process is training .*run") as error:
                train(small("mlp-512"), data, tmp_path / "run")
            refused.append(error)

    train(small("mlp-512"), data, tmp_path / "run", on_step=train_too)
    assert refused
    assert (tmp_path / "run/run.json").exists()


def test_two_trainings_of_the_same_default_name_take_two_names(data):
    others = []

    def train_too(report):
        if not others:
            others.append(None)
            others.append(train(small("mlp-512"), data).directory)

    first = train(small("mlp-512"), data, on_step=train_too).directory
    assert {first.name, others[1].name} == {"mlp-512-lr0.004-e3", "mlp-512-lr0.004-e3-2"}
    assert sorted(path.name for path in runs.RUNS.iterdir()) == sorted([first.name, others[1].name])


@pytest.fixture(scope="module")
def killed(data, tmp_path_factory):
    """An unfinished run beside the data, whose process was killed in the second epoch; and one not killed."""
    folder = tmp_path_factory.mktemp("killed")
    npz.write(data, folder / "digits.npz")
    command = [sys.executable, "-c", PROGRAM, "train", *WORDS, "--data", "digits.npz", "-o"]
    subprocess.run([*command, "whole", "--quiet"], cwd=folder, check=True)
    with subprocess.Popen([*command, "run"], cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            if line.startswith("epoch 2/4"):
                process.kill()
    assert process.returncode == -signal.SIGKILL
    return folder


@pytest.fixture
def stopped(killed, tmp_path, monkeypatch):
    """A copy of it in the working directory."""
    monkeypatch.setattr(loop, "STEPS_PER_CALL", STEPS_PER_CALL)  # as in the process that was killed
    shutil.copytree(killed, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    (plan := Path("run.unfinished/plan.json")).write_text(
        plan.read_text().replace(str(killed), str(tmp_path / "copy"))
    )


def test_a_killed_training_is_resumed_to_the_same_weights(stopped):
    command = [sys.executable, "-m", "digitcli", "train", "--resume", "run"]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "Resuming mlp-dropout: " in result.stderr
    assert "epoch 1/4" not in result.stderr
    assert "epoch 4/4" in result.stderr
    for one, other in zip(weights(Path("whole")), weights(Path("run")), strict=True):
        np.testing.assert_array_equal(one, other)
    one, other = (history.read(Path(name, runs.HISTORY)) for name in ("whole", "run"))
    assert timeless(one) == timeless(other)
    assert not Path("run.unfinished").exists()


@pytest.mark.parametrize("name", ["run/", "./run", "run.unfinished"])
def test_the_folder_is_known_by_the_name_of_the_run_and_by_its_own(stopped, name):
    assert unfinished.read_plan(Path(name)) == unfinished.read_plan(Path("run"))


def test_training_there_again_says_how_to_resume(digitcli, stopped):
    result = digitcli("train", *WORDS, "--data", "digits.npz", "-o", "run")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-2:] == [
        "Error: A training of run was begun and not finished.",
        "Go on with it: digitcli train --resume run; or give it up with --force.",
    ]
    assert digitcli("train", *WORDS, "--data", "digits.npz", "-o", "run", "--force").exit_code == 0
    assert not Path("run.unfinished").exists()


@pytest.mark.parametrize("command", ["predict run.png", "evaluate --data digits.npz"])
def test_a_model_that_is_not_finished_is_told_from_one_that_is_not_there(digitcli, stopped, command):
    result = digitcli(*command.split(), "--model", "run")
    assert result.exit_code == 1
    assert "The training of run is not finished. Go on with it: digitcli train --resume run" in result.stderr


def test_data_that_moved_are_named_anew(digitcli, stopped):
    Path("digits.npz").rename("moved.npz")
    gone = digitcli("train", "--resume", "run")
    assert gone.exit_code == 1
    assert "digits.npz" in gone.stderr
    assert digitcli("train", "--resume", "run", "--data", "moved.npz").exit_code == 0


def test_other_software_is_said_but_no_obstacle(digitcli, stopped):
    file = Path("run.unfinished/plan.json")
    plan = json.loads(file.read_text())
    plan["machine"]["versions"]["tensorflow"] = "2.0"
    file.write_text(json.dumps(plan))
    result = digitcli("train", "--resume", "run", "--quiet")
    assert result.exit_code == 0
    assert result.stderr.startswith("Warning: This training was begun with other software")


@pytest.mark.parametrize("options", [["--epochs", "3"], ["--force"], ["-o", "other"], ["--no-augment"]])
def test_what_contradicts_resuming_is_refused(digitcli, stopped, options):
    result = digitcli("train", "--resume", "run", *options)
    assert result.exit_code == 2
    assert "contradicts --resume" in result.stderr


@pytest.mark.parametrize("text", ["", "{", "{}", '{"config": 3}'])
def test_a_damaged_plan_is_named(digitcli, stopped, text):
    Path("run.unfinished/plan.json").write_text(text)
    result = digitcli("train", "--resume", "run")
    assert result.exit_code == 1
    assert "run.unfinished/plan.json is damaged" in result.stderr


def test_what_is_finished_or_was_never_begun_cannot_be_resumed(digitcli, stopped):
    assert "The run whole is finished" in digitcli("train", "--resume", "whole").stderr
    assert "no unfinished training of nothing" in digitcli("train", "--resume", "nothing").stderr
    assert not Path("nothing.unfinished").exists()


def test_ctrl_c_says_how_to_go_on(killed, tmp_path):
    command = [
        sys.executable,
        "-c",
        PROGRAM,
        "train",
        *WORDS,
        "--epochs",
        "5000",  # far more than it gets to
        "--data",
        str(killed / "digits.npz"),
        "-o",
        "run",
    ]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        lines = []
        for line in process.stderr:
            lines.append(line)
            if line.startswith("epoch    2/5000"):
                process.send_signal(signal.SIGINT)
    assert process.returncode == 130
    assert lines[-1] == "Interrupted. Go on with: digitcli train --resume run\n"
    assert not list(tmp_path.glob(".*"))


def test_the_plan_holds_every_setting(stopped):
    plan = unfinished.read_plan(Path("run"))
    assert (
        json.loads(json.dumps(asdict(plan.config)))
        == json.loads(Path("whole/run.json").read_text())["config"]
    )


def test_forced_training_does_not_replace_a_folder_that_is_no_run(data, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis/text").touch()
    with pytest.raises(OutputError, match="holds other things"):
        train(small("mlp-512"), data, tmp_path / "thesis", force=True)
    assert (tmp_path / "thesis/text").exists()
    assert not (tmp_path / "thesis.unfinished").exists()
