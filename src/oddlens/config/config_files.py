"""Config files as people write them: which one lies below, reading them, and refusing repeated keys."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from oddlens.config.merging import laid_over
from oddlens.schema.config_errors import ConfigError, nearest

DEFAULT_CONFIG = Path("config/config.yaml")
"""The whole config that others are laid over, in the working directory or in the checkout."""
MERGE_KEY = "tag:yaml.org,2002:merge"
"""YAML's tag of the key `<<`, which may occur several times."""
NULL_WORDS = ("null", "Null", "NULL", "~")
"""How YAML writes null."""
NAMED = ("datasets", "detectors", "regression", "real", "follow_up", "publish")
"""Sections whose keys are names, of which a null removes one."""


def default_config(checkout: Path) -> Path:
    """The config that lies below all others: that of the working directory if it has one, else that of the checkout."""
    return DEFAULT_CONFIG if DEFAULT_CONFIG.is_file() else checkout / DEFAULT_CONFIG


def replaced_default(checkout: Path) -> str:
    """A line for errors if the working directory has a default config that is not the checkout's; else empty."""
    theirs = checkout / DEFAULT_CONFIG
    if not DEFAULT_CONFIG.is_file() or not theirs.is_file() or DEFAULT_CONFIG.samefile(theirs):
        return ""
    return (
        f"{DEFAULT_CONFIG} here takes the place of the default config, {theirs}, so it must be a whole config. To "
        "change single keys, give them in another file by --configfile"
    )


def read_config(files: Sequence[Path]) -> dict[str, Any]:
    """The config of files, each laid over those before it as Snakemake does.

    Raises:
        OSError: if a file cannot be read.
        ValueError: if a file is not YAML, or is not a mapping.
    """
    layers = [_content(path) for path in files]
    config: dict[str, Any] = {}
    for layer in layers:
        config = laid_over(config, layer)
    _refuse_unknown_nulls(config, layers)
    return config


def _content(path: Path) -> dict[str, Any]:
    text = path.read_text(encoding="utf-8")
    try:
        found = yaml.safe_load(text.replace("\t", " ") if path.suffix == ".json" else text)
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path} must map keys to their values, as config/config.yaml does")
    return found


def read_null_words(config: dict[str, Any], given: Mapping[str, Any]) -> None:
    """Set to null what `--config` gives as the word null, which Snakemake leaves a word.

    Args:
        config: the merged config, which is changed.
        given: the keys and values of `--config` as Snakemake read them.
    """
    for key, value in given.items():
        if isinstance(value, Mapping) and isinstance(config.get(key), dict):
            read_null_words(config[key], value)
        elif isinstance(value, str) and value in NULL_WORDS and config.get(key) == value:
            config[key] = None


def refuse_unknown_nulls(config: Mapping[str, Any], default: Path, others: Iterable[Path]) -> None:
    """Refuse a null that removes nothing, because no file has the name: it is misspelt.

    Args:
        config: the merged config.
        default: the file below all others.
        others: the other files.

    Raises:
        ConfigError: for each such name, with the nearest one.
    """
    if _nulls(config):
        _refuse_unknown_nulls(config, [_content(path) for path in (default, *others)])


def _refuse_unknown_nulls(config: Mapping[str, Any], layers: Sequence[Mapping[str, Any]]) -> None:
    known: dict[str, list[str]] = {section: [] for section in NAMED}
    for k, layer in enumerate(layers):
        for section in NAMED:
            known[section] += [name for name, entry in _names(layer, section) if k == 0 or entry is not None]
    errors = [
        f"{section}.{name}: null removes nothing, as no config has this name. {nearest(name, dict.fromkeys(names))}"
        for section, name in _nulls(config)
        if name not in (names := known[section])
    ]
    if errors:
        raise ConfigError("\n".join(errors))


def _nulls(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The names that a null removes, with their sections."""
    return [(section, name) for section in NAMED for name, entry in _names(config, section) if entry is None]


def _names(layer: Mapping[str, Any], section: str) -> list[tuple[str, Any]]:
    """The names of a section with their entries; none if it is not a mapping, which is reported elsewhere."""
    entries = layer.get(section)
    return [(str(name), entry) for name, entry in entries.items()] if isinstance(entries, dict) else []


def refuse_repeated_keys(files: Iterable[str | Path]) -> None:
    """Refuse config files in which a key occurs twice: YAML would silently keep the last value.

    Raises:
        ConfigError: for each such key, with its file and lines.
    """
    found = [line for file in files for line in _repeated(Path(file))]
    if found:
        raise ConfigError("\n".join(found))


def _repeated(file: Path) -> Iterator[str]:
    todo: list[yaml.Node | None] = []
    with suppress(yaml.YAMLError):  # JSON may have tabs
        todo.append(yaml.compose(file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader))
    visited = set()
    while todo:
        node = todo.pop()
        if id(node) in visited:  # an anchor's
            continue
        visited.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            todo += node.value
        elif isinstance(node, yaml.MappingNode):
            lines: dict[tuple[str, str], int] = {}
            for key, value in node.value:
                line, name = key.start_mark.line + 1, (key.tag, str(key.value))
                if (first := lines.get(name)) and key.tag != MERGE_KEY:
                    yield (
                        f"{file}, line {line}: '{key.value}' is in line {first} already, and only the last would "
                        "count. Merge them"
                    )
                lines[name] = line
                todo.append(value)
