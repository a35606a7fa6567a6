"""`digitcli train --tune`: several trainings on Ray, of which the best is kept."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
import uuid
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from trials_here import MadeUp, replace_ray, train_here

from digitcli import models, runs
from digitcli.data import synthetic
from digitcli.data.digits import DataSet, Digits
from digitcli.data.formats import npz
from digitcli.errors import ClusterError, OutputError
from digitcli.training import trials
from digitcli.training.config import configure
from digitcli.training.trials import SETTINGS, WIDTHS, Settings, draw
from digitcli.training.tuning import tune

TINY = ["--preset", "mlp-512", "--epochs", "1", "--batch-size", "50", "--val-split", "0.2"]
RAY = ["--engine", "ray"]
CONFIG = configure(
    "mlp-512", model={"hidden": (16,)}, recipe={"epochs": 2, "batch_size": 50, "val_split": 0.2}
)


@pytest.fixture(scope="module")
def dataset():
    return DataSet(synthetic.generate(300, seed=1), synthetic.generate(100, seed=2), "digits")


@pytest.fixture(scope="module")
def data(dataset, tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "digits.npz"
    npz.write(dataset, path)
    return path


@pytest.fixture
def tuned(digitcli, data, monkeypatch):
    """Runs `train --tune` with trials that are made up, and returns its result."""

    def run(outcomes, *words, output="run"):
        made_up = MadeUp(dict(enumerate(outcomes, 1)))
        replace_ray(monkeypatch, made_up)
        result = digitcli(
            "train", *TINY, "--data", data, "-o", output, "--tune", len(outcomes), *RAY, *map(str, words)
        )
        return result, made_up

    return run


def table(result):
    """The rows of the first table on stdout."""
    lines = result.stdout[: result.stdout.index("what\t")].splitlines()
    return list(csv.DictReader(lines, delimiter="\t"))


# What is tried


def test_the_first_trial_has_the_preset_s_own_settings():
    recipe = models.preset("cnn").recipe
    assert draw(configure("cnn"), 1) == Settings(recipe.lr, 1.0, 0.0, recipe.augment)


def test_the_others_are_drawn_around_them():
    drawn = [draw(configure("cnn"), number) for number in range(2, 200)]
    assert 0.002 <= min(each.lr for each in drawn) < 0.003
    assert 0.025 < max(each.lr for each in drawn) <= 0.032
    assert 80 < sum(each.lr < 0.008 for each in drawn) < 120  # as many below as above
    assert {each.width for each in drawn} == set(WIDTHS)
    assert 0 <= min(each.dropout for each in drawn) < 0.1
    assert 0.4 < max(each.dropout for each in drawn) <= 0.5
    assert {each.augment for each in drawn} == {True, False}


def test_the_seed_decides_what_is_drawn_and_the_number_of_trials_does_not(tuned):
    def wanted(*words):
        return tuned([0.5, 0.6, 0.7][: words[0]], *words[1:], "--force")[1].told[0]["wanted"]

    three = wanted(3, "--seed", 3)
    assert wanted(3, "--seed", 3) == three
    assert wanted(2, "--seed", 3) == {number: three[number] for number in (1, 2)}
    assert wanted(3, "--seed", 4)[2] != three[2]


@pytest.mark.parametrize(
    ("words", "setting", "value"),
    [
        (["--lr", "0.01"], "lr", 0.01),
        (["--hidden", "30"], "width", 1.0),
        (["--dropout", "0.2"], "dropout", 0.2),
        (["--no-augment"], "augment", False),
        (["--augment"], "augment", True),
    ],
)
def test_what_is_given_is_not_drawn(tuned, words, setting, value):
    (asked,) = tuned([0.5] * 8, *words)[1].told
    drawn = {name: {getattr(each, name) for each in asked["wanted"].values()} for name in SETTINGS}
    assert drawn.pop(setting) == {value}
    assert all(len(values) > 1 for values in drawn.values())


def test_width_multiplies_filters_and_units():
    settings = Settings(0.01, 1.5, 0.3, False)
    assert settings.applied_to(configure("cnn")).model.channels == (24, 48, 96)
    changed = settings.applied_to(configure("mlp-512-64"))
    assert changed.model.hidden == (768, 96)
    assert (changed.model.dropout, changed.recipe.lr, changed.recipe.augment) == (0.3, 0.01, False)
    thin = configure(model={"channels": (1,), "depth": ()})
    assert replace(settings, width=0.5).applied_to(thin).model.channels == (1,)


def test_where_all_is_given_there_is_nothing_to_try(tuned):
    result, made_up = tuned([0.5, 0.6], "--lr", "0.1", "--dropout", "0", "--augment", "--hidden", "30")
    assert result.exit_code == 2
    assert "nothing to try" in result.stderr
    assert not made_up.told


# What is kept


def test_the_best_is_kept_and_table_csv_and_run_agree(tuned):
    result, _ = tuned([0.5, (0.8, 0.7), (0.8, 0.6), 0.7])
    assert result.exit_code == 0
    rows = table(result)
    assert [row["trial"] for row in rows] == ["1", "2", "3", "4"]
    assert [row["state"] for row in rows] == ["finished", "finished", "kept", "finished"]
    assert rows[2]["val accuracy"] == "80.00%"
    with Path("run/tune.csv").open(newline="") as file:
        kept = list(csv.DictReader(file))
    for ours, shown in zip(kept, rows, strict=True):
        assert [float(ours[name]) for name in ("lr", "width", "dropout")] == [
            float(shown[name]) for name in ("lr", "width", "dropout")
        ]
        assert f"{float(ours['val_accuracy']):.2%}" == shown["val accuracy"]
    assert not Path("run.unfinished").exists()


def test_the_run_is_as_any_other_with_its_test_scores(tuned, digitcli, data, dataset):
    result, _ = tuned([0.5, 0.6], "--json", "--quiet")
    document = json.loads(result.stdout)
    record = runs.read_record(Path("run"))
    assert record["data"]["test"]["sha256"] == dataset.test.sha256
    evaluated = json.loads(digitcli("evaluate", "run", "--data", data, "--json").stdout)
    assert document["test_accuracy"] == record["metrics"]["test_accuracy"] == evaluated["accuracy"]
    assert record["metrics"]["test_loss"] == evaluated["loss"]
    assert {path.name for path in Path("run").iterdir()} == {
        "run.json", "history.csv", "curves.png", "model.keras", "model.tflite", "tune.csv",
    }  # fmt: skip


def test_data_without_a_test_part_leave_the_run_without_test_scores(tuned, monkeypatch):
    npz.write(DataSet(synthetic.generate(100), None, "digits"), Path("no-test.npz"))
    result, _ = tuned([0.5, 0.6], "--data", "no-test.npz")
    assert "test accuracy\tnot measured" in result.stdout


@pytest.mark.parametrize(
    "others", [[0.4, 0.3], [(0.5, 0.1), 0.4]], ids=["worse", "as accurate, of less loss"]
)
def test_where_none_beats_the_preset_that_is_said_and_it_is_kept(tuned, others):
    result, _ = tuned([(0.5, 0.2), *others])
    assert result.stderr.splitlines()[-1] == (
        "Trial 1 is kept: none was more accurate on the validation split than the preset's own settings."
    )
    assert table(result)[0]["state"] == "kept"


def test_a_gain_is_told_with_the_standard_error_of_the_validation_split(tuned):
    result, _ = tuned([0.5, 0.9])  # of 60 images: sqrt(0.9 * 0.1 / 60)
    assert result.stderr.splitlines()[-1] == (
        "Trial 2 is kept: 40.00 points more accurate on the validation split than trial 1, the preset's own "
        "settings; the standard error of 60 images is 3.87 points."
    )


def test_a_gain_within_two_standard_errors_is_called_chance(tuned):
    assert tuned([0.85, 0.9])[0].stderr.splitlines()[-1].endswith("3.87 points, so that may be chance.")


def test_the_test_part_chooses_nothing(dataset, tmp_path, monkeypatch):
    replace_ray(monkeypatch, train_here)
    random = np.random.default_rng(1)
    nonsense = Digits(dataset.test.images, random.integers(10, size=100, dtype=np.uint8), "nonsense")
    found = [
        tune(CONFIG, replace(dataset, test=test), 2, tmp_path / name)
        for name, test in (("right", dataset.test), ("nonsense", nonsense))
    ]
    assert [replace(each, seconds=0) for each in found[0].trials] == [
        replace(each, seconds=0) for each in found[1].trials
    ]
    assert found[0].best.number == found[1].best.number
    right, wrong = (runs.read_record(each.directory)["metrics"]["test_accuracy"] for each in found)
    assert right != wrong


def test_trials_get_no_test_part(tuned):
    (asked,) = tuned([0.5, 0.6])[1].told
    assert asked["data"].test is None
    assert len(asked["data"].train) == 300


def test_the_default_name_tells_that_it_was_tuned(tuned, digitcli, data, monkeypatch):
    replace_ray(monkeypatch, MadeUp({1: 0.5}))
    for _ in range(2):
        assert digitcli("train", *TINY, "--data", data, "--tune", 1, *RAY).exit_code == 0
    names = sorted(path.name for path in runs.RUNS.iterdir())
    assert names == ["mlp-512-lr0.004-e1-tuned", "mlp-512-lr0.004-e1-tuned-2"]


def test_existing_output_needs_force(tuned):
    tuned([0.5, 0.6])
    refused, made_up = tuned([0.5, 0.6])
    assert refused.stderr == "Error: run exists already. Choose another name, or overwrite it with --force.\n"
    assert not made_up.told
    assert tuned([0.5, 0.6], "--force")[0].exit_code == 0


# What goes wrong


def test_a_failed_trial_is_a_row_with_its_reason(tuned):
    result, _ = tuned([0.5, "It diverged", 0.6])
    assert result.exit_code == 0
    assert "trial 2/3" in result.stderr
    assert [row["state"] for row in table(result)] == ["finished", "failed: It diverged", "kept"]
    rows = list(csv.DictReader(Path("run/tune.csv").read_text().splitlines()))
    assert (rows[1]["state"], rows[1]["reason"], rows[1]["val_accuracy"]) == ("failed", "It diverged", "")


def test_where_the_preset_itself_failed_nothing_is_compared(tuned):
    result, _ = tuned(["It diverged", 0.6])
    assert "There is nothing to compare it with, since trial 1" in result.stderr
    assert json.loads(tuned(["It diverged", 0.6], "--json", output="other")[0].stdout)["gain"] is None


def test_where_all_failed_that_is_one_error_and_nothing_is_left(tuned):
    result, _ = tuned(["It diverged", "Out of memory"])
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == "Error: No trial has finished. Trial 1: It diverged."
    assert list(Path().iterdir()) == []


def test_what_cannot_be_written_is_told(tuned, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(trials, "write_durably", full)
    result, _ = tuned([0.5, 0.6])
    assert result.stderr.splitlines()[-1] == "Error: Cannot write run.unfinished: No space left on device."


# Stopped, and gone on with


def test_stopped_it_tells_what_is_done_and_the_same_command_does_the_rest(tuned):
    stopped, _ = tuned([0.5, "It diverged", 0.7, KeyboardInterrupt()])
    assert stopped.exit_code == 130
    assert stopped.stderr.splitlines()[-1] == (
        "Interrupted. 2 of 4 trials are done. Go on with the others by the same command."
    )
    result, made_up = tuned([None, 0.6, None, 0.4])  # the one that failed is tried again
    assert sorted(made_up.told[0]["wanted"]) == [2, 4]
    assert [row["state"] for row in table(result)] == ["finished", "finished", "kept", "finished"]
    assert "trial 3/4" in result.stderr
    assert not Path("run.unfinished").exists()


def test_fewer_trials_end_it_with_what_is_done(tuned):
    tuned([0.5, 0.7, KeyboardInterrupt()])
    result, made_up = tuned([None, None])
    assert not made_up.told
    assert [row["state"] for row in table(result)] == ["finished", "kept"]


def test_it_goes_on_where_a_run_is_to_be_replaced(tuned):
    tuned([0.5])
    tuned([0.5, 0.7, KeyboardInterrupt()], "--force")
    assert Path("run/run.json").exists()
    result, made_up = tuned([None, None, 0.6], "--force")
    assert sorted(made_up.told[0]["wanted"]) == [3]
    assert len(table(result)) == 3


def test_stopped_before_a_trial_is_done_it_leaves_nothing(tuned):
    stopped, _ = tuned([KeyboardInterrupt()])
    assert stopped.stderr.splitlines()[-1] == "Interrupted."
    assert list(Path().iterdir()) == []


def test_only_the_best_run_is_kept_meanwhile(tuned):
    tuned([0.5, 0.7, 0.6, KeyboardInterrupt()])
    assert sorted(path.name for path in Path("run.unfinished").iterdir()) == [
        "lock", "plan.json", "trial-2", "trials.json",
    ]  # fmt: skip


@pytest.mark.parametrize("words", [["--seed", "1"], ["--lr", "0.004"], ["--epochs", "2"]])
def test_with_other_settings_it_does_not_go_on_unless_it_is_given_up(tuned, words):
    tuned([0.5, KeyboardInterrupt()])
    refused, made_up = tuned([0.5, 0.6], *words)
    assert refused.stderr.splitlines()[-2:] == [
        "Error: A tuning of run was begun with other settings or data, and not finished.",
        "Go on with it by the command that began it, or give it up with --force.",
    ]
    assert not made_up.told
    assert sorted(tuned([0.5, 0.6], *words, "--force")[1].told[0]["wanted"]) == [1, 2]


def test_training_and_resuming_there_say_that_it_is_a_tuning(tuned, digitcli, data):
    tuned([0.5, KeyboardInterrupt()])
    assert "A tuning of run was begun" in digitcli("train", *TINY, "--data", data, "-o", "run").stderr
    resumed = digitcli("train", "--resume", "run")
    assert resumed.exit_code == 1
    assert resumed.stderr == "Error: run is being tuned. Go on with it by the command that began it.\n"


def test_damaged_results_are_named(tuned):
    tuned([0.5, KeyboardInterrupt()])
    Path("run.unfinished/trials.json").write_text("[{}]")
    assert "run.unfinished/trials.json is damaged." in tuned([0.5, 0.6])[0].stderr


# How it is called


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--tune", "2"], "--tune trains on Ray. Add --engine ray."),
        (["--engine", "ray"], "--engine ray is for tuning. Add --tune N"),
        (["--address", "auto"], "Add --engine ray."),
        (["--tune", "2", *RAY, "--tensorboard", "logs"], "--tune writes no TensorBoard logs."),
        (["--tune", "0", *RAY], "Tuning needs at least one trial, got 0."),
        (["--tune", "2", *RAY, "--address", "ray://head:10001"], "Tuning takes no ray:// address"),
        (["--tune", "2", *RAY, "--resume", "run"], "contradicts --resume"),
        (["--tune", "2", "--engine", "spark"], "spark"),
        (["--tune", "2", *RAY, "--val-split", "0"], "Tuning needs a validation split above 0"),
    ],
)
def test_options_that_do_not_fit_are_one_line_and_exit_code_2(digitcli, data, words, message):
    result = digitcli("train", "--data", data, *words)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""


def test_without_ray_one_line_says_how_to_install_it(digitcli, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "ray" else find(name, *a)
    )
    result = digitcli("train", "--tune", 2, *RAY, "--data", "no-such-folder")
    assert result.exit_code == 1
    assert result.stderr == (
        "Error: Ray Tune is not installed. Install it with: pip install 'digitcli[ray]'\n"
    )


def test_an_address_where_no_ray_is_is_told(digitcli, data):
    result = digitcli(
        "train", *TINY, "--data", data, "--tune", 2, *RAY, "--address", "127.0.0.1:9", "-o", "run"
    )
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith("Error: There is no Ray at 127.0.0.1:9: ")
    assert list(Path().iterdir()) == []


# On Ray itself


def require_gone(mark):
    """All processes with the mark in their environment end; those that Ray has told to may take a moment."""
    marked = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("DIGITCLI_TEST_MARK") == mark:
                marked.append(process)
    assert psutil.wait_procs(marked, timeout=60)[1] == []


def test_killed_in_the_middle_it_is_silent_leaves_no_process_and_goes_on(digitcli, data):
    mark = uuid.uuid4().hex
    program = "import sys; from digitcli.__main__ import main\ntry: main()\n"
    program += "finally: assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules"
    words = [*TINY, "--data", str(data), "-o", "run", "--tune", "2", *RAY]
    command = [sys.executable, "-c", program, "train", *words]
    environment = {**os.environ, "DIGITCLI_TEST_MARK": mark}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        lines = []
        for line in process.stderr:
            lines.append(line)
            if line.startswith("trial 1/2"):
                process.send_signal(signal.SIGTERM)
    assert process.returncode == 130
    assert len(lines) == 4
    assert lines[-1] == "Interrupted. 1 of 2 trials are done. Go on with the others by the same command.\n"
    require_gone(mark)

    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert result.returncode == 0
    assert [line.split("  ")[0] for line in result.stderr.splitlines()[2:4]] == ["trial 1/2", "trial 2/2"]
    assert len(result.stderr.splitlines()) == 5
    assert len(table(result)) == 2
    require_gone(mark)

    digitcli("train", *TINY, "--data", data, "-o", "alone")
    alone = runs.read_record(Path("alone"))["metrics"]
    assert table(result)[0]["val accuracy"] == f"{alone['val_accuracy']:.2%}"
    assert table(result)[0]["val loss"] == f"{alone['val_loss']:.4f}"


def test_on_ray_a_trial_may_be_stopped_fail_or_be_killed_and_the_others_go_on(dataset):
    import ray

    from digitcli.cluster.ray_setup import ray_started
    from digitcli.training.ray_trials import run_trials

    usual = Settings(0.01, 1.0, 0.0, False)
    wanted = {1: usual, 2: replace(usual, lr=1e-9), 3: replace(usual, lr=1e30), 4: usual}
    wanted[5] = replace(usual, width=2.0)
    done, files = {}, {}

    def on_epoch(number, report):
        if number == 5:
            for each in psutil.Process().children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    if each.cmdline()[:1] == ["ray::ImplicitFunc"]:  # Tune's name for what runs a trial
                        each.kill()

    def on_done(trial, its_files, lock=threading.Lock()):  # noqa: B008  (displays have one, too)
        done[trial.number], files[trial.number] = trial, its_files
        if trial.number == 5:
            raise OutputError("what a callback raises")

    with ray_started(None), pytest.raises(OutputError, match="what a callback raises"):
        run_trials(CONFIG, wanted, replace(dataset, test=None), "run", on_epoch, on_done)
    assert not ray.is_initialized()
    assert "RAY_AUTH_TOKEN" not in os.environ
    states = ["finished", "stopped", "failed", "finished", "failed"]
    assert [done[number].state for number in sorted(wanted)] == states
    assert (done[1].epochs, done[2].epochs) == (2, 1)
    assert done[3].reason.startswith("It diverged: the loss of epoch 1 is ")
    assert done[4].val_loss == done[1].val_loss  # whatever the same process did before
    assert done[5].reason == "Its process was killed"
    record = json.loads(files[1]["run.json"])
    assert record["data"]["test"] is None
    assert record["metrics"]["val_accuracy"] == done[1].val_accuracy
    assert files[2] == files[3] == {}


def test_a_ray_that_is_in_use_is_left_alone(monkeypatch):
    import ray

    from digitcli.cluster.ray_setup import ray_started

    ended = []
    monkeypatch.setattr(ray, "is_initialized", lambda: True)
    monkeypatch.setattr(ray, "shutdown", lambda: ended.append(True))
    with pytest.raises(ClusterError, match="in use in this process already"), ray_started(None):
        pass
    assert not ended


def test_half_way_the_worse_half_is_stopped_but_never_the_preset_itself():
    from digitcli.training import ray_trials

    scheduler = ray_trials._scheduler(CONFIG)

    def half_way(number, accuracy):
        trial = SimpleNamespace(trial_id=str(number), config={"number": number})
        scheduler.on_trial_add(None, trial)
        return scheduler.on_trial_result(None, trial, {"epochs": 1, "epoch/val_accuracy": accuracy})

    decisions = [half_way(*each) for each in ((3, 0.8), (2, 0.7), (1, 0.1), (4, 0.6), (5, 0.8))]
    assert decisions == ["CONTINUE", "STOP", "CONTINUE", "STOP", "CONTINUE"]


@pytest.mark.parametrize(("epochs", "budget"), [(1, None), (18, 60.0)], ids=["one epoch", "a time budget"])
def test_without_a_half_way_none_is_stopped(epochs, budget):
    from digitcli.training import ray_trials

    assert ray_trials._scheduler(configure(recipe={"epochs": epochs}, time_budget=budget)) is None
