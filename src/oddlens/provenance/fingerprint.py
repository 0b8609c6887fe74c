"""Fingerprints of code: has the code of a job changed since the job ran?

Snakemake notices neither edits of imported modules nor which modules a rule needs. Each rule therefore has a
fingerprint as a parameter, and Snakemake reruns a job when a parameter has changed.
"""

import ast
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]
WORDING_FILES = {"__init__.py", "files/io_errors.py", "files/progress.py", "schema/config_errors.py"}
"""Files that cannot change the result of a job that succeeds: the version number, the texts of errors, and log lines.

`schema/config_errors.py` validates a config, too, but it returns what the models of the config make of it, unchanged.
"""


@cache  # a study asks once for each of its jobs
def fingerprint(*modules: str) -> str:
    """A short hash of the meaning of some modules of this package, and of all modules of it that they import.

    Only changes of meaning count (see `Code`), so docstrings, comments, layout, error texts and log lines can be
    edited without rerunning anything. The files in `WORDING_FILES` are left out. Imports by name at run time (a
    detector, a class of substructure) are not followed, so those modules must be given, too.
    """
    sha = hashlib.sha256()
    for path in sorted(closure(*modules)):
        name = path.relative_to(_PACKAGE).as_posix()
        if name not in WORDING_FILES:
            sha.update(b"%s\n%s\n" % (name.encode(), code(path).meaning))
    return sha.hexdigest()[:12]


@dataclass(frozen=True)
class Code:
    """What a file does: its syntax tree as text, without the parts that have no influence on results, and its imports.

    A syntax tree has no comments and no layout. Positions, docstrings (also those of attributes), and texts inside
    `raise` statements and `say(...)` are removed here.
    """

    meaning: bytes
    imports: tuple[str, ...]
    """The modules that the file imports, and the names that it imports from them, which may be modules, too."""


@cache  # the planning of a study asks for each of several hundred files some fifty times
def code(path: Path) -> Code:
    """Read a file."""
    visitor = _Visitor()
    tree = visitor.visit(ast.parse(path.read_text()))
    return Code(ast.dump(tree).encode(), tuple(visitor.imports))


class _Visitor(ast.NodeTransformer):
    """Removes docstrings, blanks the texts inside `raise ...` and `say(...)`, and notes imports."""

    def __init__(self) -> None:
        self.blanking = False
        self.imports: list[str] = []

    def visit_Import(self, node: ast.Import) -> ast.AST:
        self.imports += [alias.name for alias in node.names]
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        if node.module:
            self.imports += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            return None
        return self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        return self._blanked(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        said = isinstance(node.func, ast.Name) and node.func.id == "say"
        return self._blanked(node) if said else self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        return ast.Constant("") if self.blanking else self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return ast.Constant("") if self.blanking and isinstance(node.value, str) else node

    def _blanked(self, node: ast.AST) -> ast.AST:
        before, self.blanking = self.blanking, True
        node = self.generic_visit(node)
        self.blanking = before
        return node


def closure(*modules: str) -> set[Path]:
    """The files of this package that are executed when `modules` are imported."""
    files: set[Path] = set()
    pending = list(modules)
    while pending:
        name = pending.pop()
        path = _file(name)
        if path is None or path in files:
            continue
        files.add(path)
        own = (imported for imported in code(path).imports if imported.split(".")[0] == _PACKAGE.name)
        pending += [*own, *(name.rsplit(".", k)[0] for k in range(1, name.count(".") + 1))]  # and the parent packages
    return files


@cache
def _file(module: str) -> Path | None:
    """The file of a module or package; None if the name is that of a function, a class or a constant."""
    parts = module.split(".")[1:]
    candidates = (_PACKAGE.joinpath(*parts, "__init__.py"), _PACKAGE.joinpath(*parts).with_suffix(".py"))
    return next((path for path in candidates if path.is_file()), None)
