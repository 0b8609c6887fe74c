"""The detectors: their names, roles, needs and settings, read from their files without importing them.

The folder `oddlens/detectors` is the registry: a file is a detector. The files are parsed, not imported, so that
Snakemake's process can check a config without loading torch, and without torch being installed.
"""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
from pydantic import create_model

from oddlens.schema.section import Section

_SOURCE = Path(__file__).parents[2]
_DETECTORS = _SOURCE / "oddlens" / "detectors"
_BASE = (_DETECTORS / "interface" / "base.py", "Detector")
_ANNOTATIONS = {
    name: getattr(pydantic, name)
    for name in ("Field", "PositiveInt", "PositiveFloat", "NonNegativeInt", "NonNegativeFloat")
} | {"Annotated": Annotated, "Literal": Literal, "bool": bool, "float": float, "int": int, "list": list, "str": str}
"""The names that annotations of settings may use."""
_Place = tuple[Path, str]
"""A class: its file and its name."""


def detectors() -> list[str]:
    """The names of all detectors."""
    return sorted(f.stem for f in _DETECTORS.glob("[!_]*.py"))


def role(name: str) -> str:
    """The role of a detector in a comparison; see `Detector.role`."""
    return _attribute(name, "role")


def needs(name: str) -> str | None:
    """What a detector needs besides images, `labels` or `truth`; see `Detector.needs`."""
    return _attribute(name, "needs")


def takes_simulation(name: str) -> bool:
    """Whether the constructor of a detector takes the simulation of the data set; see `Detector.takes_simulation`."""
    return _attribute(name, "takes_simulation")


def fitting_detectors() -> list[str]:
    """The detectors that fit lenses."""
    return [name for name in detectors() if takes_simulation(name)]


def takes_labels(name: str) -> bool:
    """Whether a detector can be trained with labels: with some, or with all as an upper bound."""
    return _attribute(name, "semi_supervised") or needs(name) == "labels"


def scoring(name: str) -> tuple[str, ...]:
    """The settings of a detector that only its score reads; see `Detector.scoring`."""
    return _attribute(name, "scoring")


def refusals(name: str, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The given settings of a detector whose values are refused, each with the reason; see `Detector.refused`."""
    for setting, reasons in _attribute(name, "refused").items():
        if (value := str(given.get(setting)).lower()) in reasons:
            yield setting, f"'{value}' is not offered, because {reasons[value]}"


@cache
def detector_settings(name: str) -> type[Section]:
    """The settings of a detector as a model, made from the keyword-only arguments of its constructor.

    If the constructor passes on `**others`, the settings of the class that it inherits from are included; where names
    are equal, the detector's own apply. Annotations may use the names in `_ANNOTATIONS`, and literals.
    """
    fields: dict[str, Any] = {}
    for argument, default in _keywords(name):
        if argument.annotation is None:
            raise TypeError(f"detector {name}: annotate '{argument.arg}', the config is checked against it")
        annotation = _evaluated(argument.annotation)
        fields.setdefault(argument.arg, (annotation, ... if default is None else ast.literal_eval(default)))
    return create_model(f"{name} settings", __base__=Section, **fields)


# --- syntax trees ----------------------------------------------------------------------------------------------------


@cache
def _attribute(name: str, attribute: str) -> Any:
    """A class attribute of a detector, as written in its class or in the first class above that sets it."""
    for place in _lineage(name):
        for node in _class(place).body:
            match node:
                case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == attribute:
                    return ast.literal_eval(value)
                case ast.AnnAssign(target=ast.Name(id=target), value=ast.expr() as value) if target == attribute:
                    return ast.literal_eval(value)
    raise TypeError(f"detector {name} has no attribute '{attribute}'")


def _keywords(name: str) -> Iterator[tuple[ast.arg, ast.expr | None]]:
    """The keyword-only arguments of a constructor with their defaults, and of those that it passes others on to."""
    for place in _lineage(name):
        for node in _class(place).body:
            if isinstance(node, ast.FunctionDef) and node.name == "__init__":
                yield from zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
                if not node.args.kwarg:
                    return


@cache
def _lineage(name: str) -> tuple[_Place, ...]:
    """The class of a detector and those of this package that it inherits from, in the order of Python's look-up."""
    path = _DETECTORS / f"{name}.py"
    own = [_ancestors((path, n.name)) for n in _parsed(path).body if isinstance(n, ast.ClassDef)]
    found = [lineage for lineage in own if _BASE in lineage]
    if len(found) != 1:
        raise TypeError(f"{path} defines {len(found)} detectors; a file must define one")
    # Of a class that is inherited from twice, the last place counts.
    return tuple(place for k, place in enumerate(found[0]) if place not in found[0][k + 1 :])


def _ancestors(place: _Place) -> list[_Place]:
    """A class and the classes above it, depth first."""
    path = place[0]
    local = {node.name: (path, node.name) for node in _parsed(path).body if isinstance(node, ast.ClassDef)}
    known = _imported(path) | local
    bases = [known[base.id] for base in _class(place).bases if isinstance(base, ast.Name) and base.id in known]
    return [place, *(above for base in bases for above in _ancestors(base))]


def _imported(path: Path) -> dict[str, _Place]:
    """What a file imports from modules of this package, by the names that it uses."""
    return {
        alias.asname or alias.name: (_SOURCE / f"{node.module.replace('.', '/')}.py", alias.name)
        for node in _parsed(path).body
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("oddlens.")
        for alias in node.names
    }


def _class(place: _Place) -> ast.ClassDef:
    path, name = place
    return next(node for node in _parsed(path).body if isinstance(node, ast.ClassDef) and node.name == name)


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _evaluated(node: ast.expr) -> Any:
    """An annotation of a setting: names in `_ANNOTATIONS`, calls and subscripts of them, and literals."""
    match node:
        case ast.Name(id=name) if name in _ANNOTATIONS:
            return _ANNOTATIONS[name]
        case ast.Subscript(value=kind, slice=inner):
            return _evaluated(kind)[_evaluated(inner)]
        case ast.Tuple(elts=entries):
            return tuple(map(_evaluated, entries))
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _evaluated(left) | _evaluated(right)
        case ast.Call(func=kind, args=[], keywords=given):
            return _evaluated(kind)(**{str(keyword.arg): ast.literal_eval(keyword.value) for keyword in given})
    return ast.literal_eval(node)
