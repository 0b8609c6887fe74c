"""Detectors that draw each image anew from a short code: what they cannot draw is odd."""

from typing import Any, Literal, final

import torch
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor

from oddlens.detectors.base import Detector
from oddlens.detectors.blocks import cosine, mean_per_image, one_cycle
from oddlens.detectors.blocks.autoencoder import Autoencoder, symmetric_mean
from oddlens.detectors.blocks.residuals import squared_deviations
from oddlens.images import Images
from oddlens.training import Batch


class ReconstructionDetector(Detector):
    """What the autoencoders share: their loss and their score are the misfit of an image drawn anew.

    Args:
        says: how many numbers the encoder says for each number of the code.
        network, width, depth: see `Autoencoder`.
        latent: the length of the code.
        weighting: `noise` divides by the noise variance of each pixel, `uniform` by that of the mean pixel, which is
            the plain squared error in another unit.
        score: `matched` smooths the misfit with the point-spread function (see `squared_deviations`), `error` does not.
        symmetric: score by the mean of what is drawn of an image in all eight attitudes.
        optimiser, learning_rate, schedule, weight_decay: of the autoencoder.
    """

    def __init__(
        self,
        pixels: int,
        says: int = 1,
        *,
        network: Literal["components", "convolutional", "published"] = "components",
        latent: PositiveInt = 12,
        width: PositiveInt = 256,
        depth: PositiveInt = 3,
        weighting: Literal["noise", "uniform"] = "noise",
        score: Literal["matched", "error"] = "matched",
        symmetric: bool = True,
        optimiser: Literal["muon", "adam"] = "muon",
        learning_rate: PositiveFloat = 4e-3,
        schedule: Literal["cosine", "one_cycle"] = "cosine",
        weight_decay: NonNegativeFloat = 0.0,
    ):
        super().__init__(pixels)
        self.latent = latent
        self.autoencoder = Autoencoder(network, pixels, latent, outputs=says * latent, width=width, depth=depth)
        self.weighting, self.matched, self.symmetric = weighting, score == "matched", symmetric
        self.rate = cosine if schedule == "cosine" else one_cycle
        self.optimisation: Any = {
            "learning_rate": self.rate(learning_rate),
            "optimiser": optimiser,
            "weight_decay": weight_decay,
        }

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
    def reconstruction(self, batch: Batch) -> Tensor:
        """The loss [n] that all have: the mean misfit of each image."""
        return mean_per_image(self.misfit(batch.images, self.draw(batch.images)))

    @final
    def reconstruct(self, images: Tensor) -> Tensor:
        """The images drawn anew."""
        if self.symmetric:
            return symmetric_mean(self.draw, images)
        return self.draw(images)

    def draw(self, images: Tensor) -> Tensor:
        """The images drawn anew, once."""
        return self.autoencoder.decode(self.code(images))

    @final
    def oddness(self, images: Tensor) -> Tensor:
        """The misfit of each pixel."""
        return self.misfit(images, self.reconstruct(images), self.blur.item() if self.matched else 0.0)

    @final
    def anomaly(self, images: Tensor) -> Tensor:
        """The mean misfit of each image."""
        return mean_per_image(self.oddness(images))
