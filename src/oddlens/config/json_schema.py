"""The JSON schema of config files, with which editors complete and check keys.

It is made from the models that validate a study, and from the settings of all detectors. It describes files as people
write them: a file names only what it changes, so no key is required, and a null removes what lies below.
"""

import ast
import inspect
import itertools
import json
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from oddlens.config.contamination import Contamination
from oddlens.config.dataset import Dataset
from oddlens.config.detector_registry import detector_settings, detectors
from oddlens.config.detector_row import DetectorRow
from oddlens.config.external_row import ExternalRow
from oddlens.config.files_dataset import FilesDataset
from oddlens.config.follow_up import FollowUp
from oddlens.config.names import NAME_PATTERN
from oddlens.config.presets import preset_names
from oddlens.config.real_lenses import RealLenses
from oddlens.config.regression import Regression
from oddlens.config.study import Study
from oddlens.config.training import Training
from oddlens.config.variants import SECTIONS, Variant
from oddlens.files.artefacts import atomic_write
from oddlens.lensing import substructure_classes
from oddlens.lensing.simulation import Simulation
from oddlens.schema.priors import PARAMETERS, PRIOR, Distribution
from oddlens.schema.section import Section

Schema = dict[str, Any]

DEFINED: dict[type[Section], str] = {
    model: model.__name__
    for model in (Contamination, Dataset, DetectorRow, ExternalRow, FollowUp, RealLenses, Regression, Training)
}


def text() -> str:
    """The schema as JSON, with a final newline."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def write(path: str | Path) -> None:
    """Write the schema."""
    with atomic_write(path) as temporary:
        temporary.write_text(text(), encoding="utf-8")


def json_schema() -> Schema:
    """The schema of a config file, JSON Schema 2020-12. Presets have the schema `#/$defs/Dataset`."""
    named = {
        "datasets": {"if": {"required": ["files"]}, "then": _reference("FilesDataset"), "else": _reference("Dataset")},
        "detectors": {
            "if": {"required": ["scores"]},
            "then": _reference("ExternalRow"),
            "else": _reference("DetectorRow"),
        },
        "regression": _reference("Regression"),
        "real": {"anyOf": [{"type": "string"}, _reference("RealLenses")]},
        "follow_up": _reference("FollowUp"),
        "publish": {"type": "array", "items": {"type": "string"}},
    }
    study, descriptions = _section(Study, leave_out=(*named, "external")), _key_descriptions(Study)
    own = study["properties"] | {
        key: _described(_mapping_to(entry), descriptions.get(key)) for key, entry in named.items()
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "oddlens config",
        "description": "The config of a study, or what it changes in another. See config/README.md.",
        "type": "object",
        "properties": {key: own[key] for key in Study.model_fields if key in own},
        "additionalProperties": False,
        "$defs": {
            "Prior": _prior(),
            **{name: _section(model) for model, name in DEFINED.items() if model not in (Dataset, DetectorRow)},
            "Dataset": _dataset(),
            "FilesDataset": _files_dataset(),
            "Simulation": _dataset(Simulation),
            "DetectorRow": _row(),
        },
    }


# --- sections --------------------------------------------------------------------------------------------------------


def _section(model: type[Section], leave_out: Iterable[str] = ()) -> Schema:
    """A section of which a file may name any part, or null to remove it."""
    descriptions = _key_descriptions(model)
    return {
        "type": ["object", "null"],
        "description": " ".join((inspect.getdoc(model) or "").partition("\n\n")[0].split()),
        "properties": {
            name: _described(_or_null(_value(field)), descriptions.get(name))
            for name, field in model.model_fields.items()
            if name not in leave_out
        },
        "additionalProperties": False,
    }


def _value(field: FieldInfo) -> Schema:
    """The values of a key."""
    kinds = [kind for kind in (field.annotation, *get_args(field.annotation)) if isinstance(kind, type)]
    for kind in kinds:
        if issubclass(kind, Section) and kind is not Distribution:
            return _reference(DEFINED[kind]) if kind in DEFINED else _section(kind)
    annotation: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    schema = _with_priors(TypeAdapter(annotation).json_schema())
    default = None if field.default_factory else field.default
    return schema if field.is_required() or default is None else schema | {"default": default}


def _with_priors(schema: Schema) -> Schema:
    """A schema of pydantic, where a marked number may also be a distribution, and without titles."""
    found = {key: value for key, value in schema.items() if key not in ("title", PRIOR)}
    if "anyOf" in found:
        found["anyOf"] = [_with_priors(entry) for entry in found["anyOf"]]
    if isinstance(found.get("additionalProperties"), dict):
        found["additionalProperties"] = _or_null(found["additionalProperties"])
    return {"anyOf": [found, _reference("Prior")]} if PRIOR in schema else found


def _prior() -> Schema:
    return {
        "type": "object",
        "description": "One distribution with its parameters. A number instead is a fixed value.",
        "properties": {
            kind: {
                "type": "array",
                "items": {"type": "number"},
                "minItems": len(names),
                "maxItems": len(names),
                "description": f"[{', '.join(names)}]",
            }
            for kind, names in PARAMETERS.items()
            if kind != "fixed"
        },
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }


def _files_dataset() -> Schema:
    """A data set of the user's own files as written: with presets in its `simulation`."""
    section = _section(FilesDataset)
    section["properties"]["simulation"] = _described(
        _reference("Simulation"), _key_descriptions(FilesDataset)["simulation"]
    )
    return section


