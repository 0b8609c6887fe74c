"""Columns of the Jacobian that are computed anew only where they have changed: those of source pixels.

Nine in ten columns of the Jacobian of a flexible fit belong to source pixels. The image is linear in their amplitudes,
so that these columns depend only on where the rays end on the grid of source pixels, and this hardly changes in late
steps. `LaggedColumns` keeps the columns of each lens, in units of the noise, with the matrix of their products, until
rays have moved by more than a part of the spacing of source pixels. Image, residual and all other columns are exact in
each step. So a step is a little less efficient, but the objective, which decides whether it is accepted, is exact, and
the scan linearises the optimum exactly.
"""

import torch
from torch import Tensor

from oddlens.detectors.blocks.linearised_model import LinearisedModel, NormalPrior
from oddlens.detectors.blocks.noise_model import NoiseModel
from oddlens.lensing.model import LensModel

MARGIN = 1.0
"""Rays count that end on the grid, or beside it by no more than this, in units of the spacing."""


class LaggedColumns:
    """The columns of the source pixels of the lenses of a batch.

    Args:
        model: has source pixels.
    """

    def __init__(self, model: LensModel):
        layout = model.parametrisation
        self.model, self.amplitudes = model, layout.source_pixel_amplitudes
        self.limit = (layout.source_pixels - 1) / 2 + MARGIN
        self.positions = self.columns = self.products = torch.empty(0)

    def linearise(
        self,
        data: Tensor,
        image: Tensor,
        jacobian: Tensor,
        noise: NoiseModel,
        prior: NormalPrior,
        parameters: Tensor,
        max_move: Tensor,
    ) -> LinearisedModel:
        """The linearised model of a batch; compare `linearised_model.linearise`.

        Args:
            jacobian: without the columns of the source pixels.
            max_move: root-mean-square movement of rays on the grid of source pixels, in units of their spacing, from
                which the columns of a lens are computed anew, [n]; negative: in any case.
        """
        weight = noise.variance(image).rsqrt()
        self._refresh(weight, noise, parameters, max_move)
        others, residual = noise.whiten(jacobian * weight[:, None]), noise.whiten((data - image) * weight)
        first, end = self.amplitudes.start, self.amplitudes.stop
        n, p = parameters.shape
        rest = torch.cat([torch.arange(first), torch.arange(end, p)]).to(parameters.device)
        double, precision = others.double(), prior.precision.double()
        hessian = parameters.new_zeros(n, p, p, dtype=torch.float64)
        hessian[:, rest[:, None], rest] = double @ double.mT
        mixed = (others @ self.columns.mT).double()
        hessian[:, rest, first:end] = mixed
        hessian[:, first:end, rest] = mixed.mT
        hessian[:, first:end, first:end] = self.products
        hessian.diagonal(dim1=1, dim2=2).add_(precision)
        gradient = (prior.mean - parameters).double() * precision
        gradient[:, rest] += (double @ residual.double()[..., None])[..., 0]
        gradient[:, first:end] += (self.columns @ residual[..., None])[..., 0]
        return LinearisedModel(others, residual, hessian, gradient)

    def _refresh(self, weight: Tensor, noise: NoiseModel, parameters: Tensor, max_move: Tensor) -> None:
        """Compute the columns of lenses anew whose rays have moved."""
        positions = self.model.source_grid_positions(parameters)
        if not len(self.positions):
            count = self.amplitudes.stop - self.amplitudes.start
            self.positions = torch.full_like(positions, torch.inf)
            self.columns = weight.new_zeros(len(weight), count, weight.shape[1])
            self.products = weight.new_zeros(len(weight), count, count)
        on_grid = (positions.abs() < self.limit).all(dim=1)
        square = (positions - self.positions).square().sum(dim=1)
        moved = ((square * on_grid).sum(dim=1) / on_grid.sum(dim=1).clamp(min=1)).sqrt()
        stale = moved.nan_to_num(nan=torch.inf) > max_move
        lenses = stale.nonzero()[:, 0]
        for part in lenses.split(1 if lenses.device.type == "cpu" else max(len(lenses), 1)):
            columns = self.model.source_pixel_images(parameters[part])
            columns = noise.whiten(columns.mul_(weight[part, None]))
            self.columns[part], self.products[part], self.positions[part] = columns, _products(columns), positions[part]


def _products(columns: Tensor) -> Tensor:
    """The products of all pairs of columns [n, k, pixels^2], [n, k, k], of which one half is computed."""
    half = columns.shape[1] // 2
    low, high = columns[:, :half], columns[:, half:]
    mixed = low @ high.mT
    upper, lower = torch.cat([low @ low.mT, mixed], dim=2), torch.cat([mixed.mT, high @ high.mT], dim=2)
    return torch.cat([upper, lower], dim=1)
