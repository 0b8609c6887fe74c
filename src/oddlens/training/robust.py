"""Robust training: the loss of a batch that is expected to contain anomalies.

The images of a batch are ranked by their losses. The assumed fraction with the largest losses is taken for anomalies.

    trim        leaves them out of the batch
    loe_hard    gives them the loss of an anomaly (latent outlier exposure, Qiu et al. 2022, arXiv:2202.08088)
    loe_soft    gives them the mean of both losses
    refine      is part of `Detector.fit`: after a first training the most anomalous images are left out, and a second
                training starts from the beginning

If L is the loss as a normal image, 1 / L is the loss as an anomaly (Qiu et al., appendix), so ranking by their
difference is ranking by L. The unit of L matters: where an autoencoder reconstructs images to the noise, L is about 1,
the soft mean has no slope, and the image is ignored; the hard loss pushes it away. The losses of the first epochs do
not rank images reliably, so these epochs use all images.
"""

import torch
from torch import Tensor

ASSUMED_CONTAMINATION = 0.1
"""The default fraction of images that is taken for anomalies."""
WARM_UP_EPOCHS = 2
"""Epochs before images are ranked (as Qiu et al.)."""


def mean_loss(losses: Tensor, robust: str, fraction: float, epoch: int) -> Tensor:
    """The loss of a batch from the losses of its images [n]; a scalar loss is unchanged.

    Raises:
        ValueError: `robust` is unknown, or latent outlier exposure has a loss that is not positive.
    """
    if losses.ndim == 0 or robust in ("none", "refine") or epoch < WARM_UP_EPOCHS:
        return losses.mean()
    count = round(fraction * len(losses))
    order = losses.detach().argsort()
    normal, anomalous = losses[order[: len(losses) - count]], losses[order[len(losses) - count :]]
    if robust == "trim":
        return normal.mean()
    if robust not in ("loe_hard", "loe_soft"):
        raise ValueError(f"training.robust: {robust!r} is none of none, trim, refine, loe_hard, loe_soft")
    if not (losses.detach() > 0).all():
        raise ValueError(
            f"training.robust: {robust} needs a positive loss, and the loss of this model has negative values: use "
            "trim or refine"
        )
    exposed = 1 / anomalous if robust == "loe_hard" else 0.5 * anomalous + 0.5 / anomalous
    return torch.cat([normal, exposed]).mean()
