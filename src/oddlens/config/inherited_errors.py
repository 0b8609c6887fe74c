"""Each error of a config once, at the section where it was written, although all rows that inherit it have it."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

ROW = re.compile(r"(detectors|regression)\.(\w+)([.:].*)")
"""A line about a row: its section, the row, and the rest, which begins with the key."""


def reported_once(lines: Iterable[str], written: Mapping[str, Any]) -> list[str]:
    """The lines about a config, where those of several rows that differ in the row alone name the writer instead.

    Args:
        written: the config as it was written.
    """
    groups = defaultdict(list)
    for line in lines:
        row = ROW.fullmatch(line)
        groups[row[3] if row else f".{line}"].append((line, row))
    found = []
    for rest, group in groups.items():
        for line, row in group:
            writer = None
            if row and len(group) > 1:
                writer = _writer(row[1], row[2], _keys(rest), written.get(row[1]) or {})
            found.append(line if writer is None else f"{writer}{rest}".removeprefix("."))
    return list(dict.fromkeys(found))


def _keys(rest: str) -> list[str]:
    """The keys that a line is about: `.training.epochs: must be ...`, or `: unknown detector ...`."""
    return rest[1:].split(": ")[0].split()[0].split(".") if rest.startswith(".") else ["detector"]


def _writer(section: str, name: str, keys: list[str], rows: Mapping[str, dict[str, Any]]) -> str | None:
    """The section in which a row or one that it builds on writes a key; empty is the common one, None is unknown."""
    visited: list[str] = []
    pending = [name]
    while pending:
        name = pending.pop(0)
        name = name if name in rows else name.rpartition("_")[0]  # a candidate of a sweep
        row = rows.get(name) or {}
        if _has(row, keys):
            return f"{section}.{name}"
        if _has(row.get("sweep"), keys):
            return f"{section}.{name}.sweep"
        visited.append(name)
        bases = [row.get("like"), row.get("ablates")]
        pending = [base for base in bases if isinstance(base, str) and base not in visited] + pending
    return "" if keys[0] == "training" else None


def _has(section: Any, keys: list[str]) -> bool:
    """Whether a section has a value at these keys."""
    for key in keys:
        if not isinstance(section, dict):
            return section is not None
        if key not in section:
            return False
        section = section[key]
    return True
