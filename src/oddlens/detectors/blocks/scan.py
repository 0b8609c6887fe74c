"""A scan for mass that the smooth lens model lacks: the residuals of a fit against point masses on a grid of positions.

A mass of Einstein radius squared a (an area, arcsec^2) at position p, softened by s, deflects light by a alpha_p with
alpha_p(x) = (x - p) / (|x - p|^2 + s^2). To first order it changes the image by a t_p, where the template t_p is the
observed image of -grad S . alpha_p, and S is the source at the positions where rays of the smooth fit end. The smooth
lens can absorb part of it: only the part of t_p that is independent of the Jacobian J of the fit counts.

In units of the noise, and with the precision R of the prior of the fit's parameters, the data have the covariance
1 + J^T R^-1 J about the mean of the prior. Its inverse is P = 1 - J^T (J J^T + R)^-1 J: the projection on the
complement of J for free parameters (R = 0), and the identity for known parameters. The residual r of the fit already is
P times the data minus their mean. So the best-fitting mass at p and its significance are

    a_p = t_p . r / (t_p . P t_p)            z_p = t_p . r / sqrt(t_p . P t_p)

and z_p is a standard normal number if the lens is smooth.

The odds compare one mass with none. The mass is equally likely at all positions of the grid, and its area has a
half-normal prior with the standard deviation `heaviest`. Then the odds are the mean over positions of

    2 sqrt(v) / heaviest exp(m^2 / (2 v)) Phi(m / sqrt(v)),     1 / v = t_p . P t_p + 1 / heaviest^2,  m = v t_p . r

where Phi is the normal distribution function. They are dominated by the largest z. They are lower if a high z is
expected at some of many positions by chance, and higher if several positions agree. Luminous clumps are
another explanation of residuals, which `luminous_clumps.py` compares with them.

Masses at all positions together, each normal with the standard deviation `spread` (an area), form a random field. The
logarithm of its evidence against no field is, with K = T P T^T over all positions and v = T r,

    (v^T (K + 1 / spread^2)^-1 v - log det(1 + spread^2 K)) / 2

(Rasmussen & Williams 2006, sections 2.2 and 5.4). It is a linearised form of the gravitational imaging of Koopmans 2005
(MNRAS 363, 1136).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from oddlens.detectors.blocks.levenberg_marquardt import Fit
from oddlens.detectors.blocks.linearised_model import NormalPrior, linearise, safe_cholesky
from oddlens.detectors.blocks.luminous_clumps import LuminousClumps, log_odds_of_mass
from oddlens.detectors.blocks.noise_model import NoiseModel
from oddlens.detectors.blocks.projection import Projection
from oddlens.lensing.grids import centres, grid
from oddlens.lensing.model import LensModel, ModelImage

SUB_PIXELS = 4
"""The deflection of a pixel by a mass is the mean over this number of points per pixel side."""


class ScanResult(NamedTuple):
    """The results for n images. Maps are [n, side, side], one element for each position; row 0 is the top.

    Attributes:
        residual: of the smooth fit, in units of the noise, [n, pixels^2].
        significance: z.
        area: best-fitting Einstein radius squared, arcsec^2.
        area_sigma: its standard deviation, arcsec^2. A mass of 5 sigma is found with a significance of 5.
        log_odds: of one mass at any position, [n].
        log_evidence: of the random field, [n].
        field_image: what the mean of the random field adds to the image, in units of the noise, [n, pixels^2].
    """

    residual: Tensor
    significance: Tensor
    area: Tensor
    area_sigma: Tensor
    log_odds: Tensor
    log_evidence: Tensor
    field_image: Tensor

    @staticmethod
    def concatenate(results: Sequence["ScanResult"]) -> "ScanResult":
        """The results for the images of several batches."""
        return ScanResult(*map(torch.cat, zip(*results, strict=True)))


class Scan(nn.Module):
    """Positions on a square grid about the centre of the image, and the deflections by a unit mass at each.

    Args:
        model: its camera observes the templates.
        side: positions along a side of the grid.
        half_width_arcsec: from the centre to the outermost positions.
        softening_arcsec: s.
        heaviest_arcsec2, spread_arcsec2: see the module.
        luminous_clumps: the residuals may be clumps of light instead (`luminous_clumps.py`).
    """

    deflections: Tensor
    y: Tensor
    """Of the positions, [side^2], arcsec."""
    x: Tensor
    pixel_positions: Tensor
    """Positions (x, y down) of the pixels, in units of the half width, [pixels, pixels, 2]."""

    def __init__(
        self,
        model: LensModel,
        *,
        side: int,
        half_width_arcsec: float,
        softening_arcsec: float,
        heaviest_arcsec2: float = 0.1,
        spread_arcsec2: float = 0.003,
        luminous_clumps: bool = False,
    ):
        super().__init__()
        self.observe = model.observe  # with the model as a submodule, its state would be saved twice
        self.side, self.heaviest, self.spread = side, heaviest_arcsec2, spread_arcsec2
        scale = model.camera.pixel_scale_arcsec
        pixels = torch.tensor(centres(model.pixels, model.pixels * scale) / half_width_arcsec, dtype=torch.float32)
        positions = torch.stack(torch.meshgrid(pixels, pixels, indexing="xy"), dim=-1)
        self.register_buffer("pixel_positions", positions, persistent=False)
        along = np.linspace(-half_width_arcsec, half_width_arcsec, side)
        mass_y, mass_x = (c.ravel() for c in np.meshgrid(-along, along, indexing="ij"))
        for name, values in (("y", mass_y), ("x", mass_x)):
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32), persistent=False)
        deflections = unit_deflections(mass_y, mass_x, model.side, scale, softening_arcsec)
        self.register_buffer("deflections", torch.tensor(deflections, dtype=torch.float32), persistent=False)
        self.clumps = LuminousClumps(model, half_width_arcsec) if luminous_clumps else None

    def peak(self, result: ScanResult) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Significance, area, and position (y, x) of the most significant mass of each image, [n] each."""
        significance, k = result.significance.flatten(1).max(dim=1)
        area = result.area.flatten(1).gather(1, k[:, None])[:, 0]
        return significance, area, self.y[k], self.x[k]

    def to_pixels(self, maps: Tensor) -> Tensor:
        """Maps [n, side, side] interpolated to pixels, [n, pixels, pixels]; zero beyond the outermost positions."""
        positions = self.pixel_positions.expand(len(maps), -1, -1, -1)
        return F.grid_sample(maps[:, None], positions, align_corners=True, padding_mode="zeros")[:, 0]

    def forward(
        self,
        data: Tensor,
        fitted: Fit,
        model_image: ModelImage,
        noise: NoiseModel,
        prior: NormalPrior,
    ) -> ScanResult:
        """Scan the residuals of images [n, pixels^2].

        A fit that has not converged counts as a fit without residuals, as its residuals have no meaning.

        Args:
            fitted: the smooth fits; `model_image` are their images.
        """
        linearised = linearise(data, model_image.image, model_image.jacobian, noise, prior, fitted.parameters)
        factor, _ = safe_cholesky(linearised.hessian)  # a Hessian that is not positive definite belongs to a failed fit
        jacobian = linearised.jacobian
        # The remaining step to the optimum, which convergence leaves out.
        step = torch.cholesky_solve(linearised.gradient[..., None], factor).to(jacobian.dtype)
        residual = linearised.residual - (jacobian.mT @ step)[..., 0]
        residual = torch.where(fitted.converged[:, None], residual, 0.0)
        templates = self._templates(model_image, noise)
        masses = Projection.of(templates, residual, jacobian, factor)
        area_sigma = masses.power.rsqrt()
        maps = (masses.overlap * area_sigma, masses.overlap / masses.power, area_sigma)
        significance, area, area_sigma = (each.view(-1, self.side, self.side) for each in maps)
        log_evidence, field_image = _random_field(templates, masses, self.spread)
        log_odds = masses.log_odds(self.heaviest)
        if self.clumps is not None:
            clumps = self.clumps.projection(model_image.image, noise, residual, jacobian, factor)
            likely = clumps.log_terms(1.0).argmax(dim=1)
            products = (templates @ self.clumps.templates(model_image.image, noise, likely).mT)[..., 0]
            log_odds = log_odds_of_mass(masses, masses.beside(clumps.at(likely), products), clumps, self.heaviest)
        return ScanResult(residual, significance, area, area_sigma, log_odds, log_evidence, field_image)

    def one_by_one(
        self, data: Tensor, fitted: Fit, model_image: ModelImage, noise: NoiseModel, prior: NormalPrior
    ) -> ScanResult:
        """The same results as those of `forward` but for rounding, from one image after the other.

        Args:
            prior: with a precision [n, p] of each fit.
        """
        lenses = [slice(lens, lens + 1) for lens in range(len(data))]
        return ScanResult.concatenate(
            [self(data[lens], fitted.of(lens), model_image.of(lens), noise.of(lens), prior.of(lens)) for lens in lenses]
        )

    def _templates(self, model_image: ModelImage, noise: NoiseModel) -> Tensor:
        """The change of the image by a unit mass at each position, in units of the noise, [n, side^2, pixels^2]."""
        by_y, by_x = (part[:, None] for part in model_image.source_gradient.unbind(dim=1))
        change = (by_y * self.deflections[:, 0]).addcmul_(by_x, self.deflections[:, 1])  # [n, side^2, padded^2]
        weight = noise.variance(model_image.image).rsqrt()
        return noise.whiten(self.observe(change, approximate=True) * weight[:, None])


