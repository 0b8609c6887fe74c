"""Descriptions of detectors and substructure classes: the first sentences of their files' docstrings.

They are separate from all other properties of a row, so that a changed docstring reruns the report only.
"""

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from oddlens.config.dataset import Dataset
from oddlens.config.merging import is_prior
from oddlens.config.variants import SECTIONS

_PACKAGE = Path(__file__).parents[1]


def detector_description(name: str) -> str:
    """The description of a detector, without a full stop."""
    return _first_sentence(_PACKAGE / "detectors" / f"{name}.py")


def class_description(name: str) -> str:
    """The description of a substructure class, without a full stop."""
    return _first_sentence(_PACKAGE / "lensing" / "substructure" / f"{name}.py")


def class_descriptions(datasets: Iterable[Dataset]) -> dict[str, str]:
    """The descriptions of all classes of some data sets; a variant says what it is made of and what differs."""
    found: dict[str, str] = {}
    for dataset in datasets:
        for cls in dataset.classes:
            found.setdefault(cls, _variant(dataset, cls) if cls in dataset.variants else class_description(cls))
    return found


def _variant(dataset: Dataset, cls: str) -> str:
    role = "Decoy: smooth lenses" if cls in dataset.decoys else f"Variant of {dataset.made_of(cls)}"
    changes = [change for name in SECTIONS for change in _settings(name, getattr(dataset.variants[cls], name))]
    return f"{role} with {', '.join(changes) or 'nothing changed'}"


def _settings(key: str, value: Any) -> Iterator[str]:
    """The settings inside a section, as `key: value`."""
    if isinstance(value, dict) and not is_prior(value):
        for name, entry in value.items():
            yield from _settings(f"{key}.{name}", entry)
    elif isinstance(value, dict):
        [(kind, parameters)] = value.items()
        yield f"{key}: {kind} {parameters}"
    else:
        yield f"{key}: {'none' if value is None else value}"


@cache
def _first_sentence(path: Path) -> str:
    text = ast.get_docstring(ast.parse(path.read_text())) or path.stem
    return " ".join(text.partition("\n\n")[0].split()).partition(". ")[0].rstrip(".")
