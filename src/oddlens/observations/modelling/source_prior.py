"""The prior of the source grid, whose strength is chosen by the evidence of each lens.

The curvature of the source at each node is normal with mean zero and precision lambda / w^2 (Suyu et al. 2006, MNRAS
371, 983). The relative width w of a node follows the brightness of the source there: galaxies vary in proportion to
their brightness, so a prior with one width is too wide beside them and too narrow in them (Nightingale, Dye & Massey
2018, MNRAS 478, 4738, adapt theirs to the brightness, too). The value of lambda that has most evidence is approached by
MacKay's rule (1992, Neural Computation 4, 415)

    lambda <- (number of nodes - lambda trace of the covariance of the curvature / w) / sum of its squares

whose numerator is the number of nodes that the data determine. Clumps (`source_clumps.py`) have variances beside that:
with the precision R of the smooth source, and the nodes E of clumps with variances V, the covariance is

    R^-1 + E V E^T,    with the inverse    R - R E (V^-1 + E^T R E)^-1 E^T R
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from scipy.ndimage import gaussian_filter
from scipy.sparse import csr_array
from torch import Tensor

from oddlens.observations.modelling.source_clumps import Clump
from oddlens.observations.modelling.source_grid import SourceGrid

SMOOTHING = 1.0
"""Nodes by which the brightness that the prior follows is smoothed."""
MIN_STRENGTH, MAX_STRENGTH = 1e-12, 1e12


@dataclass(frozen=True)
class SourcePrior:
    """The prior of a grid of coefficients.

    Attributes:
        strength: the precision lambda of the curvature at a node of width 1.
        clumps: of the source, if it has any.
        widths: w of each node, [nodes]; all are 1 if there are none.
    """

    grid: SourceGrid
    strength: float
    clumps: Sequence[Clump] = ()
    widths: Tensor | None = None

    @cached_property
    def matrix(self) -> Tensor:
        """The precision of the coefficients, [nodes, nodes]."""
        smooth = self.strength * self._roughness
        return smooth - self._rows.T @ torch.cholesky_solve(self._rows, self._factor) if self.clumps else smooth

    @property
    def log_det(self) -> float:
        """The logarithm of the determinant of that matrix."""
        smooth = 2 * self.grid.log_det_curvature + self.grid.nodes * math.log(self.strength)
        if self.widths is not None:
            smooth -= 2 * float(self.widths.log().sum())
        if not self.clumps:
            return smooth
        return smooth - float(2 * self._factor.diagonal().log().sum() + self._variances.log().sum())

    def penalty(self, coefficients: Tensor) -> Tensor:
        """Minus twice the log density of coefficients, up to a constant."""
        smooth = self.strength * self._relative_curvature(coefficients).square().sum()
        if not self.clumps:
            return smooth
        taken = torch.linalg.solve_triangular(self._factor, (self._rows @ coefficients)[:, None], upper=False)
        return smooth - taken.square().sum()

    def adapted(self, mean: Tensor, covariance: Tensor) -> "SourcePrior":
        """The prior with the strength that the evidence favours, for the posterior of the coefficients."""
        mean, covariance = self._without_clumps(mean, covariance)
        determined = self.grid.nodes - self.strength * (self._roughness * covariance).sum()
        strength = determined / self._relative_curvature(mean).square().sum()
        return replace(self, strength=min(max(float(strength), MIN_STRENGTH), MAX_STRENGTH))

    def following(self, coefficients: Tensor, floor: float) -> "SourcePrior":
        """The prior with widths that follow the brightness of a source, [nodes].

        Args:
            floor: the width where there is no light, relative to that of the brightest node.
        """
        brightness = gaussian_filter(coefficients.view(self.grid.side, self.grid.side).numpy(), SMOOTHING)
        if brightness.max() <= 0:
            return self
        relative = torch.tensor((brightness / brightness.max()).clip(min=0).ravel())
        return replace(self, widths=(relative + floor) / (1 + floor))

    def with_clumps(self, new: Iterable[Clump]) -> "SourcePrior":
        """The prior with more clumps; variances at the same node add up."""
        variances: dict[int, float] = {}
        for node, variance in (*self.clumps, *new):
            variances[node] = variances.get(node, 0.0) + variance
        return replace(self, clumps=tuple(Clump(*item) for item in variances.items()))

    def _without_clumps(self, mean: Tensor, covariance: Tensor) -> tuple[Tensor, Tensor]:
        """The posterior of the smooth source alone, for that of its sum with the clumps.

        Of given sums a, the clumps have the mean V E^T matrix a and the covariance (V^-1 + E^T R E)^-1.
        """
        if not self.clumps:
            return mean, covariance
        nodes = [clump.node for clump in self.clumps]
        of_sum = self._variances[:, None] * self.matrix[nodes]
        mean, covariance = mean.clone(), covariance.clone()
        mean[nodes] -= of_sum @ mean
        shared = of_sum @ covariance
        covariance[nodes] -= shared
        covariance[:, nodes] -= shared.T
        inner = shared @ of_sum.T + torch.cholesky_inverse(self._factor)
        covariance[torch.tensor(nodes)[:, None], torch.tensor(nodes)] += inner
        return mean, covariance

    def _relative_curvature(self, coefficients: Tensor) -> Tensor:
        """The curvature at each node, relative to its width, [nodes]."""
        curvature = self.grid.curvature @ coefficients
        return curvature if self.widths is None else curvature / self.widths

    @cached_property
    def _roughness(self) -> Tensor:
        """The matrix of the sum of squares of the relative curvature, [nodes, nodes]."""
        if self.widths is None:
            return self.grid.roughness
        relative = csr_array((self.grid.curvature / self.widths[:, None]).numpy())
        return torch.tensor((relative.T @ relative).toarray())

    @cached_property
    def _variances(self) -> Tensor:
        return torch.tensor([clump.variance for clump in self.clumps], dtype=torch.float64)

    @cached_property
    def _rows(self) -> Tensor:
        """E^T R, [clumps, nodes]."""
        return self.strength * self._roughness[[clump.node for clump in self.clumps]]

    @cached_property
    def _factor(self) -> Tensor:
        """Cholesky factor of V^-1 + E^T R E."""
        nodes = [clump.node for clump in self.clumps]
        return torch.linalg.cholesky(torch.diag(1 / self._variances) + self._rows[:, nodes])
