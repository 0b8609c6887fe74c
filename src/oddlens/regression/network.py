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

from oddlens.detectors.blocks.resnet import INPUT_FACTOR, ResidualChannel, resnet18
from oddlens.detectors.interface.base import Detector
from oddlens.training.images import TrainingImages, total
from oddlens.training.objectives import Batch, Objective
from oddlens.training.schedules import cosine
from oddlens.training.symmetries import N_SYMMETRIES, act

TEMPERATURE_BOUNDS = (0.3, 10.0)
"""The least and largest temperature of a histogram."""


class Regressor(Detector):
    """Histograms of `bins` bins each. The last histogram is that of the class; its first bin is the smooth class.

    Labels are [n, histograms]: the bin of the true value, NaN for an image without such a number. The probability of
    the class would be an anomaly score, so the network is a detector with labels; it takes part in no comparison.

    Args:
        bins: of each histogram.
        width, stride: of the ResNet.
        autoencoder: add the residuals of an autoencoder as a second channel.
    """

    needs = "labels"
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
        super().__init__(pixels)
        self.bins, self.learning_rate, self.weight_decay = bins, learning_rate, weight_decay
        self.residual_channel = ResidualChannel(pixels) if autoencoder else None
        self.network = resnet18(2 if autoencoder else 1, width, stride, sum(bins))
        self.register_buffer("temperature", torch.ones(len(bins)))

    def prepare(self, images: TrainingImages, generator: torch.Generator) -> None:
        """Learn the linear map of the autoencoder."""
        if self.residual_channel:
            self.residual_channel.learn(images.stabilised(self.stabilise), generator)

    def objectives(self) -> list[Objective]:
        """The cross-entropies; with a residual channel, before them the misfit of smooth images."""
        rate, decay = cosine(self.learning_rate), self.weight_decay
        objectives = [Objective("histograms", (self.network,), self._cross_entropy, rate, weight_decay=decay)]
        if self.residual_channel:
            networks = (self.residual_channel,)
            objectives.insert(0, Objective("smooth", networks, self._misfit, cosine(4e-3), optimiser="muon"))
        return objectives

    def _misfit(self, batch: Batch) -> Tensor:
        assert batch.labels is not None  # `fit` checks it
        assert self.residual_channel
        return self.residual_channel.misfit(self.stabilise(batch.images[batch.labels[:, -1] == 0]))

    def _cross_entropy(self, batch: Batch) -> Tensor:
        assert batch.labels is not None
        parts = self._logits(batch.images).split(self.bins, dim=1)
        labels = batch.labels.unbind(dim=1)
        return total(_histogram_loss(logits, label) for logits, label in zip(parts, labels, strict=True))

    def _logits(self, images: Tensor) -> Tensor:
        """[n, sum of bins]."""
        stabilised = self.stabilise(images)
        inputs = self.residual_channel(stabilised) if self.residual_channel else INPUT_FACTOR * stabilised
        return self.network(inputs).float()

    def _mean_logits(self, images: Tensor) -> Tensor:
        """The mean over the symmetries of lensing, [n, sum of bins]; no target changes under them."""
        return total(self._logits(act(images, k)) for k in range(N_SYMMETRIES)) / N_SYMMETRIES

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
