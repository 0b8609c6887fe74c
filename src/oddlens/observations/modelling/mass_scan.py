"""A scan for a mass that the smooth model of a frame lacks: its residuals against point masses on a grid of positions.

The formulas are those of `detectors/blocks/scan.py`: a mass of area a at p changes the whitened image by a t_p, where
t_p is the observed image of -grad S . alpha_p. With the projection P on what neither the amplitudes of source and light
nor the nonlinear parameters can absorb, within their priors,

    a_p = t_p . r / (t_p . P t_p)            z_p = t_p . r / sqrt(t_p . P t_p)

and z_p is a standard normal number if the lens is smooth, the prior is true and the model is linear.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from oddlens.observations.modelling.frame_model import FrameModel, LinearFit
from oddlens.observations.modelling.optimiser import curvature
from oddlens.observations.modelling.priors import Prior

MIN_RELATIVE_POWER = 1e-6
"""The smallest t . P t, relative to the largest t . t: the model absorbs such a mass completely."""


class MassScan(NamedTuple):
    """The results at positions on a square grid, [side, side]; row 0 is the top.

    Attributes:
        along: x of the columns, and -y of the rows, arcsec, [side].
        significance: z.
        area: the best mass as an area, arcsec^2.
        area_sigma: its standard deviation.
    """

    along: np.ndarray
    significance: np.ndarray
    area: np.ndarray
    area_sigma: np.ndarray

    def at(self, row: int, column: int) -> tuple[float, float]:
        """y and x of a position."""
        return float(-self.along[row]), float(self.along[column])

    def maxima(self, count: int, apart_arcsec: float) -> list[tuple[int, int]]:
        """Rows and columns of the most significant positive masses that are at least some distance apart."""
        y, x = np.meshgrid(-self.along, self.along, indexing="ij")
        left = np.where(self.area > 0, self.significance, -np.inf)
        found: list[tuple[int, int]] = []
        while len(found) < count and np.isfinite(left.max()):
            row, column = (int(k) for k in np.unravel_index(left.argmax(), left.shape))
            found.append((row, column))
            left[np.hypot(y - y[row, column], x - x[row, column]) < apart_arcsec] = -np.inf
        return found


def scan_for_mass(
    model: FrameModel, fit: LinearFit, prior: Prior, half_width_arcsec: float, step_arcsec: float, softening: float
) -> MassScan:
    """Scan the residuals of a fit for a point mass, softened by some arcsec."""
    steps = round(half_width_arcsec / step_arcsec)
    along = np.arange(-steps, steps + 1) * step_arcsec
    gradient = model.grid.gradient(fit.source, fit.columns.beta)
    about = curvature(model, fit, prior)
    own = about.derivatives - fit.columns.image(about.absorbed)
    basis = torch.linalg.solve_triangular(torch.linalg.cholesky(about.matrix), own.T, upper=False)  # [p, pixels]
    residual = fit.residual - basis.T @ (basis @ fit.residual)
    rows = []
    for y in -along:
        templates = _templates(model, gradient, float(y), torch.tensor(along), softening)
        absorbed = torch.linalg.solve_triangular(fit.factor, fit.columns.project(templates), upper=False)
        total = templates.square().sum(dim=0)
        power = total - absorbed.square().sum(dim=0) - (basis @ templates).square().sum(dim=0)
        rows.append(torch.stack([templates.T @ residual, power, total]))
    overlap, power, total = torch.stack(rows, dim=1)
    power = power.clamp(min=float(MIN_RELATIVE_POWER * total.max()))
    significance, area, area_sigma = overlap / power.sqrt(), overlap / power, power.rsqrt()
    return MassScan(along, significance.numpy(), area.numpy(), area_sigma.numpy())


def _templates(model: FrameModel, gradient: Tensor, y: float, x: Tensor, softening: float) -> Tensor:
    """The change of the whitened image by a unit mass at positions with the same y, [pixels, positions]."""
    seen = model.observation
    off_y, off_x = seen.y - y, seen.x - x[:, None]  # [positions, rays]
    pull = 1 / (off_y.square() + off_x.square() + softening**2)
    return seen.observe(seen.pixel_means(-(gradient[0] * off_y + gradient[1] * off_x) * pull)).double()
