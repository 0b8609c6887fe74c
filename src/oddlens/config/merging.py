"""Merging of configs: how one mapping of keys is laid over another."""

from collections.abc import Callable
from typing import Any

from oddlens.schema.config_errors import ConfigError, shown


def _never(value: dict[str, Any]) -> bool:
    return False


def laid_over(
    below: dict[str, Any], above: dict[str, Any], replaces: Callable[[dict[str, Any]], bool] = _never
) -> dict[str, Any]:
    """`above` laid over `below`, key by key, as Snakemake lays config files over one another.

    Lists are replaced, not joined. A null stays, as it removes what a preset gives later.

    Args:
        replaces: the mappings of `above` that replace what lies below instead of being merged with it.
    """
    nested = {
        key: laid_over(below[key] if isinstance(below.get(key), dict) else {}, value, replaces)
        for key, value in above.items()
        if isinstance(value, dict) and not replaces(value)
    }
    return {**below, **above, **nested}


def merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """`above` laid over `below`, where a prior replaces a prior and a null removes its key."""
    return _without_nulls(laid_over(below, above, is_prior))


def merged_named(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Named sections laid over others, which are to be laid over something else in turn.

    A null removes a whole section. A null inside a section stays: it removes a key of what the section is laid over.
    """
    laid = laid_over(below, above, is_prior)
    return {name: section for name, section in laid.items() if section is not None}


def mapping(value: Any, where: str) -> dict[str, Any]:
    """The value itself.

    Raises:
        ConfigError: if it is not a mapping.
    """
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: must map names to their settings (got {shown(value)})")
    return value


def is_prior(value: dict[str, Any]) -> bool:
    """Whether a mapping is a distribution as YAML writes it."""
    return len(value) == 1 and isinstance(next(iter(value.values())), list)


def _without_nulls(config: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _without_nulls(value) if isinstance(value, dict) else value
        for key, value in config.items()
        if value is not None
    }
