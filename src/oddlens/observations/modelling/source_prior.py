"""The prior of the source grid, whose strength is chosen by the evidence of each lens.

The curvature of the source at each node is normal with mean zero and precision lambda (Suyu et al. 2006, MNRAS 371,
983). The value of lambda that has most evidence is approached by MacKay's rule (1992, Neural Computation 4, 415)

    lambda <- (number of nodes - lambda trace of the covariance of the curvature) / sum of its squares

whose numerator is the number of nodes that the data determine. Clumps (`source_clumps.py`) have variances beside that:
with the precision R of the smooth source, and the nodes E of clumps with variances V, the covariance is

    R^-1 + E V E^T,    with the inverse    R - R E (V^-1 + E^T R E)^-1 E^T R
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from oddlens.observations.modelling.source_clumps import Clump
from oddlens.observations.modelling.source_grid import SourceGrid

MIN_STRENGTH, MAX_STRENGTH = 1e-12, 1e12


@dataclass(frozen=True)
class SourcePrior:
    """The prior of a grid of coefficients.

    Attributes:
        strength: the precision lambda of the curvature at each node.
        clumps: of the source, if it has any.
    """

    grid: SourceGrid
    strength: float
    clumps: Sequence[Clump] = ()

    @cached_property
    def matrix(self) -> Tensor:
        """The precision of the coefficients, [nodes, nodes]."""
        smooth = self.strength * self.grid.roughness
        return smooth - self._rows.T @ torch.cholesky_solve(self._rows, self._factor) if self.clumps else smooth

    @property
    def log_det(self) -> float:
        """The logarithm of the determinant of that matrix."""
        smooth = 2 * self.grid.log_det_curvature + self.grid.nodes * math.log(self.strength)
        if not self.clumps:
            return smooth
        return smooth - float(2 * self._factor.diagonal().log().sum() + self._variances.log().sum())

    def penalty(self, coefficients: Tensor) -> Tensor:
        """Minus twice the log density of coefficients, up to a constant."""
        smooth = self.strength * (self.grid.curvature @ coefficients).square().sum()
        if not self.clumps:
            return smooth
        taken = torch.linalg.solve_triangular(self._factor, (self._rows @ coefficients)[:, None], upper=False)
        return smooth - taken.square().sum()

    def adapted(self, mean: Tensor, covariance: Tensor) -> "SourcePrior":
        """The prior with the strength that the evidence favours, for the posterior of the coefficients."""
        mean, covariance = self._without_clumps(mean, covariance)
        determined = self.grid.nodes - self.strength * (self.grid.roughness * covariance).sum()
        strength = determined / (self.grid.curvature @ mean).square().sum()
        return replace(self, strength=min(max(float(strength), MIN_STRENGTH), MAX_STRENGTH))

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

    @cached_property
    def _variances(self) -> Tensor:
        return torch.tensor([clump.variance for clump in self.clumps], dtype=torch.float64)

    @cached_property
    def _rows(self) -> Tensor:
        """E^T R, [clumps, nodes]."""
        return self.strength * self.grid.roughness[[clump.node for clump in self.clumps]]

    @cached_property
    def _factor(self) -> Tensor:
        """Cholesky factor of V^-1 + E^T R E."""
        nodes = [clump.node for clump in self.clumps]
        return torch.linalg.cholesky(torch.diag(1 / self._variances) + self._rows[:, nodes])
