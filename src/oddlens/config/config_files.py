"""Config files as people write them: which one lies below, reading them, and refusing repeated keys."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from oddlens.config.merging import laid_over
from oddlens.schema.config_errors import ConfigError

DEFAULT_CONFIG = Path("config/config.yaml")
"""The whole config that others are laid over, in the working directory or in the checkout."""
MERGE_KEY = "tag:yaml.org,2002:merge"
"""YAML's tag of the key `<<`, which may occur several times."""


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
    config: dict[str, Any] = {}
    for path in files:
        try:
            found = yaml.safe_load(path.read_text())
        except yaml.YAMLError as error:
            raise ValueError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
        if not isinstance(found, dict):
            raise ValueError(f"{path} must map keys to their values, as config/config.yaml does")
        config = laid_over(config, found)
    return config


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
