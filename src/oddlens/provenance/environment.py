"""What made an artefact: the commit, the versions of packages, the processor."""

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[3]
MAKING = ("src", "workflow", "Snakefile")
"""What of the project has a part in results."""


def git(root: Path, *arguments: str) -> str | None:
    """What git says of the repository at `root`, not of one around it; None if there is none, or no git."""
    other = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"}
    own = {name: value for name, value in os.environ.items() if name not in other}
    own |= {"GIT_CEILING_DIRECTORIES": str(root.resolve().parent), "GIT_OPTIONAL_LOCKS": "0"}
    try:
        run = subprocess.run(["git", *arguments], cwd=root, env=own, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return run.stdout


@cache
def code() -> dict[str, Any]:
    """The `commit` that this package is of, and whether what makes results has changes that it has not (`dirty`).

    As it is when a process first asks, which should be before it imports what it runs. Both are None where that cannot
    be known: in an archive, or in a container.
    """
    commit, changes = git(_ROOT, "rev-parse", "HEAD"), git(_ROOT, "status", "--porcelain", "--", *MAKING)
    if commit is None or changes is None:
        return {"commit": None, "dirty": None}
    return {"commit": commit.strip(), "dirty": bool(changes)}


def commit_in_words(made: Mapping[str, Any]) -> str:
    """What `code` found."""
    if not made["commit"]:
        return "unknown (no git repository)"
    return made["commit"] + (" with uncommitted changes" if made["dirty"] else "")


def versions(*packages: str) -> dict[str, str]:
    """The versions of Python and of the named packages."""
    return {"python": platform.python_version(), **{p: importlib.metadata.version(p) for p in packages}}


def processor() -> str:
    """The name of this machine's processor, and how many cores it has."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.partition(": ")[2] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):  # not Linux, or a processor without a name there
        name = platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores"
