"""The source as a regular grid of cubic B-splines in the source plane.

The brightness at a point is the sum over its 4 x 4 nearest nodes of a coefficient times two weights. It has continuous
second derivatives, so that the image is a smooth function of the mass of the lens. Nodes beyond the grid are zero: the
source fades towards its edges.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from oddlens.observations.modelling.observation import Observation

NEIGHBOURS = (-1, 0, 1, 2)
"""Nodes that a point between nodes 0 and 1 depends on, along each axis."""
MARGIN = 2.5
"""Nodes between the light that a grid is made for and its edge."""


class _Nodes(NamedTuple):
    """The nodes of points that lie on a grid.

    Attributes:
        points: which of the points do, [m].
        node: the numbers of their nodes, [4, 4, m].
        weight_y: of these, along y, [4, m].
        weight_x: along x.
        slope_y: derivatives of the weights with respect to the point, in nodes, [4, m].
        slope_x: likewise.
    """

    points: Tensor
    node: Tensor
    weight_y: Tensor
    weight_x: Tensor
    slope_y: Tensor
    slope_x: Tensor


@dataclass(frozen=True)
class SourceGrid:
    """A square grid of nodes.

    Attributes:
        side: nodes along a side.
        y: of the first node, arcsec; it grows with the row.
        x: of the first node; it grows with the column.
        step: the distance of nodes, arcsec.
    """

    side: int
    y: float
    x: float
    step: float

    @staticmethod
    def around(y: float, x: float, half_width: float, side: int) -> "SourceGrid":
        """The grid for light that reaches as far as `half_width` from a point."""
        step = 2 * half_width / (side - 1 - 2 * MARGIN)
        corner = step * (side - 1) / 2
        return SourceGrid(side, y - corner, x - corner, step)

    @property
    def nodes(self) -> int:
        """The number of nodes."""
        return self.side**2

    def place(self, node: int) -> tuple[float, float]:
        """y and x of a node."""
        row, column = divmod(node, self.side)
        return self.y + row * self.step, self.x + column * self.step

    def columns(self, observation: Observation, beta: Tensor) -> Tensor:
        """The light of each node at unit coefficient as pixel means, [nodes, padded pixels], float32.

        Args:
            beta: where the rays of the observation end, (y, x), [2, rays].
        """
        at = self._nodes(beta)
        weights = at.weight_y[:, None] * at.weight_x * observation.weights[at.points]
        padded = observation.shape[0] * observation.shape[1]
        found = torch.zeros(self.nodes * padded, dtype=torch.float32)
        pixel = at.node * padded + observation.pixel_of_ray[at.points]
        return found.index_add_(0, pixel.flatten(), weights.flatten().float()).view(self.nodes, padded)

    def gradient(self, coefficients: Tensor, beta: Tensor) -> Tensor:
        """The gradient (y, x) of the brightness at points (y, x) [2, rays], per arcsec, [2, rays]."""
        at = self._nodes(beta)
        values = coefficients[at.node]
        gradient = torch.zeros_like(beta)
        gradient[0, at.points] = (values * at.slope_y[:, None] * at.weight_x).sum(dim=(0, 1)) / self.step
        gradient[1, at.points] = (values * at.weight_y[:, None] * at.slope_x).sum(dim=(0, 1)) / self.step
        return gradient

    def ray_gradient(self, columns: Tensor, observation: Observation, beta: Tensor) -> Tensor:
        """Derivatives of the sum of `self.columns` times other columns with respect to the ends of the rays, [2, rays].

        Args:
            columns: the others, [nodes, padded pixels].
        """
        at = self._nodes(beta)
        padded = observation.shape[0] * observation.shape[1]
        values = columns.flatten()[at.node * padded + observation.pixel_of_ray[at.points]]
        values = values * (observation.weights[at.points] / self.step)
        gradient = torch.zeros_like(beta)
        gradient[0, at.points] = (values * at.slope_y[:, None] * at.weight_x).sum(dim=(0, 1))
        gradient[1, at.points] = (values * at.weight_y[:, None] * at.slope_x).sum(dim=(0, 1))
        return gradient

    def brightness(self, coefficients: Tensor, beta: Tensor) -> Tensor:
        """The brightness at points (y, x) [2, rays], [rays]."""
        at = self._nodes(beta)
        light = torch.zeros_like(beta[0])
        light[at.points] = (coefficients[at.node] * at.weight_y[:, None] * at.weight_x).sum(dim=(0, 1))
        return light

    def _nodes(self, points: Tensor) -> _Nodes:
        along_y, along_x = (points[0] - self.y) / self.step, (points[1] - self.x) / self.step
        row, column = along_y.floor(), along_x.floor()
        near = [(low >= -2) & (low <= self.side) for low in (row, column)]  # within reach of some node
        chosen = (near[0] & near[1]).nonzero()[:, 0]
        row, column = row[chosen], column[chosen]
        weight_y, slope_y = cubic_weights(along_y[chosen] - row)
        weight_x, slope_x = cubic_weights(along_x[chosen] - column)
        offsets = torch.tensor(NEIGHBOURS)
        rows, columns = row.long() + offsets[:, None], column.long() + offsets[:, None]
        for number, parts in ((rows, (weight_y, slope_y)), (columns, (weight_x, slope_x))):
            for part in parts:
                part[(number < 0) | (number >= self.side)] = 0.0
        rows, columns = (number.clamp(0, self.side - 1) for number in (rows, columns))
        return _Nodes(chosen, rows[:, None] * self.side + columns, weight_y, weight_x, slope_y, slope_x)

    @cached_property
    def curvature(self) -> Tensor:
        """The matrix [nodes, nodes] that takes four times each coefficient minus its four neighbours.

        Neighbours beyond the grid are zero, so it has an inverse.
        """
        number = torch.arange(self.nodes).view(self.side, self.side)
        matrix = 4.0 * torch.eye(self.nodes, dtype=torch.float64)
        for a, b in ((number[1:], number[:-1]), (number[:, 1:], number[:, :-1])):
            matrix[a.flatten(), b.flatten()] = matrix[b.flatten(), a.flatten()] = -1.0
        return matrix

    @cached_property
    def roughness(self) -> Tensor:
        """The curvature matrix, transposed, times itself, [nodes, nodes]."""
        return self.curvature.T @ self.curvature

    @cached_property
    def log_det_curvature(self) -> float:
        """The logarithm of its determinant."""
        return float(torch.linalg.slogdet(self.curvature).logabsdet)


def cubic_weights(fraction: Tensor) -> tuple[Tensor, Tensor]:
    """Weights [4, ...] of the nodes of a point at a fraction of the way from node 0 to 1, and their derivatives."""
    t = fraction
    weights = torch.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]) / 6
    slopes = torch.stack([-((1 - t) ** 2), 3 * t**2 - 4 * t, -3 * t**2 + 2 * t + 1, t**2]) / 2
    return weights, slopes
