"""A ResNet-18 that learns from the labels of its training images.

He et al. 2015 (arXiv:1512.03385) for small images (first convolution 3 x 3, no pooling after it), of torchvision's
blocks. It learns from all anomalies of the contaminant pool, or as many of them as its row's `labels` say, and as many
smooth lenses: what so many labels buy. Substructure is a few parts in a hundred of a bright ring, which takes a network
very many images to see. With `residual: true` an autoencoder learns to draw the smooth ones at the same time, and
the ResNet gets what it leaves over beside the image (as Alexander et al. 2020, arXiv:2008.12731, did with error maps).
"""

import torch
import torch.nn.functional as F
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor

from oddlens.detectors.blocks.resnet import FAINT, Beside, resnet18
from oddlens.detectors.interface.base import Detector
from oddlens.training.images import Images
from oddlens.training.loop import Batch, Objective
from oddlens.training.schedules import cosine
from oddlens.training.symmetries import COUNT, act


class Supervised(Detector):
    """One logit: odd or not. `width` is that of the first stage (64 in the original), `stride` of the first layer."""

    role = "upper_bound"
    needs = "labels"

    def __init__(
        self,
        pixels: int,
        *,
        width: PositiveInt = 64,
        stride: PositiveInt = 1,
        residual: bool = False,
        learning_rate: PositiveFloat = 1e-3,
        weight_decay: NonNegativeFloat = 1e-4,
    ):
        super().__init__(pixels)
        self.beside = Beside(pixels) if residual else None
        self.network = resnet18(2 if residual else 1, width, stride)
        self.learning_rate, self.weight_decay = learning_rate, weight_decay

    def prepare(self, images: Images, generator: torch.Generator) -> None:
        """Learn the linear map of the autoencoder."""
        if self.beside:
            self.beside.learn(images.seen(self.see), generator)

    def objectives(self) -> list[Objective]:
        """Binary cross-entropy; before it, the misfit of the smooth images."""
        rate, decay = cosine(self.learning_rate), self.weight_decay
        found = [Objective("cross-entropy", (self.network,), self._cross_entropy, rate, weight_decay=decay)]
        if self.beside:
            smooth = Objective("smooth", (self.beside,), self._misfit, cosine(4e-3), optimiser="muon")
            found.insert(0, smooth)
        return found

    def _misfit(self, batch: Batch) -> Tensor:
        assert batch.labels is not None  # `fit` sees to it
        assert self.beside
        return self.beside.misfit(self.see(batch.images[batch.labels == 0]))

    def _cross_entropy(self, batch: Batch) -> Tensor:
        assert batch.labels is not None
        return F.binary_cross_entropy_with_logits(self._logit(batch.images), batch.labels, reduction="none")

    def _logit(self, images: Tensor) -> Tensor:
        seen = self.see(images)
        return self.network(self.beside(seen) if self.beside else FAINT * seen)[:, 0].float()

    def anomaly(self, images: Tensor) -> Tensor:
        """The mean logit over the symmetries of lensing."""
        return torch.stack([self._logit(act(images, k)) for k in range(COUNT)]).mean(dim=0)
