"""Registry of the substructure classes: one file each in `substructure/`, named as the class.

The module of a class describes what is added to a smooth lens, for a batch of n images:

    Priors                     a `Section` with the class's priors
    uniforms(priors, mass)     number of uniform random numbers per image; mass is the largest possible lens mass, Msun
    draw(priors, u, lens)      parameters from u [n, uniforms]: dict of float arrays [n] or [n, slots]; positions in
                               arcsec, masses as `*_area`, the Einstein radius squared (arcsec^2) of a point mass
    enclosed(q, radius)        mass inside `radius` (arcsec, [n]) of the lens centre, as area [n]
    deflections(q, y, x, xp)   deflection (alpha_y, alpha_x) in arcsec at (y, x) for the parameters q of one image; in
                               NumPy or JAX
    truth(q, lens)             derived quantities for the truth table, dict of arrays [n]; masses in solar masses

A class whose mass lies in a plane of its own has the columns of `two_planes.couplings`, too, and

    seen_at(q)                 where the centre of its mass is seen, (y, x)
    redshift(q)                the redshift of its mass, of one image
    replaced(q, b)             the area that a lens of Einstein radius b gives up, instead of `enclosed`

`lens` holds the sampled lens parameters, arrays [n]. `lens["area"]` is the Einstein radius squared of the whole lens,
so that area / lens["area"] is a fraction of the lens mass.
"""

import importlib
from pathlib import Path
from types import ModuleType

SMOOTH = "smooth"
"""The class without substructure; all others are anomalies."""


def names() -> list[str]:
    """The names of all classes, `smooth` first."""
    found = sorted(f.stem for f in Path(__file__).with_name("substructure").glob("[!_]*.py"))
    return [SMOOTH, *(name for name in found if name != SMOOTH)]


def module(name: str) -> ModuleType:
    """The module of a class."""
    return importlib.import_module(f"oddlens.lensing.substructure.{name}")
