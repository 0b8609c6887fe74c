"""A fresh copy of the project, and Snakemake in it as users run it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from conftest import ROOT

SMOKE = ["--configfile", "tests/config.yaml"]
"""The study on 16 x 16 pixels."""
ON_SLURM = ["--profile", "slurm", "--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "5"]
"""Arguments for the Slurm of tests/slurm/cluster.sh. It has no accounting: squeue is asked for the status, early."""
ONE = [*SMOKE, "one.yaml"]
"""Only the first of its two data sets, which is half of the jobs."""
COPIED_PATHS = ["Snakefile", "pyproject.toml", "workflow", "config", "profiles", "envs", "src", "slurm"]
COPIED_PATHS += ["tests/config.yaml"]


def fresh_copy(folder: Path) -> Path:
    """A copy of the files that a study needs, and `one.yaml`, which removes a data set."""
    for name in COPIED_PATHS:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink():
            target.symlink_to(os.readlink(source))
        elif source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    (folder / "one.yaml").write_text("datasets: {model_b: null}")
    return folder


def add_files_of_the_docs(folder: Path) -> list[Path]:
    """Write the files of docs/adding.md into a copy, verbatim. Each file is named before its block."""
    page = (ROOT / "docs/adding.md").read_text()
    named = re.findall(r"`((?:src|config)/[\w/]+\.\w+)`[^\n]*\n\n```\w+\n(.*?)```", page, re.DOTALL)
    for path, text in named:
        (folder / path).write_text(text)
    return [folder / path for path, _ in named]


def delete_all_but_images(folder: Path) -> None:
    """Delete the results of the small study except its simulated images."""
    results = folder / "results/smoke"
    for path in (*results.iterdir(), *(results / "logs").iterdir()):
        if path.name not in ("shards", "logs", "simulate"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def environment() -> dict[str, str]:
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "SNAKEMAKE_PROFILE")}
    return clean | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def snakemake(folder: Path, *arguments: str, fails: bool = False) -> str:
    run = subprocess.run(
        ["snakemake", *arguments],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=3000,
    )
    assert (run.returncode != 0) == fails, run.stdout[-4000:]
    return run.stdout


def planned(folder: Path, *arguments: str) -> dict[str, int]:
    """How often each rule would run."""
    table = snakemake(folder, "-n", "--cores", "2", *arguments)
    return {rule: int(count) for rule, count in re.findall(r"^(\w+)\s+(\d+)$", table, re.MULTILINE)}
