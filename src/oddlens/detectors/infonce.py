"""Information-theoretic autoencoder: reconstruction error from codes with much information about normal images.

The objective max I(X; Z) - beta H(Z) of `blocks/information.py` on the codes of an autoencoder, inspired by Ye et al.
2020 (arXiv:2012.04837). The loss of an image x with two views x' and x'' is

    misfit(x') / 2 + information (beta * reference(Z') - I(Z', Z''))

with the misfit summed over pixels in units of the noise, so that all terms are in nats; all are divided by the number
of pixels. If views have added noise (`noise` among the augmentations), the decoder reconstructs the image without it.
If some anomalies are known, `label_loss` says how they are used: their codes have to be far from normal codes (`codes`;
see `blocks/information.py`), their misfit L per pixel has to be large, which adds 1 / L (`images`), or `both`.
"""

from typing import Any, Literal, get_args

import torch
from pydantic import NonNegativeFloat, PositiveFloat
from torch import Tensor

from oddlens.detectors.blocks.information import N_STORED_CODES, CodeScore, Information
from oddlens.detectors.blocks.reconstruction import ReconstructionDetector
from oddlens.training.images import TrainingImages
from oddlens.training.objectives import Batch, Objective
from oddlens.training.symmetries import orientations

CODE_SCORES: dict[str, CodeScore] = {name: name for name in get_args(CodeScore)}
MIN_MISFIT = 1e-2
"""Smaller misfits per pixel, in units of the noise, are raised to this before they are inverted."""


class InfoNCE(ReconstructionDetector):
    """Encoder, code, decoder, and a critic of pairs of codes.

    Args:
        information: the weight of the information terms; 0 leaves an autoencoder of augmented images.
        critic, temperature, bound, reference, beta, augmentations, repulsion: see `blocks.information`.
        label_weight: the weight of the loss of known anomalies.
        label_loss: acts on their `codes`, on their `images`, or on `both`.
        score: that of all autoencoders, or one of codes (`Information.score`).
    """

    semi_supervised = True

    def __init__(
        self,
        pixels: int,
        *,
        information: NonNegativeFloat = 1.0,
        critic: Literal["cosine", "bilinear", "separable", "concat"] = "bilinear",
        temperature: PositiveFloat = 1.0,
        bound: Literal["infonce", "nwj", "jsd"] = "infonce",
        reference: Literal["normal", "laplace"] = "normal",
        beta: NonNegativeFloat = 0.5,
        augmentations: list[Literal["turns", "flips", "rotations", "shifts", "noise"]] = ["noise"],  # noqa: B006
        label_weight: NonNegativeFloat = 1.0,
        label_loss: Literal["codes", "images", "both"] = "codes",
        repulsion: Literal["inverse", "margin"] = "inverse",
        score: Literal[
            "relative", "expected", "matched", "error", "norm", "centre", "critic", "knn", "mahalanobis"
        ] = "relative",
        **common: Any,
    ):
        image_score: Any = {} if score in CODE_SCORES else {"score": score}
        super().__init__(pixels, **common, **image_score)
        self.information = Information(
            pixels,
            self.latent,
            critic=critic,
            temperature=temperature,
            bound=bound,
            reference=reference,
            beta=beta,
            augmentations=augmentations,
            repulsion=repulsion,
        )
        self.label_weight, self.label_loss = label_weight, label_loss
        self.weight, self.code_score = information, CODE_SCORES.get(score)

    def reconstruction_objectives(self) -> list[Objective]:
        """Misfit and information in one loss."""
        networks = (self.autoencoder, self.information.critic)
        return [Objective("information", networks, self._loss, growing=not self.weight, **self.optimisation)]

    def _loss(self, batch: Batch) -> Tensor:
        (clean, first), (_, second) = (self.information.views(batch.images, batch.generator) for _ in range(2))
        codes, others = self.code(first), self.code(second)
        loss = 0.5 * self.autoencoder.misfit(clean, self.autoencoder.coordinates(clean), codes)
        if self.weight:
            codes, others = codes.float(), others.float()
            terms = self.information.entropy(codes) - self.information.mutual_information(codes, others)
            loss = loss + self.weight * terms / self.pixels**2
        if batch.known_anomalies is not None:
            loss = loss + self.label_weight * self._label_loss(codes.float(), batch.known_anomalies)
        return loss / self.autoencoder.loss_unit

    def _label_loss(self, codes: Tensor, anomalies: Tensor) -> Tensor:
        """The loss of normal images with these codes due to known anomalies."""
        anomalous_codes = self.code(anomalies)
        loss = codes.new_zeros(())
        if self.label_loss != "images":
            loss = loss + self.information.repulsion_from(anomalous_codes.float(), codes) / self.pixels**2
        if self.label_loss != "codes":
            misfit = self.autoencoder.misfit(anomalies, self.autoencoder.coordinates(anomalies), anomalous_codes)
            loss = loss + (1 / misfit.clamp(min=MIN_MISFIT)).mean()
        return loss

    def conclude(self, images: TrainingImages, generator: torch.Generator) -> None:
        """Store codes of training images, and their mean."""
        parts = images.evenly_spaced(N_STORED_CODES).split(256)
        codes = torch.cat([self.code(self.normalise(part)).float() for part in parts])
        self.information.store(codes)
        self.information.centre.copy_(codes.mean(dim=0))

    def anomaly_score(self, images: Tensor) -> Tensor:
        """The setting `score`."""
        if not self.code_score:
            return super().anomaly_score(images)
        oriented = orientations(self.normalise(images), self.symmetric)
        return self.information.score(self.code_score, self.code, oriented)
