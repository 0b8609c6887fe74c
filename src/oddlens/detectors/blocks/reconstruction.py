"""Detectors that draw each image anew from a short code: what they cannot draw is odd."""

from typing import final

import torch
from torch import Tensor

from oddlens.detectors.base import Detector
from oddlens.detectors.blocks import mean_per_image
from oddlens.detectors.blocks.autoencoder import Autoencoder, symmetric_mean
from oddlens.detectors.blocks.residuals import squared_deviations
from oddlens.images import Images


class ReconstructionDetector(Detector):
    """What the autoencoders share: their loss and their score are the misfit of an image drawn anew.

    Args:
        autoencoder: the networks.
        weighting: `noise` divides by the noise variance of each pixel, `uniform` by that of the mean pixel, which is
            the plain squared error in another unit.
        score: `matched` smooths the misfit with the point-spread function (see `squared_deviations`), `error` does not.
        symmetric: score by the mean of what is drawn of an image in all eight attitudes.
    """

    def __init__(self, pixels: int, autoencoder: Autoencoder, *, weighting: str, score: str, symmetric: bool):
        super().__init__(pixels)
        self.autoencoder = autoencoder
        self.weighting, self.matched, self.symmetric = weighting, score == "matched", symmetric

    def code(self, images: Tensor) -> Tensor:
        """The code of each image [n, latent]."""
        return self.autoencoder.encode(images)

    def prepare(self, images: Images, generator: torch.Generator) -> None:
        """Learn the linear map of the autoencoder."""
        self.autoencoder.learn(images, generator, symmetric=self.symmetric)

    @final
    def misfit(self, images: Tensor, drawn: Tensor, blur: float = 0.0) -> Tensor:
        """Squared deviations of images from what was drawn, [n, 1, pixels, pixels]."""
        expected = drawn.detach() if self.weighting == "noise" else self.level
        return squared_deviations(images, drawn, self.variance(expected), blur)

    @final
    def reconstruct(self, images: Tensor) -> Tensor:
        """The images drawn anew."""
        if self.symmetric:
            return symmetric_mean(self._draw, images)
        return self._draw(images)

    def _draw(self, images: Tensor) -> Tensor:
        return self.autoencoder.decode(self.code(images))

    @final
    def oddness(self, images: Tensor) -> Tensor:
        """The misfit of each pixel."""
        return self.misfit(images, self.reconstruct(images), self.blur.item() if self.matched else 0.0)

    @final
    def anomaly(self, images: Tensor) -> Tensor:
        """The mean misfit of each image."""
        return mean_per_image(self.oddness(images))
