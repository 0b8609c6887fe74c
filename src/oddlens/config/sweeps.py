"""Sweeps: a row with lists of settings is replaced by candidates, one row for each combination."""

import itertools
import math
from collections.abc import Iterator
from typing import Any

from oddlens.config.merging import mapping
from oddlens.data.randomness import stream
from oddlens.schema.config_errors import ConfigError, shown

MAX_CANDIDATES = 100_000
"""Combinations of a sweep: Snakemake could not plan more."""


def with_candidates(rows: dict[str, dict[str, Any]], seed: Any) -> dict[str, dict[str, Any]]:
    """The rows as written, where those with a `sweep` are replaced by their candidates.

    Args:
        seed: the master seed, which samples the combinations if there are fewer `trials`.

    Raises:
        ConfigError: if a sweep maps settings to anything but lists, is too large, or makes a name that is taken.
    """
    found: dict[str, dict[str, Any]] = {}
    for name, row in rows.items():
        if "sweep" not in row:
            found[name] = row
            continue
        candidates = dict(_candidates(name, row, seed))
        if taken := sorted(candidates.keys() & {*rows, *found}):
            raise ConfigError(
                f"detectors.{name}.sweep: makes a row '{taken[0]}', and another has that name: rename either"
            )
        found |= candidates
    return found


def _candidates(name: str, row: dict[str, Any], seed: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    where = f"detectors.{name}.sweep"
    common = {key: value for key, value in row.items() if key not in ("sweep", "trials")}
    if "like" not in row:
        common.setdefault("detector", name)
    grid = mapping(row["sweep"], where)
    if not grid or not all(isinstance(values, list) and values for values in grid.values()):
        raise ConfigError(f"{where}: must map settings to lists of their values (got {shown(grid)})")
    if (count := math.prod(map(len, grid.values()))) > MAX_CANDIDATES:
        raise ConfigError(f"{where}: has {count} combinations; {MAX_CANDIDATES} are the most: list fewer values")
    combinations = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    trials = row.get("trials", count)
    if not isinstance(trials, int) or not 2 <= trials <= count:
        raise ConfigError(
            f"detectors.{name}.trials: must be 2 to the {count} combinations of the sweep (got {shown(trials)})"
        )
    for k, chosen in enumerate(sorted(stream(seed, "sweep", name).choice(count, trials, replace=False)), 1):
        yield f"{name}_{k:02d}", {**common, **combinations[chosen], "sweep": name}