def _random_field(templates: Tensor, masses: Projection, spread: float) -> tuple[Tensor, Tensor]:
    """The log evidence of a random field of masses against none, [n], and the image of its mean, [n, pixels^2]."""
    overlap, _, absorbed = masses
    kernel = (templates @ templates.mT).double() - absorbed @ absorbed.mT
    identity = torch.eye(kernel.shape[-1], dtype=kernel.dtype, device=kernel.device)
    factor, _ = torch.linalg.cholesky_ex(identity + spread**2 * kernel)
    mean = spread**2 * torch.cholesky_solve(overlap.double()[..., None], factor)[..., 0]
    log_det = 2 * factor.diagonal(dim1=1, dim2=2).log().sum(dim=1)
    log_evidence = (0.5 * ((overlap * mean).sum(dim=1) - log_det)).float()
    return log_evidence, (mean.float()[:, None] @ templates)[:, 0]


def unit_deflections(mass_y: np.ndarray, mass_x: np.ndarray, pixels: int, scale: float, softening: float) -> np.ndarray:
    """Deflections of pixels [masses, 2, pixels^2] by masses of 1 arcsec^2 at some positions, averaged over pixels."""
    y, x = (c[..., None] for c in grid(pixels, pixels * scale))
    offsets = centres(SUB_PIXELS, scale)
    alpha = np.zeros((2, pixels, pixels, len(mass_y)), np.float64)
    for dy in offsets:
        for dx in offsets:
            off_y, off_x = y + dy - mass_y, x + dx - mass_x
            pull = 1 / (off_y**2 + off_x**2 + softening**2) / SUB_PIXELS**2
            alpha += np.stack([pull * off_y, pull * off_x])
    return alpha.reshape(2, -1, len(mass_y)).transpose(2, 0, 1)
