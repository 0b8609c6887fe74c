"""Normal priors of the nonlinear parameters of a frame's model.

The slope of the mass of SLACS lenses has a mean of 2.08 and a scatter of 0.16 (Auger et al. 2010, ApJ 724, 511), and
isophotes of early-type galaxies deviate from ellipses by about one per cent (Hao et al. 2006, MNRAS 370, 1339). The
other priors are wider than what galaxies have.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from oddlens.observations.modelling.lens_light import SETS

RELATIVE_RADIUS = 0.1
"""Scatter of the Einstein radius about that of the start, relative to it."""
ISOTHERMAL = 2.0
SCATTERS = {
    "slope": 0.2,
    "ellipse": 0.2,
    "centre": 0.05,
    "shear": 0.07,
    "multipole": 0.01,
    "light_ellipse": 0.4,
    "light_centre": 0.1,
}
"""Scatters of the other parameters; arcsec for centres. The mass lies about the light of the start."""
MAX_ELLIPTICITY = 0.5
"""The ellipse of a mass lies about that of the light, or, if the light is flatter, about one of this |h|."""
PERTURBER_AREA_ARCSEC2, PERTURBER_PLACE_ARCSEC = 0.1, 0.3


class Prior(NamedTuple):
    """Independent normal priors.

    Attributes:
        mean: [p].
        scatter: [p]; 0 holds a parameter at its value.
    """

    mean: Tensor
    scatter: Tensor

    @property
    def free(self) -> Tensor:
        """The numbers of the parameters that are not held."""
        return (self.scatter > 0).nonzero()[:, 0]

    @property
    def precision(self) -> Tensor:
        """One over the variances, [p]; 0 for parameters that are held."""
        free = self.scatter > 0
        return torch.where(free, torch.where(free, self.scatter, 1.0) ** -2, 0.0)

    def penalty(self, parameters: Tensor) -> float:
        """Minus twice the log density, up to a constant."""
        return float((self.precision * (parameters - self.mean).square()).sum())


def prior_about(names: Sequence[str], start: Tensor, held: Collection[str] = ()) -> Prior:
    """The prior of parameters about a start [p]; those whose names begin as one of `held` are held."""
    value = dict(zip(names, start.tolist(), strict=True))
    pairs = [_normal(name, value) for name in names]
    mean, scatter = (torch.tensor(each, dtype=torch.float64) for each in zip(*pairs, strict=True))
    is_held = torch.tensor([name.startswith(tuple(held)) if held else False for name in names])
    return Prior(mean, torch.where(is_held, 0.0, scatter))


def ellipse_about_light(ellipses: Tensor) -> Tensor:
    """The mean h of the prior of a mass, [2], for the ellipses of the light, [sets, 2], of which some may be faint."""
    middle = ellipses.median(dim=0).values
    return middle * (MAX_ELLIPTICITY / middle.norm().clamp(min=MAX_ELLIPTICITY))


def _normal(name: str, start: dict[str, float]) -> tuple[float, float]:
    """Mean and scatter of a parameter."""
    if name == "einstein_radius":
        return start[name], RELATIVE_RADIUS * start[name]
    if name.startswith("ellipse_"):
        light = [[start[f"light_{number}_ellipse_{part}"] for part in (1, 2)] for number in range(1, SETS + 1)]
        return float(ellipse_about_light(torch.tensor(light))[int(name[-1]) - 1]), SCATTERS["ellipse"]
    if name.startswith("centre_"):
        return start[name.replace("centre", "light")], SCATTERS["centre"]
    if name.startswith("light_"):
        return (0.0, SCATTERS["light_ellipse"]) if "ellipse" in name else (start[name], SCATTERS["light_centre"])
    return ISOTHERMAL if name == "slope" else 0.0, SCATTERS[name.split("_")[0]]
