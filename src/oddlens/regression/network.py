"""The network of deep regression: one ResNet whose outputs are histograms of all that is estimated.

It sees an image and, where that is asked for, what an autoencoder of smooth lenses leaves over of it. Its loss is the
sum of the cross-entropies of those numbers that an image has.
"""

import numpy as np
import torch
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from torch import Tensor
from torch.nn import functional as F

from oddlens.detectors.blocks.resnet import FAINT, Beside, resnet18
from oddlens.detectors.interface.base import Detector
from oddlens.training.images import Images, total
from oddlens.training.loop import Batch, Objective
from oddlens.training.schedules import cosine
from oddlens.training.symmetries import COUNT, act

COLDEST, HOTTEST = 0.3, 10.0
"""Between which temperatures are sought."""


class Regressor(Detector):
    """Histograms of `bins` each; the last is of the class, whose first is the smooth one.

    Labels are [n, histograms]: the bin that holds the truth, NaN where an image has no such number. What it says of the
    class would do as a score, too, so that it is a detector with labels; it stands in no comparison.
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
        self.beside = Beside(pixels) if autoencoder else None
        self.network = resnet18(2 if autoencoder else 1, width, stride, sum(bins))
        self.register_buffer("temperature", torch.ones(len(bins)))

    def prepare(self, images: Images, generator: torch.Generator) -> None:
        """Learn the linear map of the autoencoder."""
        if self.beside:
            self.beside.learn(images.seen(self.see), generator)

    def objectives(self) -> list[Objective]:
        """The cross-entropies; before them, the misfit of the smooth images."""
        rate = cosine(self.learning_rate)
        found = [Objective("histograms", (self.network,), self._cross_entropy, rate, weight_decay=self.weight_decay)]
        if self.beside:
            found.insert(0, Objective("smooth", (self.beside,), self._misfit, cosine(4e-3), optimiser="muon"))
        return found

    def _misfit(self, batch: Batch) -> Tensor:
        assert batch.labels is not None  # `fit` sees to it
        assert self.beside
        return self.beside.misfit(self.see(batch.images[batch.labels[:, -1] == 0]))

    def _cross_entropy(self, batch: Batch) -> Tensor:
        assert batch.labels is not None
        parts = self._logits(batch.images).split(self.bins, dim=1)
        return total(_one(logits, label) for logits, label in zip(parts, batch.labels.unbind(dim=1), strict=True))

    def _logits(self, images: Tensor) -> Tensor:
        """[n, sum of bins]."""
        seen = self.see(images)
        return self.network(self.beside(seen) if self.beside else FAINT * seen).float()

    def _mean_logits(self, images: Tensor) -> Tensor:
        """Over the symmetries of lensing, which change nothing that is estimated."""
        return total(self._logits(act(images, k)) for k in range(COUNT)) / COUNT

    def anomaly(self, images: Tensor) -> Tensor:
        """The log odds of any class but the smooth one, with training images' odds."""
        smooth, *odd = self._mean_logits(images)[:, -self.bins[-1] :].unbind(dim=1)
        return torch.stack(odd).logsumexp(dim=0) - smooth

    def calibrate(self, images: np.ndarray, rows: np.ndarray, labels: np.ndarray) -> None:
        """Set the temperature of each histogram (Guo et al. 2017, arXiv:1706.04599) by images held out of training.

        By the largest likelihood; one that no held-out image has keeps its own.
        """
        for k, logits in enumerate(self._parts(images, rows)):
            there = np.isfinite(labels[:, k])
            if there.any():
                known, place = logits[there], labels[there, k].astype(int)

                def lost(log_heat: float, known: np.ndarray = known, place: np.ndarray = place) -> float:
                    return -log_softmax(known / np.exp(log_heat), axis=1)[np.arange(len(place)), place].mean()

                best = minimize_scalar(lost, bounds=(np.log(COLDEST), np.log(HOTTEST)), method="bounded")
                self.temperature[k] = float(np.exp(best.x))

    def estimated(self, images: np.ndarray) -> list[np.ndarray]:
        """The probabilities [n, bins] of each histogram for images [n, pixels, pixels]."""
        heats = self.temperature.tolist()
        return [softmax(part / heat, axis=1) for part, heat in zip(self._parts(images), heats, strict=True)]

    def _parts(self, images: np.ndarray, rows: np.ndarray | None = None) -> list[np.ndarray]:
        logits = self._map(images, self._mean_logits, rows).astype(float)
        return np.split(logits, np.cumsum(self.bins)[:-1], axis=1)


def _one(logits: Tensor, label: Tensor) -> Tensor:
    """Cross-entropies [n] of one histogram, 0 where there is no label."""
    there = label.isfinite()
    loss = F.cross_entropy(logits, label.where(there, 0.0).long(), reduction="none")
    return loss.where(there, 0.0)
