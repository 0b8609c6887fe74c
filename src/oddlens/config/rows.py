"""From rows as written to rows as validated: sweeps, `only`, `like` and `ablates`, the common training."""

import fnmatch
from typing import Any

from oddlens.config.detector_registry import detector_settings, detectors, refusals
from oddlens.config.external_row import ExternalRow, is_external
from oddlens.config.merging import mapping, merged
from oddlens.config.sweeps import with_candidates
from oddlens.schema.config_errors import ConfigError, ErrorCollector, nearest, shown, validated

ROW_KEYS = ["detector", "training", "labels", "like", "ablates", "contaminated", "input", "sweep", "trials"]
"""The keys of a row that are not settings of its detector."""


def resolved_rows(
    written: dict[str, dict[str, Any]], only: Any, seed: Any, training: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    """The rows that are compared, as plain data of `DetectorRow`, or of `ExternalRow` where they have outside scores.

    Args:
        written: the section `detectors`.
        only: names and patterns of rows; None is all.
        seed: the master seed, for sweeps.
        training: the common section, which a row's own overrides.

    Raises:
        ConfigError: all errors found.
    """
    rows, errors = with_candidates(written, seed), ErrorCollector()
    chosen, found = _chosen(only, written, rows), {}
    for name, row in rows.items():
        if {name, row.get("sweep")} & chosen:
            with errors.collecting():
                found[name] = _resolved(name, rows, training)
    errors.raise_collected()
    return found


def _chosen(only: Any, written: dict[str, dict[str, Any]], rows: dict[str, dict[str, Any]]) -> set[str]:
    """The rows and sweeps that `only` names."""
    patterns = only or ["*"]
    if not isinstance(patterns, list):
        raise ConfigError(f"only: must list rows (got {shown(patterns)})")
    chosen: set[str] = set()
    for pattern in patterns:
        if not (matching := fnmatch.filter([*written, *rows], str(pattern))):
            raise ConfigError(f"only: there is no row '{pattern}' in detectors. {nearest(str(pattern), written)}")
        chosen.update(matching)
    return chosen


def _resolved(name: str, rows: dict[str, dict[str, Any]], training: dict[str, Any]) -> dict[str, Any]:
    """A row as `DetectorRow` or `ExternalRow` has it.

    A detector row has its own `training` laid over the common one, and its other keys checked by its detector."""
    if is_external(rows[name]):
        return validated(ExternalRow, merged({}, rows[name]), f"detectors.{name}").plain()
    given = _inherited(name, rows)
    detector, ablates = given.pop("detector"), rows[name].get("ablates")
    if detector not in detectors():
        raise ConfigError(f"detectors.{name}: unknown detector '{detector}'. {nearest(str(detector), detectors())}")
    own = mapping(given.pop("training", {}), f"detectors.{name}.training")
    row = {
        "detector": detector,
        "training": {**training, **own},
        "labels": given.pop("labels", {}),
        "ablates": ablates,
        "sweep": rows[name].get("sweep"),
        "contaminated": given.pop("contaminated", ablates is None),
        "input": given.pop("input", "images"),
    }
    if refused := [f"detectors.{name}.{setting}: {reason}" for setting, reason in refusals(detector, given)]:
        raise ConfigError("\n".join(refused))
    settings = validated(detector_settings(detector), given, f"detectors.{name}", extra=ROW_KEYS)
    return {**row, "settings": settings.plain()}


def _inherited(name: str, rows: dict[str, dict[str, Any]], outer: tuple[str, ...] = ()) -> dict[str, Any]:
    """A row as written, laid over the row that it is like or that it ablates."""
    own = {key: value for key, value in rows[name].items() if key != "sweep"}
    for key in ("like", "ablates"):
        base = own.pop(key, None)
        if base is None:
            continue
        if not isinstance(base, str) or base not in rows:
            raise ConfigError(f"detectors.{name}.{key}: there is no row '{base}'. {nearest(str(base), rows)}")
        if is_external(rows[base]):
            raise ConfigError(f"detectors.{name}.{key}: '{base}' has outside scores and no settings to build on")
        if base in (*outer, name):
            raise ConfigError(f"detectors.{name}.{key}: it builds on itself ({' -> '.join((*outer, name, base))})")
        own = merged(_inherited(base, rows, (*outer, name)), own)
    return {"detector": name, **merged({}, own)}
