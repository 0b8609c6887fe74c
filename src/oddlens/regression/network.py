"""The network of the regression: one ResNet whose outputs are the histograms of all targets.

Its input is an image and, optionally, the residuals of an autoencoder of smooth lenses. Its loss is the sum of the
cross-entropies of the targets that an image has.
"""

import numpy as np
import torch
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from torch import Tensor
from torch.nn import functional as F

from oddlens.detectors.blocks.labelled_resnet import LabelledResNet
from oddlens.training.images import total
from oddlens.training.symmetries import N_SYMMETRIES, act

TEMPERATURE_BOUNDS = (0.3, 10.0)
"""The least and largest temperature of a histogram."""


class Regressor(LabelledResNet):
    """Histograms of `bins` bins each. The last histogram is that of the class; its first bin is the smooth class.

    Labels are [n, histograms]: the bin of the true value, NaN for an image without such a number. The probability of
    the class would be an anomaly score, so the network is a detector with labels; it takes part in no comparison.

    Args:
        bins: of each histogram.
        width, stride: of the ResNet.
        autoencoder: add the residuals of an autoencoder as a second channel.
    """

    loss_name = "histograms"
    temperature: Tensor

    def __init__(
        self,
        pixels: int,
        *,
        bins: list[int],
        width: PositiveInt,
        stride: PositiveInt,
        autoencoder: bool,
        learning_rate: PositiveFloat,
        weight_decay: NonNegativeFloat,
    ):
        super().__init__(
            pixels,
            sum(bins),
            width=width,
            stride=stride,
            residual=autoencoder,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
        )
        self.bins = bins
        self.register_buffer("temperature", torch.ones(len(bins)))

    def label_loss(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """The sum of the cross-entropies of the histograms."""
        parts = zip(outputs.split(self.bins, dim=1), labels.unbind(dim=1), strict=True)
        return total(_histogram_loss(logits, label) for logits, label in parts)

    def is_smooth(self, labels: Tensor) -> Tensor:
        """The first class of the last histogram."""
        return labels[:, -1] == 0

    def _mean_logits(self, images: Tensor) -> Tensor:
        """The mean over the symmetries of lensing, [n, sum of bins]; no target changes under them."""
        return total(self.outputs(act(images, k)) for k in range(N_SYMMETRIES)) / N_SYMMETRIES

    def anomaly_score(self, images: Tensor) -> Tensor:
        """The log odds of all classes but the smooth one, with the prior odds of the training images."""
        smooth, *anomalous = self._mean_logits(images)[:, -self.bins[-1] :].unbind(dim=1)
        return torch.stack(anomalous).logsumexp(dim=0) - smooth

    def calibrate(self, images: np.ndarray, rows: np.ndarray, labels: np.ndarray) -> None:
        """Set the temperature of each histogram (Guo et al. 2017, arXiv:1706.04599) by images held out of the training.

        The temperature has the largest likelihood. That of a histogram without labels among these images stays.
        """
        for k, logits in enumerate(self._histogram_logits(images, rows)):
            labelled = np.isfinite(labels[:, k])
            if labelled.any():
                self.temperature[k] = _best_temperature(logits[labelled], labels[labelled, k].astype(int))

    def probabilities(self, images: np.ndarray) -> list[np.ndarray]:
        """The probabilities [n, bins] of each histogram for images [n, pixels, pixels]."""
        temperatures, parts = self.temperature.tolist(), self._histogram_logits(images)
        return [softmax(logits / t, axis=1) for logits, t in zip(parts, temperatures, strict=True)]

    def _histogram_logits(self, images: np.ndarray, rows: np.ndarray | None = None) -> list[np.ndarray]:
        logits = self._map(images, self._mean_logits, rows).astype(float)
        return np.split(logits, np.cumsum(self.bins)[:-1], axis=1)


def _best_temperature(logits: np.ndarray, bins: np.ndarray) -> float:
    """The temperature with the largest likelihood of the true bins [n], given logits [n, bins]."""

    def loss(log_temperature: float) -> float:
        return -log_softmax(logits / np.exp(log_temperature), axis=1)[np.arange(len(bins)), bins].mean()

    low, high = TEMPERATURE_BOUNDS
    return float(np.exp(minimize_scalar(loss, bounds=(np.log(low), np.log(high)), method="bounded").x))


def _histogram_loss(logits: Tensor, label: Tensor) -> Tensor:
    """The cross-entropies [n] of one histogram; 0 for images without a label."""
    labelled = label.isfinite()
    loss = F.cross_entropy(logits, label.where(labelled, 0.0).long(), reduction="none")
    return loss.where(labelled, 0.0)
