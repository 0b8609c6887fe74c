"""The density of normal images, learned by a normalising flow: minus the log-likelihood of principal components.

A normalising flow is an invertible map between data and a normal distribution, trained by maximum likelihood. This one
is autoregressive: each component is mapped given those of larger variance (Papamakarios et al. 2017, arXiv:1705.07057,
and the splines of Durkan et al. 2019, arXiv:1906.04032, both as written in zuko). What the components miss of an image
is one more number, the logarithm of its mean squared residual.

Flows can give anomalies a higher likelihood than normal images (Nalisnick et al. 2019, arXiv:1810.09136; Kirichenko et
al. 2020, arXiv:2006.08545), hence two other scores: typicality (Nalisnick et al. 2019, arXiv:1906.02994), and the ratio
to a background model (Ren et al. 2019, arXiv:1906.02845), here a normal distribution with the covariance of the
training images.
"""

from typing import Any, Literal

import torch
import zuko
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor

from oddlens.detectors.blocks.components import PrincipalComponents
from oddlens.detectors.blocks.residuals import mean_per_image
from oddlens.detectors.interface.base import Detector
from oddlens.detectors.interface.image_module import SAMPLE_SIZE
from oddlens.training.images import TrainingImages
from oddlens.training.objectives import Batch, Objective
from oddlens.training.schedules import cosine
from oddlens.training.symmetries import orientations


class Flow(Detector):
    """A density of principal components of images in units of their noise.

    Args:
        components: their number.
        map: of a component, given those before it: `affine`, or a monotonic `spline` between -5 and 5 of its standard
            deviations.
        maps: one after the other, in alternating order.
        width, depth: of the network that computes the parameters of each map.
        score: minus the log-likelihood, in nats (`likelihood`); its distance from the median of training images
            (`typicality`); or it minus that of the background model (`ratio`).
        symmetric: average the log-likelihood over all eight orientations of an image.
    """

    scoring = ("score",)
    centre: Tensor
    outside: Tensor

    def __init__(
        self,
        pixels: int,
        *,
        components: PositiveInt = 100,
        map: Literal["affine", "spline"] = "affine",
        maps: PositiveInt = 1,
        width: PositiveInt = 512,
        depth: PositiveInt = 3,
        score: Literal["likelihood", "typicality", "ratio"] = "ratio",
        symmetric: bool = True,
        stabilised: bool = True,
        optimiser: Literal["muon", "adam"] = "adam",
        learning_rate: PositiveFloat = 2e-3,
        weight_decay: NonNegativeFloat = 0.0,
    ):
        super().__init__(pixels)
        self.principal = PrincipalComponents(pixels, components)
        kind = zuko.flows.NSF if map == "spline" else zuko.flows.MAF
        self.flow = kind(self.principal.count + 1, transforms=maps, hidden_features=[width] * depth)
        self.register_buffer("outside", torch.tensor([0.0, 1.0]))
        self.register_buffer("centre", torch.zeros(()))
        self.score_name, self.symmetric, self.stabilised = score, symmetric, stabilised
        self.optimisation: Any = {
            "learning_rate": cosine(learning_rate),
            "optimiser": optimiser,
            "weight_decay": weight_decay,
        }

    def training_images(self, images: TrainingImages) -> TrainingImages:
        """Normalised images."""
        return images.through(self._normalise)

    def prepare(self, images: TrainingImages, generator: torch.Generator) -> None:
        """Compute the principal components, and mean and scatter of the logarithm of what they miss."""
        self.principal.learn(images, generator, symmetric=self.symmetric)
        sample = images.evenly_spaced(SAMPLE_SIZE)
        missed = self._log_misfit(sample, self.principal(sample))
        self.outside.copy_(torch.stack([missed.mean(), missed.std().clamp(min=1e-6)]))

    def objectives(self) -> list[Objective]:
        """Minus the log-likelihood of an image."""
        return [Objective("density", (self.flow,), self._loss, **self.optimisation)]

    def _loss(self, batch: Batch) -> Tensor:
        coordinates = self._coordinates(batch.images)
        return self._negative_log_likelihood(coordinates) / coordinates.shape[1]

    def conclude(self, images: TrainingImages, generator: torch.Generator) -> None:
        """Compute the median over training images that `typicality` needs."""
        parts = images.evenly_spaced(SAMPLE_SIZE).split(256)
        self.centre.copy_(torch.cat([self._mean_over_orientations(part)[0] for part in parts]).median())

    def anomaly_score(self, images: Tensor) -> Tensor:
        """The setting `score`."""
        likelihood, background = self._mean_over_orientations(images)
        if self.score_name == "typicality":
            return (likelihood - self.centre).abs()
        return likelihood - background if self.score_name == "ratio" else likelihood

    def _normalise(self, images: Tensor) -> Tensor:
        return self.stabilise(images, self.stabilised)

    def _mean_over_orientations(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Minus the log-likelihoods [n] of images under the flow and, up to a constant, the background."""
        every = [self._coordinates(image) for image in orientations(self._normalise(images), self.symmetric)]
        likelihood = torch.stack([self._negative_log_likelihood(coordinates) for coordinates in every]).mean(dim=0)
        return likelihood, torch.stack([0.5 * coordinates.square().sum(dim=1) for coordinates in every]).mean(dim=0)

    def _coordinates(self, normalised: Tensor) -> Tensor:
        """Components in units of their scatter, and the standardised logarithm of what they miss, [n, count + 1]."""
        components = self.principal(normalised)
        mean, scatter = self.outside
        missed = (self._log_misfit(normalised, components) - mean) / scatter
        return torch.cat([components / self.principal.scatter, missed[:, None]], dim=1)

    def _log_misfit(self, normalised: Tensor, components: Tensor) -> Tensor:
        misfit = mean_per_image((normalised - self.principal.inverse(components)).square())
        return misfit.clamp(min=1e-12).log()

    def _negative_log_likelihood(self, coordinates: Tensor) -> Tensor:
        """Minus the log-likelihood [n] under the flow."""
        with torch.autocast(coordinates.device.type, enabled=False):
            return -self.flow().log_prob(coordinates.float())
