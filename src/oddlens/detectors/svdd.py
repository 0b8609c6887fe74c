"""Deep one-class description: the distance of a code from the centre of the codes of normal images.

After Deep SVDD (Ruff et al. 2018): a network brings the codes z of all images near to a fixed point c, the mean code of
the network before training. A constant network would be the best solution, so the network has no biases. The objective
max I(X; Z) - beta H(Z) of `blocks/information.py`, inspired by Ye et al. 2020 (arXiv:2012.04837), excludes this
solution, as codes have to contain information about their images. With a reference density about c the loss is

    beta reference(z - c) - information I(X; Z)

and `information: 0`, `beta: 1` is Deep SVDD alone.
"""

from typing import Any, Literal

import torch
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor

from oddlens.detectors.blocks.coordinates import ComponentCoordinates
from oddlens.detectors.blocks.information import MIN_DISTANCE, N_STORED_CODES, Information
from oddlens.detectors.blocks.networks import residual_network
from oddlens.detectors.interface.base import Detector
from oddlens.detectors.interface.capabilities import Embeds
from oddlens.training.images import TrainingImages
from oddlens.training.objectives import Batch, Objective
from oddlens.training.schedules import linear
from oddlens.training.symmetries import orientations

MIN_CENTRE = 0.1
"""Coordinates of the centre are at least so far from 0, which a network without biases reaches with zero weights."""


class SVDD(Detector, Embeds):
    """An encoder between principal components and codes, and a centre.

    Args:
        latent: the length of the code.
        width, depth: of the dense network, as in `blocks.networks.residual_network`.
        information: the weight of I(X; Z).
        critic, temperature, bound, reference, beta, augmentations, repulsion: see `blocks.information`.
        label_weight: the weight of the loss of known anomalies: their codes have to be far from the centre (inverse
            square of their distance, Ruff et al. 2020) and from normal codes.
        score: see `Information.score`.
        symmetric: average the score over all eight orientations of an image.
    """

    semi_supervised = True
    scoring = ("score",)

    def __init__(
        self,
        pixels: int,
        *,
        latent: PositiveInt = 32,
        width: PositiveInt = 128,
        depth: PositiveInt = 4,
        information: NonNegativeFloat = 1.0,
        critic: Literal["cosine", "bilinear", "separable", "concat"] = "cosine",
        temperature: PositiveFloat = 0.1,
        bound: Literal["infonce", "nwj", "jsd"] = "infonce",
        reference: Literal["normal", "laplace"] = "normal",
        beta: NonNegativeFloat = 0.5,
        augmentations: list[Literal["turns", "flips", "rotations", "shifts", "noise"]] = ["turns", "flips"],  # noqa: B006
        label_weight: NonNegativeFloat = 1.0,
        repulsion: Literal["inverse", "margin"] = "inverse",
        score: Literal["norm", "centre", "critic", "knn", "mahalanobis"] = "centre",
        symmetric: bool = True,
        stabilised: bool = True,
        optimiser: Literal["muon", "adam"] = "muon",
        learning_rate: PositiveFloat = 4e-3,
        weight_decay: NonNegativeFloat = 0.0,
    ):
        super().__init__(pixels)
        self.coordinates = ComponentCoordinates(pixels)
        self.encoder = residual_network(self.coordinates.count, latent, width, depth, bias=False)
        self.information = Information(
            pixels,
            latent,
            critic=critic,
            temperature=temperature,
            bound=bound,
            reference=reference,
            beta=beta,
            augmentations=augmentations,
            repulsion=repulsion,
        )
        self.label_weight = label_weight
        self.weight, self.score_name, self.symmetric, self.stabilised = information, score, symmetric, stabilised
        self.optimisation: Any = {
            "learning_rate": linear(learning_rate),
            "optimiser": optimiser,
            "weight_decay": weight_decay,
        }

    def training_images(self, images: TrainingImages) -> TrainingImages:
        """Normalised images."""
        return images.through(self._normalise)

    def prepare(self, images: TrainingImages, generator: torch.Generator) -> None:
        """Compute the principal components, and fix the centre."""
        self.coordinates.learn(images, generator, symmetric=self.symmetric)
        centre = self._codes(images.evenly_spaced(N_STORED_CODES)).mean(dim=0)
        self.information.centre.copy_(torch.where(centre < 0, -1.0, 1.0) * centre.abs().clamp(min=MIN_CENTRE))

    def objectives(self) -> list[Objective]:
        """Distance from the centre and information in one loss."""
        networks = (self.encoder, self.information.critic)
        return [Objective("description", networks, self._loss, growing=not self.weight, **self.optimisation)]

    def _loss(self, batch: Batch) -> Tensor:
        codes = self._view_codes(batch.images, batch.generator)
        loss = self.information.entropy(codes - self.information.centre)
        if self.weight:
            others = self._view_codes(batch.images, batch.generator)
            loss = loss - self.weight * self.information.mutual_information(codes, others)
        if batch.known_anomalies is not None:
            anomalous = self._code(batch.known_anomalies).float()
            distance = (anomalous - self.information.centre).square().mean(dim=1)
            near_centre = (1 / distance.clamp(min=MIN_DISTANCE)).mean()
            loss = loss + self.label_weight * (near_centre + self.information.repulsion_from(anomalous, codes))
        return loss

    def conclude(self, images: TrainingImages, generator: torch.Generator) -> None:
        """Store codes of training images."""
        self.information.store(self._codes(self._normalise(images.evenly_spaced(N_STORED_CODES))))

    def embed(self, images: Tensor) -> Tensor:
        """The codes."""
        return self._code(self._normalise(images)).float()

    def anomaly_score(self, images: Tensor) -> Tensor:
        """The setting `score`."""
        oriented = orientations(self._normalise(images), self.symmetric)
        return self.information.score(self.score_name, self._code, oriented)

    def _normalise(self, images: Tensor) -> Tensor:
        return self.stabilise(images, self.stabilised)

    def _code(self, normalised: Tensor) -> Tensor:
        return self.encoder(self.coordinates(normalised))

    def _view_codes(self, normalised: Tensor, generator: torch.Generator) -> Tensor:
        """The codes of a random view of images."""
        return self._code(self.information.views(normalised, generator)[1]).float()

    def _codes(self, normalised: Tensor) -> Tensor:
        """The codes of many images."""
        return torch.cat([self._code(part).float() for part in normalised.split(256)])
