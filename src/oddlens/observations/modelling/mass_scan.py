"""A scan for a mass that the smooth model of a frame lacks: its residuals against point masses on a grid of positions.

The formulas are those of `detectors/blocks/scan.py`: a mass of area a at p changes the whitened image by a t_p, where
t_p is the observed image of -grad S . alpha_p. With the projection P on what neither the amplitudes of source and light
nor the nonlinear parameters can absorb, within their priors,

    a_p = t_p . r / (t_p . P t_p)            z_p = t_p . r / sqrt(t_p . P t_p)

and z_p is a standard normal number if the lens is smooth, the prior is true and the model is linear.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from oddlens.observations.modelling.frame_model import FrameModel, LinearFit
from oddlens.observations.modelling.optimiser import Curvature, curvature
from oddlens.observations.modelling.priors import Prior
from oddlens.observations.modelling.source_clumps import Clump, find_clumps

MIN_RELATIVE_POWER = 1e-6
"""The smallest t . P t, relative to the largest t . t: the model absorbs such a mass completely."""


class MassScan(NamedTuple):
    """The results at positions on a square grid, [side, side]; row 0 is the top.

    Attributes:
        along: x of the columns, and -y of the rows, arcsec, [side].
        significance: z; NaN at positions that are left out.
        area: the best mass as an area, arcsec^2; likewise.
        area_sigma: its standard deviation.
    """

    along: np.ndarray
    significance: np.ndarray
    area: np.ndarray
    area_sigma: np.ndarray

    @property
    def largest(self) -> float:
        """The largest significance."""
        return float(np.nanmax(self.significance))

    def at(self, row: int, column: int) -> tuple[float, float]:
        """y and x of a position."""
        return float(-self.along[row]), float(self.along[column])

    def nearest(self, y: float, x: float) -> tuple[int, int]:
        """The row and the column of the position that is nearest to a place."""
        return int(np.abs(self.along + y).argmin()), int(np.abs(self.along - x).argmin())

    def maxima(self, count: int, apart_arcsec: float, sign: int = 1) -> list[tuple[int, int]]:
        """Rows and columns of the most significant masses of a sign that are at least some distance apart."""
        y, x = np.meshgrid(-self.along, self.along, indexing="ij")
        left = np.where(sign * self.area > 0, sign * self.significance, -np.inf)
        found: list[tuple[int, int]] = []
        while len(found) < count and np.isfinite(left.max()):
            row, column = (int(k) for k in np.unravel_index(left.argmax(), left.shape))
            found.append((row, column))
            left[np.hypot(y - y[row, column], x - x[row, column]) < apart_arcsec] = -np.inf
        return found


@dataclass(frozen=True)
class Residuals:
    """What a fit leaves, projected on what none of its parameters can absorb.

    Args:
        softening_arcsec: of the masses that are tried.
    """

    model: FrameModel
    fit: LinearFit
    prior: Prior
    softening_arcsec: float

    @cached_property
    def about(self) -> Curvature:
        """The linearised model."""
        return curvature(self.model, self.fit, self.prior)

    @cached_property
    def basis(self) -> Tensor:
        """What the nonlinear parameters absorb beside the amplitudes, [p, pixels]."""
        own = self.about.derivatives - self.fit.columns.image(self.about.absorbed)
        return torch.linalg.solve_triangular(torch.linalg.cholesky(self.about.matrix), own.T, upper=False)

    @cached_property
    def residual(self) -> Tensor:
        """The whitened residual, [pixels]."""
        return self.fit.residual - self.basis.T @ (self.basis @ self.fit.residual)

    def masses(self, y: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """t . P r and t . P t of masses at positions [masses], each [masses]."""
        images = torch.cat([self._templates(float(row), x[y == row]) for row in y.unique_consecutive()], dim=1)
        absorbed = torch.linalg.solve_triangular(self.fit.factor, self.fit.columns.project(images), upper=False)
        total = images.square().sum(dim=0)
        power = total - absorbed.square().sum(dim=0) - (self.basis @ images).square().sum(dim=0)
        return images.T @ self.residual, power.clamp(min=float(MIN_RELATIVE_POWER * total.max()))

    def significance(self, y: float, x: float) -> float:
        """That of a mass at a position."""
        overlap, power = self.masses(*torch.tensor([[y], [x]], dtype=torch.float64))
        return float(overlap / power.sqrt())

    def clumps(self) -> tuple[Clump, ...]:
        """Clumps of the source that explain residuals. With B^T B = A - R, a node's t . P t' is R - R A^-1 R."""
        lights, precision = len(self.fit.columns.norms), self.fit.prior.matrix
        nodes = (self.basis.float() @ self.fit.columns.source).double()
        covariance = torch.cholesky_inverse(self.fit.factor)[lights:, lights:]
        overlap = precision @ self.fit.source - nodes.T @ (self.basis @ self.fit.residual)
        return find_clumps(overlap, precision - precision @ covariance @ precision - nodes.T @ nodes)

    @cached_property
    def _gradient(self) -> Tensor:
        return self.model.grid.gradient(self.fit.source, self.fit.columns.beta)

    def _templates(self, y: float, x: Tensor) -> Tensor:
        """The change of the whitened image by a unit mass at positions with the same y, [pixels, positions]."""
        seen, gradient = self.model.observation, self._gradient
        off_y, off_x = seen.y - y, seen.x - x[:, None]  # [positions, rays]
        pull = 1 / (off_y.square() + off_x.square() + self.softening_arcsec**2)
        return seen.observe(seen.pixel_means(-(gradient[0] * off_y + gradient[1] * off_x) * pull)).double()


def scan_for_mass(residuals: Residuals, inner_arcsec: float, half_width_arcsec: float, step_arcsec: float) -> MassScan:
    """Scan the residuals of a fit for a point mass.

    Args:
        inner_arcsec: positions nearer to the centre are left out, as a mass there is a part of the lens galaxy.
    """
    steps = round(half_width_arcsec / step_arcsec)
    along = np.arange(-steps, steps + 1) * step_arcsec
    y, x = torch.meshgrid(torch.tensor(-along), torch.tensor(along), indexing="ij")
    overlap, power = (part.view(y.shape).numpy() for part in residuals.masses(y.flatten(), x.flatten()))
    overlap[np.hypot(y, x) < inner_arcsec] = np.nan
    return MassScan(along, overlap / np.sqrt(power), overlap / power, 1 / np.sqrt(power))
