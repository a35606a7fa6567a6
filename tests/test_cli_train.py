"""`digitcli train` as its user meets it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from digitcli import models
from digitcli.data import synthetic
from digitcli.data.digits import DataSet
from digitcli.data.formats import npz

TINY = ["--preset", "mlp-512", "--hidden", "16", "--epochs", "2", "--batch-size", "50"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "digits.npz"
    npz.write(DataSet(synthetic.generate(300, seed=1), synthetic.generate(100, seed=2), "digits"), path)
    return path


def test_training_writes_a_run_and_tells_where_and_how_good(digitcli, data):
    result = digitcli("train", *TINY, "--data", data)
    assert result.exit_code == 0
    run = Path("MNIST/runs/mlp-512-lr0.004-e2")
    assert (run / "model.tflite").exists()
    shown = dict(line.split("\t") for line in result.stdout.splitlines())
    assert shown["run"] == str(run)
    record = json.loads((run / "run.json").read_text())
    assert shown["test accuracy"] == f"{record['metrics']['test_accuracy']:.2%}"
    notes = result.stderr.splitlines()
    assert notes[0].startswith("Data: ")
    assert notes[2].startswith("epoch 1/2  loss ")
    assert "val accuracy" in notes[3]


def test_json_is_the_whole_result(digitcli, data):
    result = digitcli("train", *TINY, "--data", data, "--output", "my run", "--json", "--quiet")
    document = json.loads(result.stdout)
    record = json.loads(Path("my run/run.json").read_text())
    assert document == {
        "schema": 1,
        "command": "train",
        "run": "my run",
        "preset": "mlp-512",
        "parameters": 784 * 16 + 16 + 16 * 10 + 10,
        "members": 1,
        "epochs": 2,
        "best_epoch": 2,
        "val_accuracy": record["metrics"]["val_accuracy"],
        "test_accuracy": record["metrics"]["test_accuracy"],
        "test_loss": record["metrics"]["test_loss"],
        "seconds": record["metrics"]["seconds"],
    }
    assert result.stderr == ""


def test_an_ensemble_in_a_time_budget(digitcli, data):
    words = ["train", *TINY, "--data", data, "--ensemble", "2", "--time-budget", "0.1s", "-o", "both"]
    result = digitcli(*words)
    assert result.exit_code == 0
    assert "2 networks of 12,730 parameters, 0.1 s" in result.stderr
    assert "network 2/2  epoch 1  loss " in result.stderr
    assert json.loads(Path("both/run.json").read_text())["config"]["members"] == 2


@pytest.mark.parametrize("time", ["soon", "10d", "-5s", "0", "inf", "nan"])
def test_a_time_budget_that_is_no_time_is_refused(digitcli, data, time):
    result = digitcli("train", *TINY, "--data", data, f"--time-budget={time}")
    assert result.exit_code == 2
    assert "time" in result.stderr


def test_options_replace_the_preset_s_values(digitcli, data):
    changed = ["--lr", "0.01", "--optimizer", "sgd", "--schedule", "cosine", "--dropout", "0.2"]
    changed += ["--val-split", "0.25", "--patience", "2", "--seed", "7", "--augment"]
    assert digitcli("train", *TINY, *changed, "--data", data, "-o", "run").exit_code == 0
    config = json.loads(Path("run/run.json").read_text())["config"]
    assert config["model"]["hidden"] == [16]
    assert config["model"]["dropout"] == 0.2
    assert config["patience"] == 2
    assert config["seed"] == 7
    recipe = config["recipe"]
    assert (recipe["lr"], recipe["optimizer"], recipe["schedule"]) == (0.01, "sgd", "cosine")
    assert (recipe["val_split"], recipe["augment"], recipe["epochs"]) == (0.25, True, 2)


def test_second_run_of_the_same_name_gets_a_number(digitcli, data):
    for _ in range(2):
        assert digitcli("train", *TINY, "--data", data).exit_code == 0
    names = sorted(path.name for path in Path("MNIST/runs").iterdir())
    assert names == ["mlp-512-lr0.004-e2", "mlp-512-lr0.004-e2-2"]


def test_existing_output_needs_force(digitcli, data):
    Path("run").mkdir()
    refused = digitcli("train", *TINY, "--data", data, "--output", "run")
    assert refused.exit_code == 1
    assert refused.stderr == "Error: run exists already. Choose another name, or overwrite it with --force.\n"
    assert digitcli("train", *TINY, "--data", data, "--output", "run", "--force").exit_code == 0
    assert Path("run/run.json").exists()


def test_presets_are_listed_with_their_sizes(digitcli):
    lines = digitcli("train", "--list-presets").stdout.splitlines()[1:]
    assert [line.split("\t")[0] for line in lines] == list(models.PRESETS)
    assert "435,402" in lines[2]
    presets = json.loads(digitcli("train", "--list-presets", "--json").stdout)["presets"]
    assert presets[2]["parameters"] == 435402


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--preset", "mlp-521"], "There is no preset called 'mlp-521'. Did you mean mlp-512?"),
        (["--batch-size", "0"], "The batch size must be at least 1, got 0."),
        (["--hidden", "512;64"], "--hidden takes whole numbers with commas between"),
        (["--optimizer", "rmspropp"], "Did you mean rmsprop?"),
        (["--val-split", "1"], "validation split must be"),
        (["--patience", "2", "--val-split", "0"], "Patience needs a validation split"),
    ],
)
def test_option_that_makes_no_sense_is_one_line_and_exit_code_2(digitcli, arguments, message):
    result = digitcli("train", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_absent_data_is_named(digitcli):
    result = digitcli("train", "--data", "no-such-folder")
    assert result.exit_code == 1
    assert "There is no data set 'no-such-folder': no such file or folder." in result.stderr


def test_synthetic_digits_in_place_of_mnist_are_said_loudly_and_recorded(digitcli, monkeypatch):
    monkeypatch.setenv("DIGITCLI_MIRROR", "http://127.0.0.1:9/")  # nobody listens there
    tiny = DataSet(synthetic.generate(60, seed=1), None, "synthetic digits")
    monkeypatch.setattr(synthetic, "dataset", lambda: tiny)
    result = digitcli("train", *TINY, "--data", "auto", "--output", "run", "--quiet")
    assert result.exit_code == 0
    assert result.stderr.startswith("Warning: MNIST cannot be had here, so SYNTHETIC digits")
    assert "NOT MNIST" in json.loads(Path("run/run.json").read_text())["data"]["origin"]


def test_data_with_only_a_test_part_is_refused(digitcli):
    npz_file = Path("t10k.npz")
    npz.write(DataSet(None, synthetic.generate(20, seed=2), "digits"), npz_file)
    result = digitcli("train", "--data", npz_file)
    assert result.exit_code == 1
    assert "nothing to train on" in result.stderr


def test_without_tensorflow_one_line_says_how_to_install_it(tmp_path, data):
    script = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); sys.modules['tensorflow'] = None\n"
        "import importlib.util; find = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *a: None if name == 'tensorflow' else find(name, *a)\n"
        "from digitcli.cli import main; main()"
    )
    command = [sys.executable, "-c", script, str(tmp_path), "train", *TINY, "--data", str(data)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == (
        "Error: TensorFlow is not installed. Install it with: pip install 'tensorflow'"
    )


def test_nothing_but_ours_reaches_the_terminal(data):
    command = [sys.executable, "-m", "digitcli", "train", *TINY, "--data", str(data), "--quiet"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0
    assert result.stderr == ""
    assert result.stdout.startswith("what\tvalue\n")


@pytest.mark.parametrize(
    ("start", "plots"),
    [
        ("from digitcli.cli import main; main()", False),
        ("from digitcli.system.tensorflow_setup import import_tensorflow; import_tensorflow()", True),
    ],
    ids=["command", "somebody else's program"],
)
def test_what_keras_plots_with_is_imported_only_where_somebody_may_use_it(data, start, plots):
    script = (
        "import atexit, sys\n"
        "atexit.register(lambda: print({'keras', 'matplotlib.pyplot'} & set(sys.modules), file=sys.stderr))\n"
        f"{start}"
    )
    command = [sys.executable, "-c", script, "train", *TINY, "--data", str(data), "--quiet"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "keras" in result.stderr
    assert ("matplotlib.pyplot" in result.stderr) == plots
