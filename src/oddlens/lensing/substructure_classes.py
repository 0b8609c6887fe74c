"""The classes of dark matter, one file each. The folder is the registry: a file's name is the name of its class.

A module describes what is added to a smooth lens, for a batch of n images:

    Priors                     a `Section` with the class's priors
    uniforms(priors, mass)     how many uniform numbers an image needs; mass is the heaviest that a lens may be, Msun
    draw(priors, u, lens)      u [n, uniforms] -> dict of float arrays [n] or [n, slots]; positions in arcsec, masses
                               as `*_area` = Einstein radius squared (arcsec^2) of a point of that mass
    enclosed(q, radius)        area [n] within `radius` (arcsec, [n]) of the lens centre
    deflections(q, y, x, xp)   one image's q; deflection (alpha_y, alpha_x) in arcsec at (y, x); numpy or jax
    truth(q, lens)             derived quantities for the truth table, dict of [n]; masses in solar masses

`lens` holds the drawn lens parameters, arrays of shape [n]; `lens["area"]` is the Einstein radius squared of the whole
lens, so that area / lens["area"] is a fraction of the lens mass.
"""

import importlib
from pathlib import Path
from types import ModuleType

SMOOTH = "smooth"
"""The class without substructure; every other one is an anomaly."""


def names() -> list[str]:
    """All classes, `smooth` first."""
    found = sorted(f.stem for f in Path(__file__).with_name("substructure").glob("[!_]*.py"))
    return [SMOOTH, *(name for name in found if name != SMOOTH)]


def module(name: str) -> ModuleType:
    """The module of one class."""
    return importlib.import_module(f"oddlens.lensing.substructure.{name}")
