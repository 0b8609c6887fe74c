"""No function and no class is too long to be read at once."""

import ast
from collections import Counter

import pytest

from conftest import ROOT

SRC = ROOT / "src" / "oddlens"
MAX_LINES = {ast.FunctionDef: 60, ast.AsyncFunctionDef: 60, ast.ClassDef: 250}


def too_long(source):
    """The functions and classes with more lines than allowed, each with its number of lines."""
    for node in ast.walk(ast.parse(source)):
        if type(node) in MAX_LINES:
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            if (lines := node.end_lineno - first + 1) > MAX_LINES[type(node)]:
                yield node.name, lines


@pytest.mark.parametrize("path", sorted(SRC.rglob("*.py")), ids=lambda path: path.relative_to(SRC).as_posix())
def test_functions_and_classes_are_short(path):
    assert not list(too_long(path.read_text()))


def test_what_is_too_long_is_found():
    lines = MAX_LINES[ast.FunctionDef] - 2
    body = "    x = 1\n" * lines
    assert not list(too_long(f"@cache\ndef f():\n{body}"))
    assert list(too_long(f"@cache\ndef f():\n{body}    x = 1\n")) == [("f", lines + 3)]


def test_files_of_tests_have_different_names():
    """Pytest imports each by its name alone, and refuses a second one."""
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert not [name for name, files in names.items() if files > 1]
