"""The arcs of a frame: significant light that the lens galaxy does not explain."""

from typing import NamedTuple

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from oddlens.observations.modelling.mass_model import MacroModel
from oddlens.observations.modelling.observation import Observation
from oddlens.observations.modelling.source_grid import SourceGrid

SMOOTHING_ARCSEC = 0.1
"""Arcs are significant after smoothing by this width."""
MAX_RADII = 2.0
"""Images of a source that has several lie within this number of Einstein radii; light beyond has other sources."""
MIN_HALF_WIDTH_ARCSEC = 0.05
"""Of the grid of a source."""
ENCLOSED = 0.98
"""The grid of the source, and the pixels that are fitted, hold this part of the squared brightness of the arcs."""


class Arcs(NamedTuple):
    """Pixels with significant light that the lens galaxy does not explain, as arrays [k].

    Attributes:
        y: of the positions, arcsec.
        x: likewise.
        brightness: after smoothing.
    """

    y: Tensor
    x: Tensor
    brightness: Tensor

    def of_lens(self, einstein_radius: float) -> "Arcs":
        """Those that may be images of a source with several; all arcs if there are none."""
        near = torch.hypot(self.y, self.x) < MAX_RADII * einstein_radius
        return Arcs(*(part[near] for part in self)) if near.any() else self

    def quantile(self, values: Tensor, part: float) -> float:
        """The quantile of values [k], weighted by squared brightness, as faint pixels may belong to other objects."""
        order = values.argsort()
        total = self.brightness[order].square().cumsum(dim=0)
        return float(values[order][torch.searchsorted(total, part * total[-1])])


def find_arcs(seen: Observation, light: Tensor, inner_arcsec: float, significance: float) -> Arcs:
    """The significant light beyond an inner radius that the light [pixels] of the lens galaxy does not explain."""
    residual, variance = np.zeros(seen.use.shape), np.zeros(seen.use.shape)
    residual[seen.use], variance[seen.use] = (seen.data - light).numpy(), seen.sigma.numpy() ** 2
    width = max(1.0, SMOOTHING_ARCSEC / seen.scale_arcsec)
    smooth = ndimage.gaussian_filter(residual, width)[seen.use]
    # The variance of a mean with Gaussian weights is smaller by 4 pi width^2.
    scatter = np.sqrt(ndimage.gaussian_filter(variance, width)[seen.use] / (4 * np.pi * width**2))
    outside = np.hypot(seen.pixel_y.numpy(), seen.pixel_x.numpy()) > inner_arcsec
    found = torch.tensor((smooth > significance * scatter) & outside)
    return Arcs(seen.pixel_y[found], seen.pixel_x[found], torch.tensor(smooth)[found])


def reach_of(arcs: Arcs, einstein_radius: float) -> float:
    """The distance from the centre within which the arcs of a lens lie, arcsec."""
    own = arcs.of_lens(einstein_radius)
    return own.quantile(torch.hypot(own.y, own.x), ENCLOSED)


def grid_for(macro: MacroModel, parameters: Tensor, arcs: Arcs, side: int) -> SourceGrid:
    """The grid of the source that holds the arcs of a lens, whose parameters begin with those of the macro-model."""
    own = parameters[: len(macro.names)]
    near = arcs.of_lens(float(own[0]))
    beta = torch.stack([near.y, near.x]) - macro.deflections(own, near.y, near.x)
    middle_y, middle_x = (near.quantile(part, 0.5) for part in beta)
    distance = torch.maximum((beta[0] - middle_y).abs(), (beta[1] - middle_x).abs())
    return SourceGrid.around(middle_y, middle_x, max(near.quantile(distance, ENCLOSED), MIN_HALF_WIDTH_ARCSEC), side)