def _dataset(model: type[Section] = Dataset) -> Schema:
    """A data set or a simulation as written: with presets, and the priors of each substructure class."""
    name = {"type": "string", **({"enum": preset_names()} if preset_names() else {})}
    preset = {
        "anyOf": [name, {"type": "array", "items": name}],
        "description": "One or more presets below this section, each laid over those before it.",
    }
    section = _section(model, leave_out=("variants",))
    anomalies = [cls for cls in substructure_classes.names() if cls != substructure_classes.SMOOTH]
    section["properties"]["substructure"] = {
        "type": ["object", "null"],
        "description": "The anomaly classes, each with its priors.",
        "properties": {cls: _section(substructure_classes.module(cls).Priors) for cls in anomalies},
        "additionalProperties": False,
    }
    section["properties"] = {"preset": preset, **section["properties"]}
    if "variants" in model.model_fields:
        section["properties"]["variants"] = _described(_mapping_to(_variant()), _key_descriptions(model)["variants"])
    return section


def _variant() -> Schema:
    """A variant as written: with parts of a simulation."""
    section, descriptions = _section(Variant), _key_descriptions(Variant)
    for name in SECTIONS:
        part = _reference(f"Simulation/properties/{name}")
        section["properties"][name] = _described(part, descriptions[name])
    return section


def _row() -> Schema:
    """A row as written: with the settings of all detectors, sweeps, and the row that it is like."""
    section = _section(DetectorRow, leave_out=("settings", "sweep"))
    settings = _settings()
    row = section["properties"]
    row["detector"] |= {"type": "string", "enum": detectors()}
    row["like"] = _or_null({"type": "string", "description": "The row that this row begins as."})
    row["sweep"] = {
        "type": "object",
        "description": "Lists of values of settings. The row is replaced by a candidate for each combination.",
        "properties": {key: {"type": "array", "items": value, "minItems": 1} for key, value in settings.items()},
        "additionalProperties": {"type": "array", "minItems": 1},
    }
    row["trials"] = {
        "type": "integer",
        "minimum": 2,
        "description": "How many combinations of the sweep are sampled. The default is all.",
    }
    section["properties"] = row | {key: _or_null(value) for key, value in settings.items()}
    return section


def _settings() -> dict[str, Schema]:
    """The settings of all detectors. A setting of several detectors allows the values of all of them."""
    kinds: dict[str, list[Schema]] = {}
    notes: dict[str, dict[str, list[str]]] = {}
    for detector in detectors():
        for name, field in detector_settings(detector).model_fields.items():
            schema = _value(field)
            default = json.dumps(schema.pop("default", None)).strip('"')
            notes.setdefault(name, {}).setdefault(default, []).append(detector)
            if schema not in kinds.setdefault(name, []):
                kinds[name].append(schema)
    return {
        name: _described(
            _any_of(schemas), "; ".join(f"{', '.join(of)}: default {default}" for default, of in notes[name].items())
        )
        for name, schemas in kinds.items()
    }


# --- parts of schemas ------------------------------------------------------------------------------------------------


def _reference(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _mapping_to(entry: Schema) -> Schema:
    """A mapping from names to entries, any of which a null removes."""
    return {
        "type": ["object", "null"],
        "propertyNames": {"pattern": NAME_PATTERN},
        "additionalProperties": _or_null(entry),
    }


def _any_of(schemas: list[Schema]) -> Schema:
    if all(set(schema) == {"type", "enum"} for schema in schemas):
        return {"type": "string", "enum": list(dict.fromkeys(word for schema in schemas for word in schema["enum"]))}
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def _or_null(schema: Schema) -> Schema:
    """The schema, or null. Sections allow null themselves."""
    if "anyOf" in schema:
        null = {"type": "null"}
        return schema if null in schema["anyOf"] else schema | {"anyOf": [*schema["anyOf"], null]}
    if "enum" in schema:
        return schema | {"type": [schema["type"], "null"], "enum": [*schema["enum"], None]}
    return schema | {"type": [schema["type"], "null"]} if isinstance(schema.get("type"), str) else schema


def _described(schema: Schema, description: str | None) -> Schema:
    return schema | {"description": description} if description else schema


def _key_descriptions(model: type[Section]) -> dict[str, str]:
    """The docstrings below the keys of a section, read from its source: pydantic would read them at each start."""
    found = {}
    for kind in reversed(model.__mro__):
        if issubclass(kind, Section) and kind is not Section:
            (section,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
            for node, after in itertools.pairwise(getattr(section, "body", [])):
                match node, after:
                    case ast.AnnAssign(target=ast.Name(id=key)), ast.Expr(value=ast.Constant(value=str(words))):
                        found[key] = " ".join(words.split())
    return found
