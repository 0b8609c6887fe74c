"""Presets: named simulations, or parts of one, in `config/presets/`. A data set is laid over the presets it names."""

from typing import Any

import yaml

from oddlens.config.merging import mapping, merged, merged_named
from oddlens.files.packaged import packaged
from oddlens.lensing.simulation import Simulation
from oddlens.schema.config_errors import ConfigError, nearest, validated

PRESETS = packaged("config/presets", "presets")


def preset_names() -> list[str]:
    """The names of all presets: the files of the folder."""
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


def with_presets(section: dict[str, Any], where: str) -> dict[str, Any]:
    """A data set laid over the presets that it names, each over those before it. Presets may name presets.

    Args:
        section: the data set as written.
        where: its place in the config, for messages.

    Raises:
        ConfigError: if a preset is unknown, or builds on itself.
    """
    return _laid({}, section, where)


def preset_simulation(*names: str, above: dict[str, Any] | None = None) -> Simulation:
    """The simulation of some presets, each laid over those before it, and of the sections `above` them all.

    Variants of data sets are left out.
    """
    sections = with_presets({"preset": list(names), **(above or {})}, "simulation")
    return validated(Simulation, {name: section for name, section in sections.items() if name != "variants"})


def _laid(below: dict[str, Any], section: dict[str, Any], where: str, outer: tuple[str, ...] = ()) -> dict[str, Any]:
    section = dict(section)
    named, variants = section.pop("preset", []), section.pop("variants", {})
    for preset in named if isinstance(named, list) else [named]:
        if preset in outer:
            raise ConfigError(f"{where}.preset: '{preset}' builds on itself ({' -> '.join((*outer, preset))})")
        if not isinstance(preset, str) or preset not in preset_names():
            raise ConfigError(f"{where}.preset: unknown preset '{preset}'. {nearest(str(preset), preset_names())}")
        text = (PRESETS / f"{preset}.yaml").read_text()
        below = _laid(below, yaml.safe_load(text), f"presets.{preset}", (*outer, preset))
    laid = merged({**below, "variants": None}, section)
    if variants is not None:
        laid["variants"] = merged_named(below.get("variants", {}), mapping(variants, f"{where}.variants"))
    return {key: value for key, value in laid.items() if key != "variants" or value}
