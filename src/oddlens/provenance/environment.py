"""The commit, the package versions and the processor that made a file."""

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[3]
CODE_PATHS = ("src", "workflow", "Snakefile")
"""The paths of the project that can influence results."""


def git(root: Path, *arguments: str) -> str | None:
    """The output of a git command in the repository at `root`, not in one around it.

    None if `root` is no repository, if the command fails, or if git is not installed.
    """
    location_variables = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"}
    variables = {name: value for name, value in os.environ.items() if name not in location_variables}
    variables |= {"GIT_CEILING_DIRECTORIES": str(root.resolve().parent), "GIT_OPTIONAL_LOCKS": "0"}
    try:
        run = subprocess.run(["git", *arguments], cwd=root, env=variables, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return run.stdout


@cache
def code_version() -> dict[str, Any]:
    """The `commit` of this project, and whether `CODE_PATHS` have uncommitted changes (`dirty`).

    The first call in a process determines the answer, so call it before importing the code that is to run. Both values
    are None outside a git repository, as in an archive or a container.
    """
    commit, changes = git(_ROOT, "rev-parse", "HEAD"), git(_ROOT, "status", "--porcelain", "--", *CODE_PATHS)
    if commit is None or changes is None:
        return {"commit": None, "dirty": None}
    return {"commit": commit.strip(), "dirty": bool(changes)}


def describe_commit(version: Mapping[str, Any]) -> str:
    """The result of `code_version` as text."""
    if not version["commit"]:
        return "unknown (no git repository)"
    return version["commit"] + (" with uncommitted changes" if version["dirty"] else "")


def versions(*packages: str) -> dict[str, str]:
    """The versions of Python and of the named packages."""
    return {"python": platform.python_version(), **{p: importlib.metadata.version(p) for p in packages}}


def processor() -> str:
    """The name of this machine's processor, and its number of cores."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.partition(": ")[2] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):  # not Linux, or /proc/cpuinfo has no model name
        name = platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores"
