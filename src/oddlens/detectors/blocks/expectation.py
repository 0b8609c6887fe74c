"""The misfit that is expected of a normal lens, as a function of its code.

Reconstruction errors depend on more than dark matter: those of bright, small sources near a caustic are larger than
those of faint, wide ones. A small network learns the distribution of the logarithm of the misfit of training images
with a given code. The score of an image is the distance of its misfit from the middle of this distribution, in units of
the scale. The distribution is Student's t. Its wide tails contain anomalous training images without moving the middle.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import StudentT

from oddlens.detectors.blocks.networks import residual_network
from oddlens.training.objectives import Batch, Objective

DEGREES_OF_FREEDOM = 2.0
"""Of Student's t; it is normal in the limit of many."""
LOG_SCALE_BOUNDS = (-6.0, 3.0)
"""The least and largest logarithm of the scale."""
SCORES = ("relative", "expected")
"""Scores that need an expectation. `expected` is the middle alone, a control that shows what the codes tell."""


def expectation_for(score: str, *, wanted: bool, codes: int, width: int, depth: int) -> "Expectation | None":
    """The expectation of a detector with codes of a length, if it is wanted.

    Raises:
        ValueError: the score needs an expectation, and it is not wanted.
    """
    if score in SCORES and not wanted:
        raise ValueError(f"score: {score} needs the expected misfit: set expectation: true, or choose another score")
    return Expectation(codes, width, depth) if wanted else None


class Expectation(nn.Module):
    """Codes [n, latent] to middle [n] and scale [n] of the logarithm of the misfit of images with such codes."""

    def __init__(self, latent: int, width: int, depth: int):
        super().__init__()
        self.network = residual_network(latent, 2, width, depth)

    def forward(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        middle, log_scale = self.network(codes).float().unbind(dim=1)
        return middle, log_scale.clamp(*LOG_SCALE_BOUNDS).exp()

    def objective(
        self, codes_and_misfits: Callable[[Batch], tuple[Tensor, Tensor]], stage: int = 1, **settings: Any
    ) -> Objective:
        """The objective that trains the network on the codes [n, latent] and misfits [n] of batches.

        The loss is minus the mean log likelihood. It is a scalar, so that robust training ranks images by the misfit.
        """

        def loss(batch: Batch) -> Tensor:
            with torch.no_grad():
                codes, misfits = codes_and_misfits(batch)
            return -StudentT(DEGREES_OF_FREEDOM, *self(codes)).log_prob(misfits.log()).mean()

        return Objective("expectation", (self,), loss, stage=stage, **settings)

    def score(self, name: str, misfits: Tensor, codes: list[Tensor]) -> Tensor:
        """The score `relative` or `expected` of images with misfits [n] and one code for each orientation.

        `relative` is the distance of the logarithm of a misfit from the middle in units of the scale. Middle and scale
        are means over the codes of an image.
        """
        middle, scale = (torch.stack(part).mean(dim=0) for part in zip(*map(self, codes), strict=True))
        return middle if name == "expected" else (misfits.log() - middle) / scale
