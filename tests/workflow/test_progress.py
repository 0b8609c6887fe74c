"""The progress bar of `make study`, in a terminal."""

import os
import pty
import re
import subprocess

import pytest

from conftest import ROOT
from project import environment

pytestmark = pytest.mark.workflow

SNAKEFILE = """
rule all:
    input: expand("made/{number}", number=range(3))
    localrule: True

rule make:
    output: "made/{number}"
    log: "logs/{number}.log"
    shell: "echo a line of a log > {log}; sleep 0.3; [ {wildcards.number} != FAILING ]; touch {output}"

onsuccess:
    print("the best rows")
"""


def in_a_terminal(folder, *arguments):
    """What Snakemake shows in a terminal, without escape sequences."""
    terminal, side = pty.openpty()
    env = environment() | {"PYTHONPATH": str(ROOT / "workflow/plugins"), "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(
        ["snakemake", "--cores", "1", "--logger", "study", *arguments], cwd=folder, env=env, stdout=side, stderr=side
    ) as run:
        os.close(side)
        shown = b""
        while True:
            try:
                shown += os.read(terminal, 4096)
            except OSError:  # closed by the last process
                break
    os.close(terminal)
    return run.returncode, re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode(errors="replace"))


def test_it_shows_the_jobs_done_the_running_rule_and_the_time_left(tmp_path):
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    status, shown = in_a_terminal(tmp_path)
    assert status == 0
    done = [int(number) for number in re.findall(r"Total Progress .* (\d)/4 ", shown)]
    assert done == sorted(done)
    assert {0, 1, 2} <= set(done)  # the end may be too quick to be drawn
    assert re.search(r"make .* 1/3 ", shown)
    assert "min left" in shown
    assert "the best rows" in shown
    assert "echo a line" not in shown


def test_a_failed_job_is_one_line(tmp_path):
    (tmp_path / "Snakefile").write_text(SNAKEFILE.replace("FAILING", "2"))
    status, shown = in_a_terminal(tmp_path, "--keep-going")
    assert status == 1
    assert "failed: make number=2" in shown
    assert "a line of a log" not in shown.replace("echo a line of a log", ""), "the workflow shows logs at its end"


def test_a_dry_run_lists_the_jobs(tmp_path):
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    status, shown = in_a_terminal(tmp_path, "-n")
    assert status == 0
    assert re.search(r"make +3\b", shown)
