"""How large a misfit is to be expected of a lens if nothing is odd about it.

Some lenses are drawn worse than others, whatever their dark matter: bright, small sources near a caustic more than
faint, wide ones. A small network learns from the training images how the misfit of lenses of a code is distributed, as
a log-normal; what counts is how many standard deviations an image lies above the mean.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from oddlens.detectors.blocks.autoencoder import residual
from oddlens.training import Batch, Objective

DEVIATIONS = (-6.0, 3.0)
"""Least and largest logarithm of the standard deviation."""


def expectation_for(score: str, *, wanted: bool, codes: int, width: int, depth: int) -> "Expectation | None":
    """The expectation of a detector with codes of some length, if it is wanted.

    Raises:
        ValueError: it is not, and the score is relative to it.
    """
    if score == "relative" and not wanted:
        raise ValueError("score: relative needs expectation: true, or what would it be relative to?")
    return Expectation(codes, width, depth) if wanted else None


class Expectation(nn.Module):
    """Codes [n, latent] to mean and standard deviation of the logarithm of the misfit of images with such codes."""

    def __init__(self, latent: int, width: int, depth: int):
        super().__init__()
        self.network = residual(latent, 2, width, depth)

    def forward(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """See the class; [n] and [n]."""
        mean, log_deviation = self.network(codes).float().unbind(dim=1)
        return mean, log_deviation.clamp(*DEVIATIONS).exp()

    def objective(self, look: Callable[[Batch], tuple[Tensor, Tensor]], stage: int = 1, **how: Any) -> Objective:
        """Learn from what a detector says of a batch when it is trained: codes [n, latent] and misfits [n].

        The loss is minus the log likelihood; a mean, as remedies for odd images rank them by the misfit alone.
        """

        def loss(batch: Batch) -> Tensor:
            with torch.no_grad():
                codes, misfit = look(batch)
            mean, deviation = self(codes)
            return (0.5 * ((misfit.log() - mean) / deviation).square() + deviation.log()).mean()

        return Objective("expectation", (self,), loss, stage=stage, **how)

    def excess(self, misfit: Tensor, codes: list[Tensor]) -> Tensor:
        """Standard deviations by which misfits [n] lie above the mean; of several codes of an image the mean counts."""
        mean, deviation = (torch.stack(part).mean(dim=0) for part in zip(*map(self, codes), strict=True))
        return (misfit.log() - mean) / deviation
