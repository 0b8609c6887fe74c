"""Detectors that reconstruct an image from a short code and score it by the reconstruction error."""

from abc import abstractmethod
from typing import Any, Literal, final

import torch
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor

from oddlens.detectors.blocks.autoencoder import Autoencoder
from oddlens.detectors.blocks.expectation import SCORES, expectation_for
from oddlens.detectors.blocks.residuals import mean_per_image, squared
from oddlens.detectors.interface.base import Detector
from oddlens.detectors.interface.capabilities import Embeds, MapsAnomalies, Reconstructs
from oddlens.training.images import TrainingImages
from oddlens.training.objectives import Batch, Objective
from oddlens.training.schedules import SCHEDULES
from oddlens.training.symmetries import aligned_mean, orientations

EXPECTATION_SHARE = 0.5
"""The epochs of the expectation in units of those of the autoencoder."""


class ReconstructionDetector(Detector, Reconstructs, MapsAnomalies, Embeds):
    """The common part of the autoencoders: their score, and most of their loss, is the misfit of a reconstruction.

    In this class a `normalised` image is one in units of its noise; see `stabilised`.

    Args:
        outputs_per_number: the outputs of the encoder for each number of the code.
        network, width, depth: see `Autoencoder.of`.
        latent: the length of the code.
        stabilised: normalise each pixel by its own noise. If false, all pixels are normalised by the noise of the mean
            pixel, and the misfit is the plain squared error in another unit.
        expectation: also learn the expected misfit of lenses of each code (`blocks.expectation`).
        score: `relative` to the expected misfit; the `expected` misfit alone, a control; or the misfit itself:
            `matched` smooths residuals with the point-spread function (see `squared`), as `relative` does, and `error`
            does not.
        symmetric: average the reconstructions of an image in all eight orientations.
        optimiser, learning_rate, schedule, weight_decay: of the autoencoder.
    """

    scoring = ("score",)

    def __init__(
        self,
        pixels: int,
        outputs_per_number: int = 1,
        *,
        network: Literal["components", "convolutional", "published"] = "components",
        latent: PositiveInt = 12,
        width: PositiveInt = 128,
        depth: PositiveInt = 4,
        stabilised: bool = True,
        expectation: bool = True,
        score: Literal["relative", "expected", "matched", "error"] = "relative",
        symmetric: bool = True,
        optimiser: Literal["muon", "adam"] = "muon",
        learning_rate: PositiveFloat = 4e-3,
        schedule: Literal["linear", "cosine", "one_cycle", "constant"] = "linear",
        weight_decay: NonNegativeFloat = 0.0,
    ):
        super().__init__(pixels)
        self.latent, self.width, self.depth = latent, width, depth
        outputs = outputs_per_number * latent
        self.autoencoder = Autoencoder.of(network, pixels, latent, outputs=outputs, width=width, depth=depth)
        self.expectation = expectation_for(score, wanted=expectation, codes=latent, width=width, depth=depth)
        self.stabilised, self.score_name, self.symmetric = stabilised, score, symmetric
        self.schedule = SCHEDULES[schedule]
        self.optimisation: Any = {
            "learning_rate": self.schedule(learning_rate),
            "optimiser": optimiser,
            "weight_decay": weight_decay,
        }

    # --- what an autoencoder writes -----------------------------------------------------------------------------------

    @abstractmethod
    def reconstruction_objectives(self) -> list[Objective]:
        """The objectives that train the reconstruction."""

    def code_of(self, inputs: Tensor) -> Tensor:
        """The codes [n, latent] of images with these coordinates."""
        return self.autoencoder.encoder(inputs)

    # --- training -----------------------------------------------------------------------------------------------------

    @final
    def training_images(self, images: TrainingImages) -> TrainingImages:
        """Normalised images."""
        return images.through(self.normalise)

    def prepare(self, images: TrainingImages, generator: torch.Generator) -> None:
        """Learn the linear map of the autoencoder."""
        self.autoencoder.learn(images, generator, symmetric=self.symmetric)

    @final
    def objectives(self) -> list[Objective]:
        """Those of the reconstruction and, in a later stage, that of the expectation."""
        objectives = self.reconstruction_objectives()
        if not self.expectation:
            return objectives
        stage = 1 + max(objective.stage for objective in objectives)
        expectation = self.expectation.objective(
            self._codes_and_misfits, stage, share=EXPECTATION_SHARE, **self.optimisation
        )
        return [*objectives, expectation]

    def _codes_and_misfits(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Codes of images, and the misfits of their reconstructions in one orientation."""
        codes = self.code(batch.images)
        return codes.float(), mean_per_image(squared(batch.images - self.autoencoder.decode(codes), self.blur.item()))

    @final
    def reconstruction_loss(self, batch: Batch) -> Tensor:
        """The mean squared error of each image, [n]."""
        inputs = self.autoencoder.coordinates(batch.images)
        return self.autoencoder.misfit(batch.images, inputs, self.code_of(inputs)) / self.autoencoder.loss_unit

    # --- scores, maps, codes ------------------------------------------------------------------------------------------

    @final
    def code(self, normalised: Tensor) -> Tensor:
        """The code of each normalised image, [n, latent]."""
        return self.code_of(self.autoencoder.coordinates(normalised))

    def anomaly_score(self, images: Tensor) -> Tensor:
        """The mean misfit of each image, or its distance from the expected misfit."""
        normalised = self.normalise(images)
        codes = [self.code(oriented) for oriented in orientations(normalised, self.symmetric)]
        reconstruction = aligned_mean(map(self.autoencoder.decode, codes))
        misfits = mean_per_image(self._misfit(normalised, reconstruction))
        if not self.expectation or self.score_name not in SCORES:
            return misfits
        return self.expectation.score(self.score_name, misfits, [code.float() for code in codes])

    @final
    def reconstruct(self, images: Tensor) -> Tensor:
        """The mean reconstruction over the orientations."""
        return self.unstabilise(self._reconstruct(self.normalise(images)), self.stabilised)

    @final
    def anomaly_map(self, images: Tensor) -> Tensor:
        """The misfit of each pixel."""
        normalised = self.normalise(images)
        return self._misfit(normalised, self._reconstruct(normalised))

    @final
    def embed(self, images: Tensor) -> Tensor:
        """The codes."""
        return self.code(self.normalise(images)).float()

    @final
    def decode_samples(self, codes: Tensor, noise: torch.Generator | None) -> Tensor:
        """Scaled images decoded from codes [n, latent]; with the noise of the camera, if there is a generator for
        it."""
        images = self.autoencoder.decode(codes)
        if noise is not None:
            images = images + torch.randn(images.shape, generator=noise, device=images.device)
        return self.unstabilise(images, self.stabilised)

    @final
    def normalise(self, images: Tensor) -> Tensor:
        """Scaled images to images in units of their noise."""
        return self.stabilise(images, self.stabilised)

    def _misfit(self, normalised: Tensor, reconstruction: Tensor) -> Tensor:
        return squared(normalised - reconstruction, 0.0 if self.score_name == "error" else self.blur.item())

    def _reconstruct_once(self, normalised: Tensor) -> Tensor:
        """The reconstruction in one orientation."""
        return self.autoencoder.decode(self.code(normalised))

    def _reconstruct(self, normalised: Tensor) -> Tensor:
        return aligned_mean(map(self._reconstruct_once, orientations(normalised, self.symmetric)))
