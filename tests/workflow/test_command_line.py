"""Targets and keys that `--configfile` and `--config` take for their own: one line, before Snakemake's traceback."""

import subprocess

import pytest
from snakemake_logger_plugin_study.command_line import problems

from project import environment

TARGET = "results/smoke/report.html"


@pytest.fixture(autouse=True)
def _files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_text("seed: 1")
    (tmp_path / "settings").write_text("seed: 2")
    (tmp_path / "tabs.json").write_text('{\n\t"seed": 1\n}')
    (tmp_path / "report.html").write_text("<html>")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--configfile", "a.yaml", TARGET], f"--configfile a.yaml -- {TARGET}"),
        (["--configfiles", "a.yaml", "report.html", "-n"], "--configfile a.yaml -- report.html"),
        (["-n", "--configfile", "a.yaml", "settings", "retrieve"], "--configfile a.yaml settings -- retrieve"),
        (["--config", "seed=1", TARGET, "all", "--cores", "2"], f"--config seed=1 -- {TARGET} all"),
        (["-C", "seed=1", "my file"], "--config seed=1 -- 'my file'"),
        (["--configfile", "b.yaml"], "--configfile b.yaml: there is no such file in"),
        (["--configfile", "a.yaml", "b.yaml"], "--configfile b.yaml: there is no such file in"),
        (["--config", "training.epochs=1"], "--config 'training={epochs: 1}'"),
        (["--config", "seed=1", "datasets.a.images.train=5"], "--config 'datasets={a: {images: {train: 5}}}'"),
    ],
)
def test_what_an_option_takes_too_much_is_one_line_with_the_right_form(arguments, told):
    (line,) = problems(arguments)
    assert told in line


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--configfile"],
        ["--configfile", "a.yaml", "settings", "tabs.json", "--", TARGET],
        ["--configfile", "a.yaml", "--config", "seed=1", "training={epochs: 1}", "--", TARGET],
        [TARGET, "--configfile", "a.yaml", "-n", "--config", "only=[dcae]"],
        ["--configfile=a.yaml", TARGET],
        ["--cores", "2", "-c2", "--until", "real", "--forcerun", "score", "--config", "seed=1"],
    ],
)
def test_other_command_lines_are_left_to_snakemake(arguments):
    assert problems(arguments) == []


@pytest.mark.workflow
@pytest.mark.parametrize("command", [["snakemake"], ["python", "-m", "snakemake"]])
def test_snakemake_ends_with_that_line(tmp_path, command):
    (tmp_path / "Snakefile").write_text("rule all:\n    input: []\n")
    arguments = ["--cores", "1", "-n", "--configfile", "a.yaml", "report.html"]
    run = subprocess.run([*command, *arguments], env=environment(), capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1].endswith("--configfile a.yaml -- report.html")
    assert "Traceback" not in run.stderr + run.stdout
    arguments.insert(-1, "--")
    run = subprocess.run([*command, *arguments], env=environment(), capture_output=True, text=True, check=False)
    assert "Traceback" not in run.stderr + run.stdout
