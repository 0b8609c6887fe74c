"""The light of the lens galaxy before anything is known about arcs, and the arcs that remain.

Arcs lie above the light of the galaxy. Pixels above a model therefore have little weight, by how much they are above
it, and the weights and the model are found in turns (iteratively reweighted least squares). This light only starts the
joint fit of light and source.
"""

from typing import NamedTuple

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from oddlens.observations.modelling.lens_light import SETS, LensLight
from oddlens.observations.modelling.observation import Observation

ABOVE, BELOW = 1.5, 4.0
"""Pixels above or below the model by more standard deviations have less weight."""
MODEL_ERROR, CORE_ERROR, CORE_ARCSEC = 0.01, 0.03, 0.3
"""Assumed error of the model as a fraction of its brightness: everywhere, and in the core, where it falls as a Gaussian
of this standard deviation."""
STEPS, FIRST_WEIGHTINGS, WEIGHTINGS, MAX_STEP, CONVERGED_STEP = 25, 12, 3, 0.1, 2e-3
CENTRE_SCATTER_ARCSEC, ELLIPSE_SCATTER = 0.1, 0.3
RIDGE = 1e-6
"""Precision of the amplitudes, in units of their signal-to-noise ratio."""
SMOOTHING_ARCSEC = 0.1
"""Arcs are significant after smoothing by this width."""


class LightStart(NamedTuple):
    """The light of a lens galaxy.

    Attributes:
        parameters: of its shape (`LensLight.names`).
        image: of the light, at the fitted pixels, [pixels].
    """

    parameters: Tensor
    image: Tensor


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


def fit_light(light: LensLight, seen: Observation) -> LightStart:
    """The light of the lens galaxy of an observation, whose noise is taken for white."""
    parameters = torch.zeros(len(light.names), dtype=torch.float64)
    parameters[2:] = torch.tensor([0.0, 0.05, 0.0, -0.05])[: 2 * SETS]  # the sets begin with different ellipses
    precision = torch.tensor([CENTRE_SCATTER_ARCSEC**-2] * 2 + [ELLIPSE_SCATTER**-2] * 2 * SETS, dtype=torch.float64)
    weights, image, error = torch.ones_like(seen.data), torch.zeros_like(seen.data), model_error(seen)
    for step in range(STEPS):
        columns = seen.blurred(light.columns(parameters, seen))
        for _ in range(WEIGHTINGS if step else FIRST_WEIGHTINGS):
            scale = weights.sqrt() / torch.hypot(seen.sigma, error * image)
            amplitudes = _amplitudes(columns * scale[:, None], seen.data * scale)
            image = columns @ amplitudes
            z = (seen.data - image) / torch.hypot(seen.sigma, error * image)
            weights = torch.where(z > ABOVE, (ABOVE / z) ** 2, torch.where(z < -BELOW, (BELOW / z) ** 2, 1.0))
        derivatives = seen.blurred(light.derivatives(parameters, amplitudes, seen)) * scale[:, None]
        columns = columns * scale[:, None]
        # What the amplitudes cannot absorb of a change of shape.
        absorbed = torch.stack([_amplitudes(columns, own) for own in derivatives.T], dim=1)
        own = derivatives - columns @ absorbed
        gradient = own.T @ ((seen.data - image) * scale) - precision * parameters
        move = torch.linalg.solve(own.T @ own + torch.diag(precision), gradient).clamp(-MAX_STEP, MAX_STEP)
        parameters = parameters + move
        if move.abs().max() < CONVERGED_STEP:
            break
    return LightStart(parameters, image)


def model_error(seen: Observation) -> Tensor:
    """The assumed error of a model of the lens light as a fraction of its brightness, [pixels]."""
    squared = (seen.pixel_y.square() + seen.pixel_x.square()) / CORE_ARCSEC**2
    return MODEL_ERROR + (CORE_ERROR - MODEL_ERROR) * torch.exp(-0.5 * squared)


def _amplitudes(columns: Tensor, data: Tensor) -> Tensor:
    """The best amplitudes of weighted columns [pixels, k] for data [pixels]."""
    norms = columns.norm(dim=0).clamp(min=torch.finfo(columns.dtype).tiny)
    unit = columns / norms
    identity = torch.eye(len(norms), dtype=columns.dtype)
    return torch.linalg.solve(unit.T @ unit + RIDGE * identity, unit.T @ data) / norms


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
