"""Deep one-class description: images whose codes lie far from a centre, where those of normal images gather, are odd.

After Deep SVDD (Ruff et al. 2018): a network brings the codes z of all images near to a fixed point c, the mean code of
the network before training. One that sends everything to c would do it best, so it has no biases. Under the objective
max I(X; Z) - beta H(Z) of `blocks/information.py`, inspired by Ye et al. 2020 (arXiv:2012.04837), no such network can
win, as codes are to hold much of their images; with a reference density about c the loss is

    beta reference(z - c) - information I(X; Z)

and `information: 0`, beta: 1 is Deep SVDD alone.
"""

from typing import Any, Literal

import torch
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor

from oddlens.detectors.blocks.autoencoder import Components, residual
from oddlens.detectors.blocks.information import BANK, CLOSEST, Information
from oddlens.detectors.interface.base import Detector
from oddlens.training.images import Images
from oddlens.training.loop import Batch, Objective
from oddlens.training.schedules import cosine
from oddlens.training.symmetries import attitudes

LEAST = 0.1
"""Coordinates of the centre are at least so far from 0, which a network without biases reaches by having no weights."""


class SVDD(Detector):
    """An encoder between principal components and codes, and a centre.

    Args:
        latent: the length of the code.
        width, depth: of the dense network, as in `blocks.autoencoder.residual`.
        information: the weight of I(X; Z).
        critic, temperature, bound, reference, beta, augmentations: see `blocks.information`.
        label_weight: of what is known of odd images: their codes are to lie far from the centre (inverse square of
            their distance, Ruff et al. 2020) and apart from the normal ones.
        repulsion: see `blocks.information`.
        score: see `Information.score`.
        symmetric: score by the mean over an image in all eight attitudes.
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
        augmentations: list[Literal["turns", "flips", "shifts", "noise"]] = ["turns", "flips"],  # noqa: B006
        label_weight: NonNegativeFloat = 1.0,
        repulsion: Literal["inverse", "margin"] = "inverse",
        score: Literal["norm", "centre", "critic", "knn"] = "centre",
        symmetric: bool = True,
        stabilised: bool = True,
        optimiser: Literal["muon", "adam"] = "muon",
        learning_rate: PositiveFloat = 4e-3,
        weight_decay: NonNegativeFloat = 0.0,
    ):
        super().__init__(pixels)
        self.coordinates = Components(pixels)
        self.encoder = residual(self.coordinates.principal.count, latent, width, depth, bias=False)
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
        self.weight, self.by, self.symmetric, self.stabilised = information, score, symmetric, stabilised
        self.optimisation: Any = {
            "learning_rate": cosine(learning_rate),
            "optimiser": optimiser,
            "weight_decay": weight_decay,
        }

    def prepare(self, images: Images, generator: torch.Generator) -> None:
        """Learn the principal components, and fix the centre."""
        self.coordinates.learn(images.seen(self._see), generator, symmetric=self.symmetric)
        centre = self._codes(images).mean(dim=0)
        self.information.centre.copy_(torch.where(centre < 0, -1.0, 1.0) * centre.abs().clamp(min=LEAST))

    def objectives(self) -> list[Objective]:
        """Distance from the centre, and information."""
        networks = (self.encoder, self.information.critic)
        return [Objective("description", networks, self._loss, growing=not self.weight, **self.optimisation)]

    def _loss(self, batch: Batch) -> Tensor:
        seen = self._see(batch.images)
        codes = self._code(self.information.views(seen, batch.generator)[1]).float()
        loss = self.information.entropy(codes - self.information.centre)
        if self.weight:
            others = self._code(self.information.views(seen, batch.generator)[1]).float()
            loss = loss - self.weight * self.information.told(codes, others)
        if batch.odd is not None:
            odd = self._code(self._see(batch.odd)).float()
            far = (odd - self.information.centre).square().mean(dim=1)
            loss = loss + self.label_weight * ((1 / far.clamp(min=CLOSEST)).mean() + self.information.apart(codes, odd))
        return loss

    def conclude(self, images: Images, generator: torch.Generator) -> None:
        """Keep codes of training images."""
        self.information.keep(self._codes(images))

    def embed(self, images: Tensor) -> Tensor:
        """The codes."""
        return self._code(self._see(images)).float()

    def anomaly(self, images: Tensor) -> Tensor:
        """What `score` says."""
        return self.information.score(self.by, self._code, attitudes(self._see(images), self.symmetric))

    def _see(self, images: Tensor) -> Tensor:
        return self.see(images, self.stabilised)

    def _code(self, seen: Tensor) -> Tensor:
        return self.encoder(self.coordinates(seen))

    def _codes(self, images: Images) -> Tensor:
        return torch.cat([self._code(self._see(part)).float() for part in images.some(BANK).split(256)])
