"""Config files as people write them, before Snakemake has made one config of them."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import yaml

from oddlens.schema.config_errors import ConfigError

MERGED = "tag:yaml.org,2002:merge"
"""YAML's tag of the key `<<`, which may stand several times."""


def must_say_keys_once(files: Iterable[str | Path]) -> None:
    """Refuse config files in which a key stands twice: YAML keeps the last alone, and says nothing.

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
    seen = set()
    while todo:
        node = todo.pop()
        if id(node) in seen:  # an anchor's
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            todo += node.value
        elif isinstance(node, yaml.MappingNode):
            lines: dict[tuple[str, str], int] = {}
            for key, value in node.value:
                line, name = key.start_mark.line + 1, (key.tag, str(key.value))
                if (first := lines.get(name)) and key.tag != MERGED:
                    told = f"'{key.value}' stands in line {first} already, and only the last would count. Make them one"
                    yield f"{file}, line {line}: {told}"
                lines[name] = line
                todo.append(value)
