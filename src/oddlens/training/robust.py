"""Training that expects some of its images to be odd: what becomes of the losses of a batch.

A loss per image tells which images fit worst; the assumed fraction of them is taken for odd.

    trim        those are left out (of each batch)
    loe_hard    they get the loss of an anomaly instead (latent outlier exposure, Qiu et al. 2022, arXiv:2202.08088)
    loe_soft    they get the mean of both losses
    refine      not here but in `Detector.fit`: once trained, the oddest images are left out and all starts anew

With L the loss as a normal image, 1 / L is that as an anomaly (Qiu et al., appendix), so the ranking by their
difference is the ranking by L. Its unit matters: where an autoencoder draws to the noise, L is about 1 and the soft
mean has no slope, so that such an image is let go; the hard one pushes it away. The first epochs rank by nothing worth
having and are trained blind.
"""

import torch
from torch import Tensor

ASSUMED_CONTAMINATION = 0.1
"""The part of the images that is taken for odd, if nobody says another."""
WARM_UP = 2
"""Epochs before losses mean anything (as Qiu et al.)."""


def mean_loss(losses: Tensor, robust: str, fraction: float, epoch: int) -> Tensor:
    """The loss of a batch from those of its images [n] (or a scalar, which stays as it is).

    Raises:
        ValueError: latent outlier exposure with a loss that is not positive, or a remedy that is none of these.
    """
    if losses.ndim == 0 or robust in ("none", "refine") or epoch < WARM_UP:
        return losses.mean()
    count = round(fraction * len(losses))
    order = losses.detach().argsort()
    fit, odd = losses[order[: len(losses) - count]], losses[order[len(losses) - count :]]
    if robust == "trim":
        return fit.mean()
    if robust not in ("loe_hard", "loe_soft"):
        raise ValueError(f"robust: {robust!r} is none of none, trim, refine, loe_hard, loe_soft")
    if not (losses.detach() > 0).all():
        raise ValueError(f"robust: {robust} inverts the loss, and this one is not positive: use trim or refine")
    exposed = 1 / odd if robust == "loe_hard" else 0.5 * odd + 0.5 / odd
    return torch.cat([fit, exposed]).mean()
