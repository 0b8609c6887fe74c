"""The list of slow tests names tests that exist."""

import ast

import pytest

from conftest import ROOT, SLOW


@pytest.mark.parametrize("name", sorted(SLOW))
def test_a_slow_test_exists(name):
    path, _, function = name.partition("[")[0].partition("::")
    functions = [
        node.name
        for node in ast.walk(ast.parse((ROOT / path).read_text()))
        if hasattr(node, "args") and hasattr(node, "name")
    ]
    assert not function or function in functions
