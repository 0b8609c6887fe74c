"""Descriptions of detectors and substructure classes: the first sentences of their files' docstrings.

They are separate from all other properties of a row, so that a changed docstring reruns the report only.
"""

import ast
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def detector_description(name: str) -> str:
    """The description of a detector, without a full stop."""
    return _first_sentence(_PACKAGE / "detectors" / f"{name}.py")


def class_description(name: str) -> str:
    """The description of a substructure class, without a full stop."""
    return _first_sentence(_PACKAGE / "lensing" / "substructure" / f"{name}.py")


@cache
def _first_sentence(path: Path) -> str:
    text = ast.get_docstring(ast.parse(path.read_text())) or path.stem
    return " ".join(text.partition("\n\n")[0].split()).partition(". ")[0].rstrip(".")
