"""Information-theoretic autoencoder: what codes that hold much of normal images, and little else, cannot hold is odd.

The objective max I(X; Z) - beta H(Z) of `blocks/information.py` on the codes of an autoencoder, inspired by Ye et al.
2020 (arXiv:2012.04837). The loss of an image x, of which x' and x'' are two views, is

    misfit(x') / 2 + information (beta * reference(Z') - I(Z', Z''))

with the misfit summed over pixels in units of the noise, so that all terms are in nats; all are divided by the number
of pixels. Where views have noise added (`noise` among the augmentations), the decoder draws the image without it. If
some images are known to be odd, their codes are to lie apart from the normal ones (`blocks/information.py`; `told:
codes`), or their misfit L per pixel is to be large, which adds 1 / L (`images`), or `both`.
"""

from typing import Any, Literal

import torch
from pydantic import NonNegativeFloat, PositiveFloat
from torch import Tensor

from oddlens.detectors.blocks.information import BANK, Information, Score
from oddlens.detectors.blocks.reconstruction import ReconstructionDetector
from oddlens.detectors.blocks.residuals import mean_per_image
from oddlens.training.images import Images
from oddlens.training.loop import Batch, Objective
from oddlens.training.symmetries import attitudes

OF_CODES: dict[str, Score] = {"norm": "norm", "centre": "centre", "critic": "critic", "knn": "knn"}
"""Scores of codes."""
LEAST = 1e-2
"""The least misfit that is inverted, per pixel and in units of the noise."""


class InfoNCE(ReconstructionDetector):
    """Encoder, code, decoder, and a critic of pairs of codes.

    Args:
        information: the weight of the information terms; 0 leaves an autoencoder of augmented images.
        critic, temperature, bound, reference, beta, augmentations: see `blocks.information`.
        label_weight: of what is known of odd images.
        told: whether their `codes` are to lie apart, their `images` are to be drawn badly, or `both`.
        repulsion: see `blocks.information`.
        score: of images, as all autoencoders have it, or one of `Information.score`.
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
        augmentations: list[Literal["turns", "flips", "shifts", "noise"]] = ["noise"],  # noqa: B006  read, not run
        label_weight: NonNegativeFloat = 1.0,
        told: Literal["codes", "images", "both"] = "codes",
        repulsion: Literal["inverse", "margin"] = "inverse",
        score: Literal["relative", "expected", "matched", "error", "norm", "centre", "critic", "knn"] = "relative",
        **common: Any,
    ):
        of_images: Any = {} if score in OF_CODES else {"score": score}
        super().__init__(pixels, **common, **of_images)
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
        self.label_weight, self.told = label_weight, told
        self.weight, self.of_codes = information, OF_CODES.get(score)

    def drawing(self) -> list[Objective]:
        """Misfit and information together."""
        networks = (self.autoencoder, self.information.critic)
        return [Objective("information", networks, self._loss, growing=not self.weight, **self.optimisation)]

    def _loss(self, batch: Batch) -> Tensor:
        seen = self.seen(batch.images)
        (clean, one), (_, other) = (self.information.views(seen, batch.generator) for _ in range(2))
        codes, others = self.code(one), self.code(other)
        loss = 0.5 * mean_per_image((clean - self.autoencoder.decode(codes)).square())
        if self.weight:
            codes, others = codes.float(), others.float()
            terms = self.information.entropy(codes) - self.information.told(codes, others)
            loss = loss + self.weight * terms / self.pixels**2
        if batch.odd is not None:
            loss = loss + self.label_weight * self._known(codes.float(), self.seen(batch.odd))
        return loss / self.autoencoder.loss_unit

    def _known(self, codes: Tensor, odd: Tensor) -> Tensor:
        """What images with these codes lose for what is known of some odd ones."""
        odd_codes = self.code(odd)
        lost = codes.new_zeros(())
        if self.told != "images":
            lost = lost + self.information.apart(codes, odd_codes.float()) / self.pixels**2
        if self.told != "codes":
            misfit = mean_per_image((odd - self.autoencoder.decode(odd_codes)).square())
            lost = lost + (1 / misfit.clamp(min=LEAST)).mean()
        return lost

    def conclude(self, images: Images, generator: torch.Generator) -> None:
        """Keep codes of training images, and their mean."""
        codes = torch.cat([self.code(self.seen(x)).float() for x in images.some(BANK).split(256)])
        self.information.keep(codes)
        self.information.centre.copy_(codes.mean(dim=0))

    def anomaly(self, images: Tensor) -> Tensor:
        """What `score` says."""
        if not self.of_codes:
            return super().anomaly(images)
        seen = self.seen(images)
        return self.information.score(self.of_codes, self.code, attitudes(seen, self.symmetric))
