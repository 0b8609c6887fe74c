"""The prior of the source grid, whose strength is chosen by the evidence of each lens.

The curvature of the source at each node is normal with mean zero and precision lambda (Suyu et al. 2006, MNRAS 371,
983). The value of lambda that has most evidence is approached by MacKay's rule (1992, Neural Computation 4, 415)

    lambda <- (number of nodes - lambda trace of the covariance of the curvature) / sum of its squares

whose numerator is the number of nodes that the data determine.
"""

import math
from dataclasses import dataclass

from torch import Tensor

from oddlens.observations.modelling.source_grid import SourceGrid

MIN_STRENGTH, MAX_STRENGTH = 1e-12, 1e12


@dataclass(frozen=True)
class SourcePrior:
    """The prior of a grid of coefficients.

    Attributes:
        strength: the precision lambda of the curvature at each node.
    """

    grid: SourceGrid
    strength: float

    @property
    def matrix(self) -> Tensor:
        """The precision of the coefficients, [nodes, nodes]."""
        return self.strength * self.grid.roughness

    @property
    def log_det(self) -> float:
        """The logarithm of the determinant of that matrix."""
        return 2 * self.grid.log_det_curvature + self.grid.nodes * math.log(self.strength)

    def penalty(self, coefficients: Tensor) -> Tensor:
        """Minus twice the log density of coefficients, up to a constant."""
        return self.strength * (self.grid.curvature @ coefficients).square().sum()

    def adapted(self, mean: Tensor, covariance: Tensor) -> "SourcePrior":
        """The prior with the strength that the evidence favours, for the posterior of the coefficients."""
        determined = self.grid.nodes - self.strength * (self.grid.roughness * covariance).sum()
        strength = determined / (self.grid.curvature @ mean).square().sum()
        return SourcePrior(self.grid, min(max(float(strength), MIN_STRENGTH), MAX_STRENGTH))
