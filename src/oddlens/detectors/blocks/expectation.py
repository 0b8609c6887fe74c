"""How large a misfit is to be expected of a lens if nothing is odd about it.

Some lenses are drawn worse than others, whatever their dark matter: bright, small sources near a caustic more than
faint, wide ones. A small network learns from the training images how the logarithm of the misfit of lenses of a code is
distributed; what counts is by how many of its scales an image lies above its middle. The distribution is Student's t,
whose wide tails let odd training images lie far out instead of pulling at it.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import StudentT

from oddlens.detectors.blocks.autoencoder import residual
from oddlens.training.loop import Batch, Objective

FREEDOM = 2.0
"""Degrees of freedom of Student's t; many make it normal."""
LOG_SCALES = (-6.0, 3.0)
"""Least and largest logarithm of the scale."""
SCORES = ("relative", "expected")
"""Scores that need an expectation; the second is what codes alone give away, a control."""


def expectation_for(score: str, *, wanted: bool, codes: int, width: int, depth: int) -> "Expectation | None":
    """The expectation of a detector with codes of some length, if it is wanted.

    Raises:
        ValueError: it is not, and the score needs it.
    """
    if score in SCORES and not wanted:
        raise ValueError(f"score: {score} needs expectation: true, or what would be expected?")
    return Expectation(codes, width, depth) if wanted else None


class Expectation(nn.Module):
    """Codes [n, latent] to middle and scale of the logarithm of the misfit of images with such codes."""

    def __init__(self, latent: int, width: int, depth: int):
        super().__init__()
        self.network = residual(latent, 2, width, depth)

    def forward(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """See the class; [n] and [n]."""
        middle, log_scale = self.network(codes).float().unbind(dim=1)
        return middle, log_scale.clamp(*LOG_SCALES).exp()

    def objective(self, look: Callable[[Batch], tuple[Tensor, Tensor]], stage: int = 1, **how: Any) -> Objective:
        """Learn from what a detector says of a batch when it is trained: codes [n, latent] and misfits [n].

        The loss is minus the log likelihood; a mean, as remedies for odd images rank them by the misfit alone.
        """

        def loss(batch: Batch) -> Tensor:
            with torch.no_grad():
                codes, misfit = look(batch)
            return -StudentT(FREEDOM, *self(codes)).log_prob(misfit.log()).mean()

        return Objective("expectation", (self,), loss, stage=stage, **how)

    def score(self, by: str, misfit: Tensor, codes: list[Tensor]) -> Tensor:
        """Scales by which misfits [n] lie above the middle, meaned over an image's codes; or the middle."""
        middle, scale = (torch.stack(part).mean(dim=0) for part in zip(*map(self, codes), strict=True))
        return middle if by == "expected" else (misfit.log() - middle) / scale
