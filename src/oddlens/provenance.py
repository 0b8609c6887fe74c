"""What made an artefact: the commit and fingerprints of source files, versions of packages, the processor."""

import ast
import hashlib
import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).parent
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
    root = _PACKAGE.parents[1]
    commit, changes = git(root, "rev-parse", "HEAD"), git(root, "status", "--porcelain", "--", *MAKING)
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


@cache  # a study asks once for each of its jobs
def fingerprint(*modules: str) -> str:
    """A short hash of the source of modules of this package and of all that they import of it, directly or not.

    Snakemake sees neither edits of imported modules nor which a rule needs; as a parameter of each rule this tells it.
    Imports by name at run time (a detector, a substructure) are not seen here either: name those modules too.
    """
    sha = hashlib.sha256()
    for path in sorted(closure(*modules)):
        sha.update(path.relative_to(_PACKAGE).as_posix().encode() + path.read_bytes())
    return sha.hexdigest()[:12]


def closure(*modules: str) -> set[Path]:
    """The files of this package that importing `modules` runs."""
    found: set[Path] = set()
    todo = list(modules)
    while todo:
        name = todo.pop()
        path = _file(name)
        if path is None or path in found:
            continue
        found.add(path)
        own = (imported for imported in imports(path) if imported.split(".")[0] == _PACKAGE.name)
        todo += [*own, *(name.rsplit(".", k)[0] for k in range(1, name.count(".") + 1))]
    return found


def _file(module: str) -> Path | None:
    parts = module.split(".")[1:]
    candidates = (_PACKAGE.joinpath(*parts, "__init__.py"), _PACKAGE.joinpath(*parts).with_suffix(".py"))
    return next((path for path in candidates if path.is_file()), None)


@cache
def imports(path: Path) -> tuple[str, ...]:
    """The modules that a file imports, and what it imports from them, which may be modules too."""
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(names)
