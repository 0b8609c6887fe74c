"""What the camera makes of the light of the differentiable lens model: the point-spread function, and its width."""

import numpy as np
from torch import Tensor, nn

from oddlens.lensing import camera as cameras
from oddlens.lensing.psf_width import by_log_width
from oddlens.lensing.separable_psf import SeparablePsf
from oddlens.lensing.simulation import Camera

PSF_TOLERANCE, APPROXIMATE_PSF_TOLERANCE = 1e-4, 1e-2
"""Tolerance of the separable PSF, and where derivatives need not be exact."""


class Optics(nn.Module):
    """Observes pixels with a margin, flux / arcsec^2, as electrons / s / pixel.

    Attributes:
        kernel: the typical PSF of the camera, [k, k].
        electrons: electrons / s / pixel of 1 flux / arcsec^2.
    """

    def __init__(self, camera: Camera, free_psf_width: bool):
        super().__init__()
        self.pixels, self.free_psf_width = camera.pixels, free_psf_width
        self.kernel = cameras.psf_kernels(camera, cameras.typical_psf(camera))[0]
        zero_point = {"zero_point_mag": np.array([camera.zero_point_mag.quantile(np.array(0.5))])}
        self.electrons = float(cameras.electrons_per_flux(zero_point)[0]) * camera.pixel_scale_arcsec**2
        self.psf = SeparablePsf(self.kernel, self.pixels, PSF_TOLERANCE)
        self.approximate_psf = SeparablePsf(self.kernel, self.pixels, APPROXIMATE_PSF_TOLERANCE)
        if free_psf_width:
            self.psf_by_width = SeparablePsf(by_log_width(camera), self.pixels, PSF_TOLERANCE)

    def forward(self, brightness: Tensor, approximate: bool = False) -> Tensor:
        """Pixels with a margin [..., padded^2] as the camera observes them, [..., pixels^2].

        `approximate` halves the work; its error is below one per cent.
        """
        psf = self.approximate_psf if approximate else self.psf
        return self.electrons * psf(brightness)

    def by_psf_width(self, brightness: Tensor) -> Tensor:
        """The derivative [n, 1, pixels^2] of observed pixels with a margin [n, 1, padded^2] with respect to the
        logarithm of the width of the PSF; [n, 0, pixels^2] if that is fixed."""
        if not self.free_psf_width:
            return brightness.new_zeros(len(brightness), 0, self.pixels**2)
        return self.electrons * self.psf_by_width(brightness)
