"""Where in a lens is mass that the smooth model lacks? A point of mass at every place, held against what is left over.

A mass of Einstein radius squared a (an area, arcsec^2) at p, softened, deflects light by a alpha_p with
alpha_p(x) = (x - p) / (|x - p|^2 + s^2). To first order the image changes by a t_p, where t_p is what the camera sees
of -grad S . alpha_p, S being the source where rays of the smooth fit end. A part of that the smooth lens can do as
well: only what is left of t_p beside the fit's Jacobian J counts. In units of the noise, with P the projection on the
complement of J and r what the fit leaves over, the best mass at p and its significance are

    a_p = t_p . r / (t_p . P t_p)            z_p = t_p . r / sqrt(t_p . P t_p)

and z_p is a standard normal number if the lens is smooth. The masses of many places together, each normal with
standard deviation `spread` (an area), make a random field; the logarithm of its evidence against no field is, with
K = T P T^T over all places and v = T r,

    (v^T (K + 1 / spread^2)^-1 v - log det(1 + spread^2 K)) / 2

(Rasmussen & Williams 2006, sections 2.2 and 5.4). It is a linearised form of the gravitational imaging of Koopmans
2005 (MNRAS 363, 1136).
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from oddlens.detectors.blocks.levenberg import Noise
from oddlens.lensing.grids import centres, grid
from oddlens.lensing.model import Drawn, LensModel

FINE = 4
"""Deflections of a place are means over so many points a pixel side."""
NOTHING = 1e-6
"""The least t . P t, in units of the largest in its image: where a mass changes nothing else, its significance is 0."""


class Scanned(NamedTuple):
    """What is found at each place, [n, places, places]; row 0 is the top."""

    significance: Tensor
    """z"""
    area: Tensor
    """Best Einstein radius squared, arcsec^2."""
    evidence: Tensor | None
    """Of the field, [n]; None if no `spread` was given."""
    field: Tensor | None
    """What the field's mean adds to the image, in units of the noise, [n, pixels^2]; likewise."""


class Scan(nn.Module):
    """Places on a square grid about the middle, and the deflections by a unit mass at each.

    Args:
        model: whose camera it looks through.
        places: along a side.
        half_width_arcsec: of the square, from the middle to the outermost places.
        softening_arcsec: s.
    """

    deflections: Tensor

    def __init__(self, model: LensModel, *, places: int, half_width_arcsec: float, softening_arcsec: float):
        super().__init__()
        self.model, self.places = model, places
        along = np.linspace(-half_width_arcsec, half_width_arcsec, places)
        self.y, self.x = (c.ravel() for c in np.meshgrid(-along, along, indexing="ij"))
        y, x = (c[..., None] for c in grid(model.side, model.side * model.camera.pixel_scale_arcsec))
        offsets = centres(FINE, model.camera.pixel_scale_arcsec)
        alpha = np.zeros((2, model.side, model.side, places**2), np.float64)
        for dy in offsets:
            for dx in offsets:
                off_y, off_x = y + dy - self.y, x + dx - self.x
                pull = 1 / (off_y**2 + off_x**2 + softening_arcsec**2) / FINE**2
                alpha += np.stack([pull * off_y, pull * off_x])
        flat = alpha.reshape(2, -1, places**2).transpose(2, 0, 1)  # [places^2, 2, padded^2]
        self.register_buffer("deflections", torch.tensor(flat, dtype=torch.float32), persistent=False)

    def forward(self, data: Tensor, drawn: Drawn, noise: Noise, spread: float | None = None) -> Scanned:
        """Scan what fits `drawn` leave over of images [n, pixels^2]."""
        weight = noise.variance(drawn.image).rsqrt()  # [n, pixels^2]
        basis = orthonormal(drawn.jacobian * weight[:, None])
        left = (data - drawn.image) * weight
        left = left - (basis.mT @ (basis @ left[..., None]))[..., 0]
        pulled = drawn.gradient[:, None] * self.deflections  # [n, places^2, 2, padded^2]
        templates = self.model.seen(pulled.sum(dim=2)) * weight[:, None]
        along = (templates @ left[..., None])[..., 0]  # [n, places^2]
        shared = templates @ basis.mT  # [n, places^2, parameters]
        power = templates.square().sum(dim=2) - shared.square().sum(dim=2)
        power = power.clamp(min=NOTHING * power.amax(dim=1, keepdim=True))
        significance, area = along / power.sqrt(), along / power
        evidence = field = None
        if spread is not None:
            kernel = (templates @ templates.mT - shared @ shared.mT).double()
            one = torch.eye(kernel.shape[-1], dtype=kernel.dtype, device=kernel.device)
            factor, _ = torch.linalg.cholesky_ex(one + spread**2 * kernel)
            masses = spread**2 * torch.cholesky_solve(along.double()[..., None], factor)[..., 0]
            log_det = 2 * factor.diagonal(dim1=1, dim2=2).log().sum(dim=1)
            evidence = (0.5 * ((along * masses).sum(dim=1) - log_det)).float()
            field = (masses.float()[:, None] @ templates)[:, 0]
        shape = (-1, self.places, self.places)
        return Scanned(significance.view(shape), area.view(shape), evidence, field)


def orthonormal(rows: Tensor) -> Tensor:
    """An orthonormal basis [n, p, pixels] of the rows [n, p, pixels]."""
    return torch.linalg.qr(rows.mT)[0].mT
