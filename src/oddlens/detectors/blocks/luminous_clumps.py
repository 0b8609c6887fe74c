"""Luminous clumps on the lens plane: the explanation of a residual that a dark mass must beat.

A satellite of the lens, a star, or a remnant of its light adds a spot to the image that is not lensed. Where it lies on
the ring, a scan for mass takes it for a dark subhalo. So residuals are compared with spots of light as well: one of
positive brightness, a star or one pixel wide, at any position.
"""

import math

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor, nn

from oddlens.detectors.blocks.noise_model import NoiseModel
from oddlens.lensing.camera import psf_fwhm_arcsec, typical_psf
from oddlens.lensing.grids import centres
from oddlens.lensing.model import LensModel

WIDTHS_PIXELS = (0.0, 1.0)
"""Standard deviations of clumps before the point-spread function."""
BRIGHTEST_SIGMA = 10.0
"""Standard deviation of the half-normal prior of the central brightness, in units of the noise of a dark pixel."""
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

    def templates(self, expected: Tensor, noise: NoiseModel) -> Tensor:
        """The images of clumps as bright as the standard deviation of their prior, in units of the noise of images of
        the expected brightness [n, pixels^2], [n, clumps, pixels^2]."""
        dark = torch.as_tensor(noise.floor).amin().sqrt()
        weight = noise.variance(expected).rsqrt()
        return noise.whiten(BRIGHTEST_SIGMA * dark * self.clumps * weight[:, None])


def half_normal_log_odds(overlap: Tensor, power: Tensor, scatter: float) -> Tensor:
    """The log odds of one positive amplitude at any position against none, [n].

    Args:
        overlap: t . r of each position, [n, positions].
        power: t . P t, likewise.
        scatter: standard deviation of the half-normal prior of the amplitude.
    """
    v = 1 / (power + scatter**-2)
    scaled = v.sqrt() * overlap  # mean over standard deviation of the amplitude
    log_terms = 0.5 * v.log() + 0.5 * scaled.square() + torch.special.log_ndtr(scaled)
    return log_terms.logsumexp(dim=1) + math.log(2 / scatter / power.shape[1])


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
