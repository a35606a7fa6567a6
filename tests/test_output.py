"""Results on stdout, the rest on stderr; plain when piped, drawn on a terminal."""

from __future__ import annotations

import json

import pytest

from digitcli.output import Output, Stdout


def test_piped_table_is_tab_separated(capsys):
    Output("demo").table(["a", "b"], [[1, 0.5], ["x", None]])
    assert capsys.readouterr().out == "a\tb\n1\t0.5000\nx\t\n"


def test_terminal_table_is_drawn(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    Output("demo").table(["a"], [["cell [not markup]"]])
    text = capsys.readouterr().out
    assert "cell [not markup]" in text
    assert "━" in text


def test_json_is_one_document_and_nothing_else(capsys):
    out = Output("demo", as_json=True)
    out.document({"answer": 42})
    out.table(["a"], [[1]])
    out.lines("text")
    assert json.loads(capsys.readouterr().out) == {"schema": 1, "command": "demo", "answer": 42}


def test_notes_and_warnings_go_to_stderr(capsys):
    out = Output("demo")
    out.note("a note")
    out.warn("a warning")
    out.detail("a detail")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "a note\nWarning: a warning\n"


def test_quiet_keeps_warnings_only(capsys):
    out = Output("demo", quiet=True)
    out.note("a note")
    out.warn("a warning")
    assert capsys.readouterr().err == "Warning: a warning\n"


def test_verbose_adds_details(capsys):
    Output("demo", verbose=True).detail("a detail")
    assert capsys.readouterr().err == "a detail\n"


@pytest.mark.parametrize("quiet", [False, True])
def test_progress_is_silent_when_piped(capsys, quiet):
    with Output("demo", quiet=quiet).progress("Doing") as progress:
        progress(1, 2)
        progress(2, None)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_progress_is_drawn_on_a_terminal_and_vanishes(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    with Output("demo").progress("Doing") as progress:
        progress(1, 2)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Doing" in captured.err


@pytest.mark.parametrize("unit", ["", "B"])
def test_progress_on_a_narrow_terminal_is_told_as_a_share(capsys, monkeypatch, unit):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "20")
    with Output("demo").progress("Reading data", unit=unit) as progress:
        progress(1, 2)
    told = capsys.readouterr().err
    assert "50%" in told
    assert "…" not in told


def test_no_color_is_honoured(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    Output("demo").warn("careful")
    assert "\x1b[33m" not in capsys.readouterr().err


def test_stdout_takes_characters_and_bytes_that_its_encoding_lacks(tmp_path):
    with open(tmp_path / "out", "w", encoding="ascii") as file:
        out = Stdout(file)
        out.write("a\udce9━\udcff")
        out.flush()
    assert (tmp_path / "out").read_bytes() == b"a\xe9?\xff"
