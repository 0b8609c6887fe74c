"""The prior of the source grid, whose strength is chosen by the evidence of each lens.

The curvature of the source at each node is normal with mean zero and a precision. For a precision lambda of all nodes
the prior is the quadratic one of Suyu et al. (2006, MNRAS 371, 983), and the value of lambda that has most evidence is
approached by MacKay's rule (1992, Neural Computation 4, 415)

    lambda <- (number of nodes - lambda trace of the covariance of the curvature) / sum of its squares

whose numerator is the number of nodes that the data determine.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from oddlens.observations.modelling.source_grid import SourceGrid

MIN_PRECISION = 1e-12


@dataclass(frozen=True)
class SourcePrior:
    """The prior of a grid of coefficients.

    Attributes:
        precision: of the curvature at each node, [nodes].
    """

    grid: SourceGrid
    precision: Tensor

    @staticmethod
    def of_strength(grid: SourceGrid, precision: float) -> "SourcePrior":
        """The same precision at all nodes."""
        return SourcePrior(grid, torch.full((grid.nodes,), precision, dtype=torch.float64))

    @property
    def matrix(self) -> Tensor:
        """The precision of the coefficients, [nodes, nodes]."""
        curvature = self.grid.curvature
        return curvature.T @ (self.precision[:, None] * curvature)

    @property
    def log_det(self) -> Tensor:
        """The logarithm of the determinant of that matrix."""
        return 2 * self.grid.log_det_curvature + self.precision.log().sum()

    def penalty(self, coefficients: Tensor) -> Tensor:
        """Minus twice the log density of coefficients, up to a constant."""
        return (self.precision * (self.grid.curvature @ coefficients).square()).sum()

    def adapted(self, mean: Tensor, covariance: Tensor) -> "SourcePrior":
        """The prior with the strength that the evidence favours, for the posterior of the coefficients."""
        curvature = self.grid.curvature
        variance = ((curvature @ covariance) * curvature).sum(dim=1)
        determined = self.grid.nodes - (self.precision * variance).sum()
        strength = determined / (curvature @ mean).square().sum()
        return SourcePrior.of_strength(self.grid, max(float(strength), MIN_PRECISION))
