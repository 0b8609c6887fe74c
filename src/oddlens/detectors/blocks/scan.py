"""Where in a lens is mass that the smooth model lacks? A point of mass at every place, held against what is left over.

A mass of Einstein radius squared a (an area, arcsec^2) at p, softened, deflects light by a alpha_p with
alpha_p(x) = (x - p) / (|x - p|^2 + s^2). To first order the image changes by a t_p, where t_p is what the camera sees
of -grad S . alpha_p, S being the source where rays of the smooth fit end. A part of that the smooth lens can do as
well: only what is left of t_p beside the fit's Jacobian J counts. In units of the noise, with the prior's precision R
of the fit's parameters, the data have the covariance 1 + J^T R^-1 J about the prior's mean, whose inverse is P = 1 -
J^T (J J^T + R)^-1 J: for free parameters (R = 0) the projection on the complement of J, for a parameter that is known
the identity, and for a source of many uncertain parts what they leave. What a fit leaves over, r, is P times the data
less their mean already, so that the best mass at p and its significance are

    a_p = t_p . r / (t_p . P t_p)            z_p = t_p . r / sqrt(t_p . P t_p)

and z_p is a standard normal number if the lens is smooth. If there is one mass, as likely at any place as at any other
and with a density of areas that is half a normal one of deviation `heaviest`, the odds of it against none are the mean
over places of

    2 sqrt(v) / heaviest exp(m^2 / (2 v)) Phi(m / sqrt(v)),     1 / v = t_p . P t_p + 1 / heaviest^2,  m = v t_p . r

Phi being the normal distribution function: the largest z counts most, less where many places could have it by chance,
and more where several agree. The masses of many places together, each normal with
standard deviation `spread` (an area), make a random field; the logarithm of its evidence against no field is, with
K = T P T^T over all places and v = T r,

    (v^T (K + 1 / spread^2)^-1 v - log det(1 + spread^2 K)) / 2

(Rasmussen & Williams 2006, sections 2.2 and 5.4). It is a linearised form of the gravitational imaging of Koopmans
2005 (MNRAS 363, 1136).
"""

import math
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from oddlens.detectors.blocks.levenberg import Fit, Noise, Prior, linear
from oddlens.lensing.grids import centres, grid
from oddlens.lensing.model import LensModel, ModelImage

FINE = 4
"""Deflections of a place are means over so many points a pixel side."""
NOTHING = 1e-6
"""The least t . P t, in units of the largest in its image: where a mass changes nothing else, its significance is 0."""


