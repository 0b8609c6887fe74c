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
WORDING = {"__init__.py", "mistakes.py", "progress.py", "writing.py"}
"""Files without influence on results: the version number, error messages, log lines."""


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
    """A short hash of what modules of this package do, and all that they import of it, directly or not.

    Snakemake sees neither edits of imported modules nor which modules a rule needs. As a parameter of each rule, the
    fingerprint makes it rerun a job when the code of the job has changed. Only changes of meaning count (`meaning`):
    docstrings, comments, layout, error messages and log lines are free, and so are the modules in `WORDING`.
    Imports by name at run time (a detector, a substructure) are not followed: name those modules too.
    """
    sha = hashlib.sha256()
    for path in sorted(closure(*modules)):
        name = path.relative_to(_PACKAGE).as_posix()
        if name not in WORDING:
            sha.update(f"{name}\n{meaning(path)}\n".encode())
    return sha.hexdigest()[:12]


@cache
def meaning(path: Path) -> str:
    """The syntax tree of a file as text, without what has no influence on results.

    A tree holds no comments and no layout. Positions, docstrings (also those of attributes), and the texts of
    exceptions and of log lines are left out here.
    """
    return ast.dump(_WithoutWords().visit(ast.parse(path.read_text())))


class _WithoutWords(ast.NodeTransformer):
    """Removes docstrings, and replaces the texts inside `raise ...` and `say(...)`."""

    inside = False

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            return None
        return self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        return self._silenced(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        return self._silenced(node) if ast.unparse(node.func) == "say" else self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        return ast.Constant("") if self.inside else self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return ast.Constant("") if self.inside and isinstance(node.value, str) else node

    def _silenced(self, node: ast.AST) -> ast.AST:
        before, self.inside = self.inside, True
        node = self.generic_visit(node)
        self.inside = before
        return node


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
