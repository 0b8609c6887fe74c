"""The light of the lens galaxy before anything is known about arcs.

Arcs lie above the light of the galaxy. Pixels above a model therefore have little weight, by how much they are above
it, and the weights and the model are found in turns (iteratively reweighted least squares). This light only starts the
joint fit of light and source.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from oddlens.observations.modelling.lens_light import FIRST_ELLIPSES, SETS, LensLight
from oddlens.observations.modelling.model_error import relative_light_error
from oddlens.observations.modelling.observation import Observation

ABOVE, BELOW = 1.5, 4.0
"""Pixels above or below the model by more standard deviations have less weight."""
STEPS, FIRST_WEIGHTINGS, WEIGHTINGS, MAX_STEP, CONVERGED_STEP = 25, 12, 3, 0.1, 2e-3
CENTRE_SCATTER_ARCSEC, ELLIPSE_SCATTER = 0.1, 0.3
RIDGE = 1e-6
"""Precision of the amplitudes, in units of their signal-to-noise ratio."""


class LightStart(NamedTuple):
    """The light of a lens galaxy.

    Attributes:
        parameters: of its shape (`LensLight.names`).
        image: of the light, at the fitted pixels, [pixels].
    """

    parameters: Tensor
    image: Tensor


def fit_light(light: LensLight, seen: Observation) -> LightStart:
    """The light of the lens galaxy of an observation, whose noise is taken for white."""
    parameters = torch.zeros(len(light.names), dtype=torch.float64)
    parameters[2:] = torch.tensor(FIRST_ELLIPSES, dtype=torch.float64).flatten()
    precision = torch.tensor([CENTRE_SCATTER_ARCSEC**-2] * 2 + [ELLIPSE_SCATTER**-2] * 2 * SETS, dtype=torch.float64)
    weights, image, error = torch.ones_like(seen.data), torch.zeros_like(seen.data), relative_light_error(seen)
    for step in range(STEPS):
        columns = seen.blurred(light.columns(parameters, seen)).double()
        for _ in range(WEIGHTINGS if step else FIRST_WEIGHTINGS):
            scale = weights.sqrt() / torch.hypot(seen.sigma, error * image)
            amplitudes = _amplitudes(columns * scale[:, None], seen.data * scale)
            image = columns @ amplitudes
            z = (seen.data - image) / torch.hypot(seen.sigma, error * image)
            weights = torch.where(z > ABOVE, (ABOVE / z) ** 2, torch.where(z < -BELOW, (BELOW / z) ** 2, 1.0))
        derivatives = seen.blurred(light.derivatives(parameters, amplitudes, seen)).double() * scale[:, None]
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


def _amplitudes(columns: Tensor, data: Tensor) -> Tensor:
    """The best amplitudes of weighted columns [pixels, k] for data [pixels]."""
    norms = columns.norm(dim=0).clamp(min=torch.finfo(columns.dtype).tiny)
    unit = columns / norms
    identity = torch.eye(len(norms), dtype=columns.dtype)
    return torch.linalg.solve(unit.T @ unit + RIDGE * identity, unit.T @ data) / norms
