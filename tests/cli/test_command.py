"""The command `oddlens`: help, errors and exit statuses of all subcommands."""

import json
import re
import shutil
import subprocess
import sys

import pytest

from conftest import ROOT
from oddlens.cli.main import COMMANDS
from oddlens.stages.mini_set import mini_set


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_an_example_that_its_parser_takes(command, oddlens_command, monkeypatch):
    text = oddlens_command(command, "--help").out
    assert COMMANDS[command].EXAMPLES
    monkeypatch.setattr(COMMANDS[command], "run", lambda arguments: 0)
    for example in COMMANDS[command].EXAMPLES:
        assert example in text
        assert oddlens_command(*example.split()[1:]).status == 0


def test_help_names_all_commands(oddlens_command):
    end = oddlens_command("--help")
    assert end.status == 0
    assert all(re.search(rf"^    {command}\s", end.out, re.MULTILINE) for command in COMMANDS)


@pytest.mark.parametrize("arguments", [["--help"], ["score", "--help"], ["real", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(arguments):
    """Beyond the standard library and the command itself, so that it takes 0.1 s."""
    code = "import sys; known = set(sys.modules); from oddlens.cli.main import main\n"
    code += "try: main(sys.argv[1:])\nexcept SystemExit: pass\n"
    code += "print(*{m.split('.')[0] for m in set(sys.modules) - known} - sys.stdlib_module_names)\n"
    code += "print(len([m for m in sys.modules if m.startswith('oddlens.')]))"
    run = [sys.executable, "-c", code, *arguments]
    lines = subprocess.run(run, cwd=ROOT / "src", capture_output=True, text=True, check=True).stdout.splitlines()
    assert lines[-2] == "oddlens"
    assert int(lines[-1]) <= 2 + len(COMMANDS) + 4, "cli.outputs, cli.reading, files, files.names"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "required: COMMAND"),
        (["scoer"], "Did you mean 'score'?"),
        (["--versoin"], "Did you mean '--version'?"),
        (["score", "x.fits", "--modle", "toy/dcae"], "Did you mean '--model'?"),
        (["score", "x.fits", "--modle=toy/dcae"], "Did you mean '--model'?"),
        (["score", "x.fits"], "required: --model"),
        (["score", "x.fits", "--model", "toy/dace"], "Did you mean 'toy/dcae'?"),
        (["score", "x.fits", "--model", "nowhere.safetensors"], "no file nowhere.safetensors"),
        (["score", "x.fits", "--model", "toy/dcae", "--pixel-scale", "small"], "'small'"),
        (["export", "--model", "toy/flox", "x.onnx"], "Did you mean 'toy/flux'?"),
        (["image", "model_a/test", "extra"], "extra"),
        (["audit", "results/none"], "results/none"),
        (["real", "nowhere.fits", "--study", "nowhere"], "nowhere"),
        (["report", "--results", "nowhere"], "nowhere"),
    ],
)
def test_an_error_is_one_line_and_status_2(published_command, monkeypatch, tmp_path, arguments, words):
    monkeypatch.chdir(tmp_path)
    end = published_command(*arguments)
    assert (end.status, end.out) == (2, "")
    assert words in end.err
    assert len(end.err.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_models_agree_with_their_cards(published_command):
    end = published_command("verify")
    assert end.status == 0
    assert [line.split()[:2] for line in end.out.splitlines()] == [["ok", "toy/dcae:"], ["ok", "toy/flux:"]]


def test_a_model_that_differs_from_its_card_is_wrong(oddlens_command, published_folder, tiny_study, tmp_path):
    folder = shutil.copytree(published_folder, tmp_path / "models")
    mini_set(folder / "toy/mini.h5", [tiny_study / "test-cdm.h5"])
    end = oddlens_command("verify", folder / "toy/dcae.safetensors")
    assert end.status == 1
    assert end.out.startswith("WRONG")


def test_a_model_is_exported(published_command, tmp_path):
    end = published_command("export", "--model", "toy/dcae", tmp_path / "dcae.onnx")
    assert (end.status, end.err) == (0, "")
    assert (tmp_path / "dcae.onnx").stat().st_size > 0


def test_the_schema_is_printed_and_written(oddlens_command, tmp_path):
    printed = oddlens_command("schema").out
    assert "datasets" in json.loads(printed)["properties"]
    assert oddlens_command("schema", tmp_path / "schema.json").status == 0
    assert (tmp_path / "schema.json").read_text() == printed
