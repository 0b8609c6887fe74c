"""The light of the lens galaxy: sets of Gaussians of many widths with one centre, and an ellipse for each set.

Their amplitudes are linear parameters. A constant, for what is left of the sky, is one more column.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from oddlens.observations.modelling.elliptical_gaussians import EllipticalRadius, elliptical_radius, gaussians, slope
from oddlens.observations.modelling.observation import Observation

SETS = 3
"""Isophotes of galaxies twist and change their shape outwards."""
FIRST_ELLIPSES = (0.0, 0.05), (0.0, -0.05), (0.05, 0.0)
"""Sets begin with different ellipses, as equal ones would stay equal."""


@dataclass(frozen=True)
class LensLight:
    """The light of a lens galaxy.

    Attributes:
        widths: standard deviations of the Gaussians of each set, arcsec, [k].
    """

    widths: Tensor
    names: tuple[str, ...] = (
        *("light_y", "light_x"),
        *(f"light_{number}_ellipse_{part}" for number in range(1, SETS + 1) for part in (1, 2)),
    )

    @staticmethod
    def of_widths(smallest_arcsec: float, largest_arcsec: float, count: int) -> "LensLight":
        """Gaussians whose widths grow by equal factors."""
        return LensLight(torch.tensor(np.geomspace(smallest_arcsec, largest_arcsec, count)))

    @property
    def count(self) -> int:
        """The number of columns."""
        return SETS * len(self.widths) + 1

    def columns(self, parameters: Tensor, observation: Observation) -> Tensor:
        """Pixel means of Gaussians of unit peak and of a constant, [count, padded pixels]."""
        sets = [gaussians(self._radius(parameters, number, observation).squared, self.widths) for number in range(SETS)]
        means = observation.pixel_means(torch.cat(sets))
        return torch.cat([means, torch.ones_like(means[:1])])

    def derivatives(self, parameters: Tensor, amplitudes: Tensor, observation: Observation) -> Tensor:
        """Pixel means of the derivatives of the light, of amplitudes [count], by the parameters, [p, padded pixels]."""
        by_centre = torch.zeros(2, len(observation.y), dtype=torch.float64)
        by_ellipse: list[Tensor] = []
        for number, own in enumerate(amplitudes[:-1].view(SETS, -1)):
            radius = self._radius(parameters, number, observation)
            by_squared = slope(radius.squared, self.widths, own)
            by_centre = by_centre - by_squared * torch.stack([radius.by_y, radius.by_x])
            by_ellipse += [by_squared * radius.by_h1, by_squared * radius.by_h2]
        return observation.pixel_means(torch.cat([by_centre, torch.stack(by_ellipse)]))

    def _radius(self, parameters: Tensor, number: int, observation: Observation) -> EllipticalRadius:
        """The elliptical radius of the rays about the ellipse of a set."""
        h1, h2 = parameters[2 + 2 * number], parameters[3 + 2 * number]
        return elliptical_radius(observation.y - parameters[0], observation.x - parameters[1], h1, h2)
