"""Detectors that draw each image anew from a short code: what they cannot draw is odd."""

from typing import Any, Literal, final

import torch
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor

from oddlens.detectors.blocks.autoencoder import Autoencoder
from oddlens.detectors.blocks.expectation import SCORES, expectation_for
from oddlens.detectors.blocks.residuals import mean_per_image, squared
from oddlens.detectors.interface.base import Detector
from oddlens.training.images import Images
from oddlens.training.loop import Batch, Objective
from oddlens.training.schedules import SCHEDULES
from oddlens.training.symmetries import attitudes, mean_upright

SHARE = 0.5
"""Epochs of the expectation in units of those of the autoencoder."""


class ReconstructionDetector(Detector):
    """What the autoencoders share: their score, and most of their loss, is the misfit of an image drawn anew.

    Args:
        says: how many numbers the encoder says for each number of the code.
        network, width, depth: see `Autoencoder.of`.
        latent: the length of the code.
        stabilised: see images in units of the noise of each pixel; if not, in those of the mean pixel's, and the misfit
            is the plain squared error in another unit.
        expectation: learn how large a misfit lenses of each code have, too (`blocks.expectation`).
        score: `relative` to that; what is `expected` alone, a control; or the misfit itself: `matched` smooths what is
            left over with the point-spread function (see `squared`), as `relative` does, and `error` does not.
        symmetric: score by the mean of what is drawn of an image in all eight attitudes.
        optimiser, learning_rate, schedule, weight_decay: of the autoencoder.
    """

    scoring = ("score",)

    def __init__(
        self,
        pixels: int,
        says: int = 1,
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
        schedule: Literal["cosine", "one_cycle", "constant"] = "cosine",
        weight_decay: NonNegativeFloat = 0.0,
    ):
        super().__init__(pixels)
        self.latent, self.width, self.depth = latent, width, depth
        self.autoencoder = Autoencoder.of(network, pixels, latent, outputs=says * latent, width=width, depth=depth)
        self.expectation = expectation_for(score, wanted=expectation, codes=latent, width=width, depth=depth)
        self.stabilised, self.by, self.symmetric = stabilised, score, symmetric
        self.rate = SCHEDULES[schedule]
        self.optimisation: Any = {
            "learning_rate": self.rate(learning_rate),
            "optimiser": optimiser,
            "weight_decay": weight_decay,
        }

    def code(self, seen: Tensor) -> Tensor:
        """The code of each image [n, latent]."""
        return self.autoencoder.encode(seen)

    def draw(self, seen: Tensor) -> Tensor:
        """Images drawn anew, once; in units of noise, both."""
        return self.autoencoder.decode(self.code(seen))

    def prepare(self, images: Images, generator: torch.Generator) -> None:
        """Learn the linear map of the autoencoder."""
        self.autoencoder.learn(images.seen(self.seen), generator, symmetric=self.symmetric)

    @final
    def objectives(self) -> list[Objective]:
        """What `drawing` says, and the expectation."""
        if not self.expectation:
            return self.drawing()
        drawing = self.drawing()
        stage = 1 + max(objective.stage for objective in drawing)
        return [*drawing, self.expectation.objective(self._look, stage, share=SHARE, **self.optimisation)]

    def drawing(self) -> list[Objective]:
        """What is trained to draw images anew."""
        raise NotImplementedError

    def _look(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Codes of images, and their misfits if drawn once."""
        seen = self.seen(batch.images)
        codes = self.code(seen)
        return codes.float(), mean_per_image(squared(seen - self.autoencoder.decode(codes), self.blur.item()))

    @final
    def reconstruction(self, batch: Batch) -> Tensor:
        """The loss [n] of those that have no bound of their own: the mean misfit of each image."""
        seen = self.seen(batch.images)
        return mean_per_image((seen - self.draw(seen)).square()) / self.autoencoder.loss_unit

    @final
    def reconstruct(self, images: Tensor) -> Tensor:
        """The images drawn anew."""
        return self.show(self._drawn(self.seen(images)), self.stabilised)

    @final
    def oddness(self, images: Tensor) -> Tensor:
        """The misfit of each pixel."""
        seen = self.seen(images)
        return self._misfit(seen, self._drawn(seen))

    def _misfit(self, seen: Tensor, drawn: Tensor) -> Tensor:
        return squared(seen - drawn, 0.0 if self.by == "error" else self.blur.item())

    def anomaly(self, images: Tensor) -> Tensor:
        """The mean misfit of each image, or how far it lies above what is expected."""
        seen = self.seen(images)
        codes = [self.code(attitude) for attitude in attitudes(seen, self.symmetric)]
        misfit = mean_per_image(self._misfit(seen, mean_upright(map(self.autoencoder.decode, codes))))
        if not self.expectation or self.by not in SCORES:
            return misfit
        return self.expectation.score(self.by, misfit, [code.float() for code in codes])

    @final
    def embed(self, images: Tensor) -> Tensor:
        """The codes."""
        return self.code(self.seen(images)).float()

    @final
    def imagine(self, count: int, generator: torch.Generator) -> Tensor | None:
        """What is drawn of codes from the prior, as the camera would see it."""
        codes = self.prior(count, generator)
        if codes is None:
            return None
        return self.show(self.photographed(self.autoencoder.decode(codes), generator), self.stabilised)

    def photographed(self, drawn: Tensor, generator: torch.Generator) -> Tensor:
        """Drawn images, in units of noise, with noise."""
        return drawn + torch.randn(drawn.shape, generator=generator, device=drawn.device)

    def prior(self, count: int, generator: torch.Generator) -> Tensor | None:
        """Codes [count, latent] from the distribution that codes are brought to; None if they are brought to none."""
        return None

    @final
    def seen(self, images: Tensor) -> Tensor:
        """Images in units of their noise."""
        return self.see(images, self.stabilised)

    def _drawn(self, seen: Tensor) -> Tensor:
        return mean_upright(map(self.draw, attitudes(seen, self.symmetric)))
