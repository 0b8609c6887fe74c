"""Luminous clumps on the lens plane: another explanation of residuals than a dark mass.

A satellite of the lens, a star, or a remnant of its light adds a spot to the image that is not lensed. Where it lies on
the ring, a scan for mass takes it for a dark subhalo. So residuals are compared with spots of light as well: one of
positive brightness, a star or one pixel wide, at any position. With K times the probability of a clump over that of
none, the odds of a mass are

    (B_m + K B_c B_(m|c)) / (1 + K B_c)

where B_m and B_c are the odds of a mass and of a clump against neither, and B_(m|c) those of a mass if the model has
the most likely clump. A clump of light has a large B_c and a small B_(m|c). Several masses, which a clump beside one of
them can resemble in part, have a large B_(m|c) too.
"""

import math

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor, nn

from oddlens.detectors.blocks.noise_model import NoiseModel
from oddlens.detectors.blocks.projection import Projection
from oddlens.lensing.camera import psf_fwhm_arcsec, typical_psf
from oddlens.lensing.grids import centres
from oddlens.lensing.model import LensModel

WIDTHS_PIXELS = (0.0, 1.0)
"""Standard deviations of clumps before the point-spread function."""
BRIGHTEST_SIGMA = 10.0
"""Standard deviation of the half-normal prior of the central brightness, in units of the noise of a dark pixel."""
PRIOR_ODDS = 5.0
"""K. On 300 images of each class of model B, 12 % of clumps of 3 to 10 sigma are flagged at the threshold of 1 % of the
smooth lenses if clumps are impossible, 5 % for 1, 3 % for this value and for 20; and 83, 80, 78 and 77 % of `cdm`."""
STEPS_PER_FWHM = 2
"""Positions of clumps within the width of the point-spread function; at most one a pixel."""


class LuminousClumps(nn.Module):
    """Clumps of light at the centres of pixels within the area of a scan.

    Args:
        model: its camera observes the clumps.
        half_width_arcsec: of the scan.
    """

    clumps: Tensor
    """Images of unit central brightness, [clumps, pixels^2]."""

    def __init__(self, model: LensModel, half_width_arcsec: float):
        super().__init__()
        camera, scale = model.camera, model.camera.pixel_scale_arcsec
        step = max(1, round(float(psf_fwhm_arcsec(camera, typical_psf(camera))[0]) / scale / STEPS_PER_FWHM))
        inside = np.flatnonzero(np.abs(centres(model.pixels, model.pixels * scale)) <= half_width_arcsec)[::step]
        images = [_at_pixels(_spot(model.kernel, width), inside, model.pixels) for width in WIDTHS_PIXELS]
        clumps = torch.tensor(np.concatenate(images), dtype=torch.float32)
        self.register_buffer("clumps", clumps, persistent=False)

    def templates(self, expected: Tensor, noise: NoiseModel, which: Tensor | slice = slice(None)) -> Tensor:
        """Images of clumps as bright as the standard deviation of their prior, in units of the noise of images of the
        expected brightness [n, pixels^2]: of all, [n, clumps, pixels^2], or of one for each image, [n, 1, pixels^2]."""
        clumps = self.clumps if isinstance(which, slice) else self.clumps[which][:, None]
        return noise.whiten(clumps * self._weight(expected, noise)[:, None])

    def projection(
        self, expected: Tensor, noise: NoiseModel, residual: Tensor, jacobian: Tensor, factor: Tensor
    ) -> Projection:
        """The projection of all clumps; see `Projection.of`.

        If the noise of pixels is independent, templates are products of the same clumps and a weight of each image.
        So the thousands of templates of an image are not computed.
        """
        if noise.decorrelation is not None:
            return Projection.of(self.templates(expected, noise), residual, jacobian, factor)
        weight, clumps = self._weight(expected, noise), self.clumps.mT
        squares = weight.square() @ clumps.square()
        return Projection.of_products(
            (residual * weight) @ clumps, (jacobian * weight[:, None]) @ clumps, squares, factor
        )

    def _weight(self, expected: Tensor, noise: NoiseModel) -> Tensor:
        dark = torch.as_tensor(noise.floor).amin().sqrt()
        return BRIGHTEST_SIGMA * dark * noise.variance(expected).rsqrt()


def log_odds_of_mass(masses: Projection, beside_clump: Projection, clumps: Projection, heaviest: float) -> Tensor:
    """The log odds of a mass with a half-normal prior of the standard deviation `heaviest`, if clumps are possible.

    Args:
        beside_clump: the projection of masses if the most likely clump is in the model.
    """
    of_clump = clumps.log_odds(1.0) + math.log(PRIOR_ODDS)
    of_both = of_clump + beside_clump.log_odds(heaviest)
    return masses.log_odds(heaviest).logaddexp(of_both) - of_clump.logaddexp(torch.zeros_like(of_clump))


def _spot(kernel: np.ndarray, width: float) -> np.ndarray:
    """A clump as the camera observes it, with the central brightness 1; its side is odd."""
    margin = int(np.ceil(3 * width))
    spot = np.pad(kernel, margin)
    spot = ndimage.gaussian_filter(spot, width) if width else spot
    middle = len(spot) // 2
    return spot / spot[middle, middle]


def _at_pixels(spot: np.ndarray, rows: np.ndarray, pixels: int) -> np.ndarray:
    """Images with the spot at every pair of the rows, [rows^2, pixels^2]."""
    reach = len(spot) // 2
    images = np.zeros((len(rows), len(rows), pixels + 2 * reach, pixels + 2 * reach), np.float32)
    for i, row in enumerate(rows):
        for j, column in enumerate(rows):
            images[i, j, row : row + len(spot), column : column + len(spot)] = spot
    inner = slice(reach, reach + pixels)
    return images[:, :, inner, inner].reshape(len(rows) ** 2, pixels**2)
