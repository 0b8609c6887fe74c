"""What made an artefact: fingerprints of source files, versions of packages, the processor."""

import ast
import hashlib
import importlib.metadata
import os
import platform
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).parent


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
        todo += [*_imports(path), *(name.rsplit(".", k)[0] for k in range(1, name.count(".") + 1))]
    return found


def _file(module: str) -> Path | None:
    parts = module.split(".")[1:]
    candidates = (_PACKAGE.joinpath(*parts, "__init__.py"), _PACKAGE.joinpath(*parts).with_suffix(".py"))
    return next((path for path in candidates if path.is_file()), None)


@cache
def _imports(path: Path) -> tuple[str, ...]:
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(name for name in names if name.split(".")[0] == _PACKAGE.name)
