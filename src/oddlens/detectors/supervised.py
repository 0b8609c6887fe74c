"""A ResNet-18 that learns from the labels of its training images.

He et al. 2015 (arXiv:1512.03385) for small images (first convolution 3 x 3, no pooling after it), built of
torchvision's blocks. It learns from all anomalies of the contaminant pool, or as many as its row's `labels` say, and as
many smooth lenses. Substructure changes a bright ring by a few percent, so the network needs very many images. With
`residual: true` an autoencoder of the smooth training images is trained first, and the ResNet gets its residuals as a
second channel (as the error maps of Alexander et al. 2020, arXiv:2008.12731).
"""

import torch
import torch.nn.functional as F
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor

from oddlens.detectors.blocks.resnet import INPUT_FACTOR, ResidualChannel, resnet18
from oddlens.detectors.interface.base import Detector
from oddlens.training.images import TrainingImages
from oddlens.training.objectives import Batch, Objective
from oddlens.training.schedules import cosine
from oddlens.training.symmetries import N_SYMMETRIES, act


class Supervised(Detector):
    """One logit: anomalous or not.

    Args:
        width: of the first stage (64 in the original).
        stride: of the first layer.
        residual: add the residuals of an autoencoder as a second channel.
    """

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
        self.residual_channel = ResidualChannel(pixels) if residual else None
        self.network = resnet18(2 if residual else 1, width, stride)
        self.learning_rate, self.weight_decay = learning_rate, weight_decay

    def prepare(self, images: TrainingImages, generator: torch.Generator) -> None:
        """Learn the linear map of the autoencoder."""
        if self.residual_channel:
            self.residual_channel.learn(images.stabilised(self.stabilise), generator)

    def objectives(self) -> list[Objective]:
        """The binary cross-entropy; with a residual channel, before it the misfit of smooth images."""
        rate, decay = cosine(self.learning_rate), self.weight_decay
        objectives = [Objective("cross-entropy", (self.network,), self._cross_entropy, rate, weight_decay=decay)]
        if self.residual_channel:
            networks = (self.residual_channel,)
            objectives.insert(0, Objective("smooth", networks, self._misfit, cosine(4e-3), optimiser="muon"))
        return objectives

    def _misfit(self, batch: Batch) -> Tensor:
        assert batch.labels is not None  # `fit` checks it
        assert self.residual_channel
        return self.residual_channel.misfit(self.stabilise(batch.images[batch.labels == 0]))

    def _cross_entropy(self, batch: Batch) -> Tensor:
        assert batch.labels is not None
        return F.binary_cross_entropy_with_logits(self._logit(batch.images), batch.labels, reduction="none")

    def _logit(self, images: Tensor) -> Tensor:
        stabilised = self.stabilise(images)
        inputs = self.residual_channel(stabilised) if self.residual_channel else INPUT_FACTOR * stabilised
        return self.network(inputs)[:, 0].float()

    def anomaly_score(self, images: Tensor) -> Tensor:
        """The mean logit over the symmetries of lensing."""
        return torch.stack([self._logit(act(images, k)) for k in range(N_SYMMETRIES)]).mean(dim=0)
