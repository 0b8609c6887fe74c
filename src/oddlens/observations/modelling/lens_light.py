"""The light of the lens galaxy: sets of Gaussians of many widths with one centre, and an ellipse for each set.

Sums of Gaussians describe early-type galaxies well (Cappellari 2002, MNRAS 333, 400), and their amplitudes are linear
parameters. A constant, for what is left of the sky, is one more column.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from oddlens.observations.modelling.observation import Observation

SETS = 2
MIN_EXPONENT = -40.0
"""Gaussians fall no lower than the exponential of this; smaller numbers are slow."""


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
        sets = [self._gaussians(*self._place(parameters, number, observation)[0]) for number in range(SETS)]
        gaussians = observation.pixel_means(torch.cat(sets))
        return torch.cat([gaussians, torch.ones_like(gaussians[:1])])

    def derivatives(self, parameters: Tensor, amplitudes: Tensor, observation: Observation) -> Tensor:
        """Pixel means of the derivatives of the light, of amplitudes [count], by the parameters, [p, padded pixels]."""
        by_centre = torch.zeros(2, len(observation.y), dtype=torch.float64)
        by_ellipse: list[Tensor] = []
        for number, own in enumerate(amplitudes[:-1].view(SETS, -1)):
            (squared,), (y, x, h1, h2, c) = self._place(parameters, number, observation)
            falls = (own / (2 * self.widths**2))[:, None] * self._gaussians(squared)
            by_squared = -falls.sum(dim=0)
            turned = torch.stack([(c + h1) * y - h2 * x, (c - h1) * x - h2 * y])  # half the gradient of R^2
            by_centre = by_centre - 2 * by_squared * turned
            rr, dd, xy = x * x + y * y, x * x - y * y, 2 * x * y
            by_ellipse += [by_squared * (h1 / c * rr - dd), by_squared * (h2 / c * rr - xy)]
        return observation.pixel_means(torch.cat([by_centre, torch.stack(by_ellipse)]))

    def _gaussians(self, squared: Tensor) -> Tensor:
        """Gaussians at squared elliptical radii [rays], [k, rays]."""
        return (-0.5 * squared / self.widths[:, None] ** 2).clamp(min=MIN_EXPONENT).exp()

    def _place(self, parameters: Tensor, number: int, observation: Observation) -> tuple[tuple[Tensor], tuple]:
        """Squared elliptical radii of the rays about the ellipse of a set, [rays]; and the quantities behind them."""
        y, x = observation.y - parameters[0], observation.x - parameters[1]
        h1, h2 = parameters[2 + 2 * number], parameters[3 + 2 * number]
        c = (1 + h1 * h1 + h2 * h2).sqrt()
        squared = c * (x * x + y * y) - h1 * (x * x - y * y) - h2 * 2 * x * y
        return (squared,), (y, x, h1, h2, c)
