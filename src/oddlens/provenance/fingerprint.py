"""Fingerprints of code: whether what a job would run has changed since it ran."""

import ast
import hashlib
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]
WORDING = {"__init__.py", "files/io_errors.py", "files/progress.py", "schema/config_errors.py"}
"""Files without influence on results: the version number, error messages, log lines."""


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
