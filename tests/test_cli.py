"""The frame that every command shares: help, version, errors and exit codes."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import digitcli as package

COMMANDS = (
    [["train"], ["evaluate"], ["predict"], ["export"], ["doctor"]]
    + [["data", name] for name in ("status", "fetch", "verify", "convert")]
    + [["form", "draft"]]
)


def test_version_is_printed(digitcli):
    result = digitcli("--version")
    assert result.exit_code == 0
    assert result.stdout == f"digitcli {package.__version__}\n"


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example_and_the_shared_options(digitcli, command):
    result = digitcli(*command, "--help")
    assert result.exit_code == 0
    assert f"digitcli {' '.join(command)} " in result.stdout.split("Options")[0].split("Example")[1]
    for option in ("--json", "--quiet", "--verbose", "--debug"):
        assert option in result.stdout


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["train", "--help"], ["predict", "--help"]])
def test_help_and_version_import_nothing_heavy(arguments):
    heavy = {"tensorflow", "keras", "numpy", "polars", "PIL", "matplotlib", "ai_edge_litert"}
    heavy |= {"rich.markdown", "rich.traceback", "pygments"}
    script = (
        "import sys\n"
        "from digitcli.cli import app\n"
        f"try: app({arguments!r})\n"
        "except SystemExit as end: assert not end.code\n"
        f"print(*(set(sys.modules) & {heavy!r}), file=sys.stderr)\n"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stderr == "\n"


def test_completion_script_can_be_shown(digitcli, monkeypatch):
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    assert digitcli("--show-completion", "bash").exit_code == 0


def test_wrong_option_is_usage_error_in_one_line(digitcli):
    result = digitcli("train", "--epoch", "3")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("Error: No such option: --epoch")
    assert result.stderr.count("\n") == 1


def test_value_of_wrong_type_is_usage_error(digitcli):
    result = digitcli("train", "--epochs", "many")
    assert result.exit_code == 2
    assert "'--epochs'" in result.stderr
    assert "'many' is not a valid int" in result.stderr


@pytest.mark.parametrize("arguments", [[], ["data"]], ids=str)
def test_no_command_shows_help_and_is_wrong_usage(digitcli, arguments):
    result = digitcli(*arguments)
    assert result.exit_code == 2
    assert "Usage:" in result.stdout
    assert result.stderr == ""


def test_unknown_command_is_usage_error(digitcli):
    result = digitcli("trian")
    assert result.exit_code == 2
    assert "trian" in result.stderr


def test_error_with_json_is_a_document_too(digitcli):
    result = digitcli("train", "--preset", "cmn", "--json")
    assert result.exit_code == 2
    message = "There is no preset called 'cmn'. Did you mean cnn?"
    assert json.loads(result.stdout) == {
        "schema": 1,
        "command": "train",
        "error": {"kind": "UsageError", "message": message},
    }
    assert result.stderr == f"Error: {message}\n"


@pytest.mark.parametrize(
    ("arguments", "command"),
    [(["evaluate", "no-model"], "evaluate"), (["data", "verify", "no-data"], "data verify")],
)
def test_error_document_names_the_command_without_its_arguments(digitcli, arguments, command):
    assert json.loads(digitcli(*arguments, "--json").stdout)["command"] == command


def test_debug_shows_the_traceback(tmp_path):
    command = [sys.executable, "-m", "digitcli", "evaluate", str(tmp_path / "no.tflite")]
    plain = subprocess.run(command, capture_output=True, text=True)
    debug = subprocess.run([*command, "--debug"], capture_output=True, text=True)
    assert (plain.returncode, debug.returncode) == (1, 1)
    assert "Traceback" not in plain.stderr
    assert "Traceback" in debug.stderr


def test_surprise_is_told_without_a_traceback(digitcli, monkeypatch):
    def fail(*args):
        raise RuntimeError("out of luck")

    monkeypatch.setattr("digitcli.models.parameter_count", fail)
    result = digitcli("train", "--list-presets")
    assert result.exit_code == 1
    assert "Unexpected RuntimeError: out of luck" in result.stderr
    assert "--debug" in result.stderr


def test_interrupt_ends_with_130(digitcli, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("digitcli.models.parameter_count", interrupt)
    result = digitcli("train", "--list-presets")
    assert result.exit_code == 130
    assert "Interrupted" in result.stderr


def test_reader_that_stops_reading_causes_no_traceback():
    script = f"{sys.executable} -m digitcli train --list-presets | head -n 1"
    result = subprocess.run(script, shell=True, capture_output=True, text=True)
    assert "Traceback" not in result.stderr
    assert "Error" not in result.stderr


def test_doctor_tells_what_is_missing_and_which_model_would_be_used(digitcli, monkeypatch):
    from digitcli import diagnosis

    there = diagnosis.version

    def version(name):
        if name in ("tensorflow", "pypdfium2"):
            raise diagnosis.PackageNotFoundError(name)
        return there(name)

    monkeypatch.setattr(diagnosis, "version", version)
    told = digitcli("doctor").stdout
    assert "tensorflow\tnot installed" in told
    assert "pdf\tpypdfium2" in told
    assert "the one that comes with digitcli" in told
