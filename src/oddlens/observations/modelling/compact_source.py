"""A lens whose source is one elliptical galaxy, for the search of a first model.

The source is a sum of Gaussians of many widths on one ellipse, with amplitudes that are not negative. It is compact:
it cannot be a copy of the image, nor describe what the model of the lens galaxy leaves. The amplitudes are eliminated
(variable projection), and the other parameters follow by Levenberg-Marquardt steps.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import nnls
from torch import Tensor

from oddlens.observations.modelling import priors
from oddlens.observations.modelling.elliptical_gaussians import elliptical_radius, gaussians, slope
from oddlens.observations.modelling.mass_model import MacroModel
from oddlens.observations.modelling.observation import Observation

SOURCE_NAMES = ("source_y", "source_x", "source_ellipse_1", "source_ellipse_2")
MASS_NAMES = ("einstein_radius", "ellipse_1", "ellipse_2", "shear_1", "shear_2")
"""Parameters of the mass that are fitted."""
PLACE_ARCSEC, SOURCE_ELLIPSE = 1.0, 0.4
"""Scatters of the priors of the place and the ellipse of the source."""
SCATTERS = (
    *(torch.inf, priors.SCATTERS["ellipse"], priors.SCATTERS["ellipse"]),
    *(priors.SCATTERS["shear"], priors.SCATTERS["shear"]),
    *(PLACE_ARCSEC, PLACE_ARCSEC, SOURCE_ELLIPSE, SOURCE_ELLIPSE),
)
"""Of the normal priors of all parameters that are fitted."""
CORRELATED = 10.0
"""Pixels over which the errors of an elliptical source are alike: chi-square counts less by this factor."""
MIN_RADIUS_ARCSEC = 0.05
WIDTHS_ARCSEC, WIDTHS = (0.02, 0.5), 7
RIDGE = 1e-9
FIRST_DAMPING, LESS_DAMPING, MORE_DAMPING, MAX_DAMPING = 1e-2, 0.3, 6.0, 1e4
TOLERANCE = 1.0


class CompactFit(NamedTuple):
    """A fit.

    Attributes:
        mass: parameters of `MacroModel`.
        source: parameters of `SOURCE_NAMES`.
        amplitudes: of the Gaussians of the source, [k].
        beta: where the rays end, (y, x), [2, rays].
        columns: whitened images of these, [pixels, k].
        residual: whitened, [pixels].
        objective: the sum of its squares, and `CORRELATED` times that of the parameters over their scatters.
    """

    mass: Tensor
    source: Tensor
    amplitudes: Tensor
    beta: Tensor
    columns: Tensor
    residual: Tensor
    objective: float


@dataclass(frozen=True)
class CompactModel:
    """The model of an observation without lens light.

    Attributes:
        absorbed: whitened images that are projected out, orthonormal, [pixels, m]: errors of the subtracted light.
        mean: of the prior of the mass, [p of `MacroModel`]; its ellipse lies about that of the light.
    """

    observation: Observation
    absorbed: Tensor
    mean: Tensor
    macro: MacroModel = field(default_factory=MacroModel)
    widths: Tensor = field(default_factory=lambda: torch.tensor(np.geomspace(*WIDTHS_ARCSEC, WIDTHS)))

    @property
    def chosen(self) -> list[int]:
        """The numbers of the parameters of the mass that are fitted."""
        return [self.macro.names.index(name) for name in MASS_NAMES]

    @cached_property
    def data(self) -> Tensor:
        """The whitened data without what is projected out."""
        return self._left(self.observation.whitened_data)

    def _left(self, images: Tensor) -> Tensor:
        return images - self.absorbed @ (self.absorbed.T @ images)

    def solve(self, mass: Tensor, source: Tensor) -> CompactFit:
        """The best amplitudes."""
        seen = self.observation
        beta = torch.stack([seen.y, seen.x]) - self.macro.deflections(mass, seen.y, seen.x)
        radius = elliptical_radius(beta[0] - source[0], beta[1] - source[1], source[2], source[3])
        columns = self._observed(gaussians(radius.squared, self.widths))
        norms = columns.norm(dim=0).clamp(min=1e-30)
        unit = columns / norms
        factor = torch.linalg.cholesky(unit.T @ unit + RIDGE * torch.eye(len(norms), dtype=torch.float64))
        projected = torch.linalg.solve_triangular(factor, (unit.T @ self.data)[:, None], upper=False)[:, 0]
        amplitudes = torch.tensor(nnls(factor.T.numpy(), projected.numpy())[0]) / norms
        residual = self.data - columns @ amplitudes
        penalty = self._scaled(mass, source).square().sum()
        return CompactFit(mass, source, amplitudes, beta, columns, residual, float(residual.square().sum() + penalty))

    def optimise(self, fit: CompactFit, steps: int) -> CompactFit:
        """The best fit, from a start."""
        damping = FIRST_DAMPING
        for _ in range(steps):
            if not fit.amplitudes.any():
                break
            derivatives = self._derivatives(fit)
            prior = self._precision
            matrix = derivatives.T @ derivatives + torch.diag(prior)
            gradient = derivatives.T @ fit.residual - prior.sqrt() * self._scaled(fit.mass, fit.source)
            better, promised = None, 0.0
            while better is None and damping < MAX_DAMPING:
                step = torch.linalg.solve(matrix + damping * torch.diag(matrix.diagonal()), gradient)
                promised = float(gradient @ step)
                tried = self._moved(fit, step)
                better = tried if tried is not None and tried.objective < fit.objective else None
                damping *= LESS_DAMPING if better else MORE_DAMPING
                if promised < TOLERANCE:
                    break
            fit = better or fit
            if better is None or promised < TOLERANCE:
                break
        return fit

    def _moved(self, fit: CompactFit, step: Tensor) -> CompactFit | None:
        """The fit after a step; None if there is no such lens."""
        mass, own = fit.mass.clone(), len(MASS_NAMES)
        mass[self.chosen] += step[:own]
        return self.solve(mass, fit.source + step[own:]) if mass[self.chosen[0]] > MIN_RADIUS_ARCSEC else None

    @property
    def _precision(self) -> Tensor:
        return CORRELATED * torch.tensor(SCATTERS, dtype=torch.float64) ** -2

    def _observed(self, light: Tensor) -> Tensor:
        return self._left(self.observation.observe(self.observation.pixel_means(light)).double())

    def _scaled(self, mass: Tensor, source: Tensor) -> Tensor:
        """The parameters that are fitted, from the mean of their prior in units of its scatter."""
        return self._precision.sqrt() * torch.cat([(mass - self.mean)[self.chosen], source])

    def _derivatives(self, fit: CompactFit) -> Tensor:
        """Derivatives of the image by the parameters that are fitted, without what amplitudes absorb, [pixels, p]."""
        seen, (y, x, h1, h2) = self.observation, fit.source
        radius = elliptical_radius(fit.beta[0] - y, fit.beta[1] - x, h1, h2)
        by_squared = slope(radius.squared, self.widths, fit.amplitudes)
        gradient = by_squared * torch.stack([radius.by_y, radius.by_x])
        deflections = self.macro.derivatives_of(self.chosen, fit.mass, seen.y, seen.x)
        by_mass = -torch.einsum("pcr,cr->pr", deflections, gradient)
        by_source = torch.cat([-gradient, by_squared * torch.stack([radius.by_h1, radius.by_h2])])
        changes = self._observed(torch.cat([by_mass, by_source]))
        present = fit.columns[:, fit.amplitudes > 0]
        basis = torch.linalg.qr(present).Q
        return changes - basis @ (basis.T @ changes)