class Scanned(NamedTuple):
    """What is found, if not said otherwise at each place, [n, places, places]; row 0 is the top."""

    left: Tensor
    """What is left over, in units of the noise, [n, pixels^2]."""
    significance: Tensor
    """z"""
    area: Tensor
    """Best Einstein radius squared, arcsec^2."""
    deviation: Tensor
    """Its standard deviation: 5 of them are the least mass that is found there with 5 sigma."""
    odds: Tensor
    """Logarithm of those of one mass somewhere, [n]."""
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
        heaviest_arcsec2: see the module.
    """

    deflections: Tensor
    y: Tensor
    """Of the places, [places^2]."""
    x: Tensor
    onto: Tensor
    """Pixels (x, y down) in units of the half width, [pixels, pixels, 2]."""

    def __init__(
        self,
        model: LensModel,
        *,
        places: int,
        half_width_arcsec: float,
        softening_arcsec: float,
        heaviest_arcsec2: float = 0.1,
    ):
        super().__init__()
        self.observe = model.observe  # the model itself would be saved twice
        self.places, self.heaviest = places, heaviest_arcsec2
        pixels = centres(model.pixels, model.pixels * model.camera.pixel_scale_arcsec) / half_width_arcsec
        where = torch.tensor(pixels, dtype=torch.float32)
        onto = torch.stack(torch.meshgrid(where, where, indexing="xy"), dim=-1)
        self.register_buffer("onto", onto, persistent=False)
        along = np.linspace(-half_width_arcsec, half_width_arcsec, places)
        place_y, place_x = (c.ravel() for c in np.meshgrid(-along, along, indexing="ij"))
        y, x = (c[..., None] for c in grid(model.side, model.side * model.camera.pixel_scale_arcsec))
        offsets = centres(FINE, model.camera.pixel_scale_arcsec)
        alpha = np.zeros((2, model.side, model.side, places**2), np.float64)
        for dy in offsets:
            for dx in offsets:
                off_y, off_x = y + dy - place_y, x + dx - place_x
                pull = 1 / (off_y**2 + off_x**2 + softening_arcsec**2) / FINE**2
                alpha += np.stack([pull * off_y, pull * off_x])
        flat = alpha.reshape(2, -1, places**2).transpose(2, 0, 1)  # [places^2, 2, padded^2]
        for name, positions in (("y", place_y), ("x", place_x)):
            self.register_buffer(name, torch.tensor(positions, dtype=torch.float32), persistent=False)
        self.register_buffer("deflections", torch.tensor(flat, dtype=torch.float32), persistent=False)

    def on_pixels(self, places: Tensor) -> Tensor:
        """Maps [n, places, places] as images [n, pixels, pixels], interpolated; zero beyond the outermost places."""
        onto = self.onto.expand(len(places), -1, -1, -1)
        return F.grid_sample(places[:, None], onto, align_corners=True, padding_mode="zeros")[:, 0]

    def forward(
        self, data: Tensor, fitted: Fit, drawn: ModelImage, noise: Noise, prior: Prior, spread: float | None = None
    ) -> Scanned:
        """Scan what fits, and the images `drawn` of them, leave over of images [n, pixels^2].

        What a fit that has not converged leaves over says nothing, and counts as nothing.
        """
        rows, left, hessian, gradient = linear(data, drawn.image, drawn.jacobian, noise, prior, fitted.parameters)
        factor, failed = torch.linalg.cholesky_ex(hessian)
        one = torch.eye(factor.shape[-1], dtype=factor.dtype, device=factor.device)
        factor = torch.where((failed == 0)[:, None, None], factor, one)  # then the fit has failed, too
        step = torch.cholesky_solve(gradient[..., None], factor).to(rows.dtype)  # the little that is left to go
        left = torch.where(fitted.converged[:, None], left - (rows.mT @ step)[..., 0], 0.0)
        pulled = (drawn.source_gradient[:, None] * self.deflections).sum(dim=2)  # [n, places^2, padded^2]
        templates = noise.white(self.observe(pulled, approximate=True) * noise.variance(drawn.image).rsqrt()[:, None])
        along = (templates @ left[..., None])[..., 0]  # [n, places^2]
        shared = torch.linalg.solve_triangular(factor, (rows @ templates.mT).double(), upper=False).mT
        power = templates.double().square().sum(dim=2) - shared.square().sum(dim=2)
        power = power.clamp(min=NOTHING * power.amax(dim=1, keepdim=True)).to(along.dtype)
        deviation = power.rsqrt()
        significance, area = along * deviation, along / power
        tail = 1 / (power + self.heaviest**-2)  # v
        best = tail.sqrt() * along  # m / sqrt(v)
        weights = 0.5 * tail.log() + 0.5 * best.square() + torch.special.log_ndtr(best)
        odds = weights.logsumexp(dim=1) + math.log(2 / self.heaviest / self.places**2)
        evidence = field = None
        if spread is not None:
            kernel = (templates @ templates.mT).double() - shared @ shared.mT
            one = torch.eye(kernel.shape[-1], dtype=kernel.dtype, device=kernel.device)
            factor, _ = torch.linalg.cholesky_ex(one + spread**2 * kernel)
            masses = spread**2 * torch.cholesky_solve(along.double()[..., None], factor)[..., 0]
            log_det = 2 * factor.diagonal(dim1=1, dim2=2).log().sum(dim=1)
            evidence = (0.5 * ((along * masses).sum(dim=1) - log_det)).float()
            field = (masses.float()[:, None] @ templates)[:, 0]
        shape = (-1, self.places, self.places)
        significance, area, deviation = (found.view(shape) for found in (significance, area, deviation))
        return Scanned(left, significance, area, deviation, odds, evidence, field)
