"""A ResNet-18 that learns from labels, with an optional channel of residuals."""

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from oddlens.detectors.blocks.resnet import INPUT_FACTOR, ResidualChannel, resnet18
from oddlens.detectors.interface.base import Detector
from oddlens.training.images import TrainingImages
from oddlens.training.objectives import Batch, Objective
from oddlens.training.schedules import cosine

AUTOENCODER_RATE = 4e-3
"""The learning rate of the autoencoder of the residual channel."""


class LabelledResNet(Detector):
    """Variance-stabilised images to `outputs` numbers each.

    Args:
        residual: add the residuals of an autoencoder, which is trained on the smooth images first, as a second channel.
    """

    needs = "labels"
    loss_name: ClassVar[str]

    def __init__(
        self,
        pixels: int,
        outputs: int,
        *,
        width: int,
        stride: int,
        residual: bool,
        learning_rate: float,
        weight_decay: float,
    ):
        super().__init__(pixels)
        self.residual_channel = ResidualChannel(pixels) if residual else None
        self.network = resnet18(2 if residual else 1, width, stride, outputs)
        self.learning_rate, self.weight_decay = learning_rate, weight_decay

    @abstractmethod
    def label_loss(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """The loss [n] of outputs [n, outputs] with labels."""

    @abstractmethod
    def is_smooth(self, labels: Tensor) -> Tensor:
        """Whether an image with a label is of the smooth class, [n]."""

    def prepare(self, images: TrainingImages, generator: torch.Generator) -> None:
        """Learn the linear map of the autoencoder."""
        if self.residual_channel:
            self.residual_channel.learn(images.through(self.stabilise), generator)

    def objectives(self) -> list[Objective]:
        """The loss of the labels; with a residual channel, before it the misfit of smooth images."""
        rate, decay = cosine(self.learning_rate), self.weight_decay
        objectives = [Objective(self.loss_name, (self.network,), self._loss, rate, weight_decay=decay)]
        if self.residual_channel:
            networks = (self.residual_channel,)
            smooth = Objective("smooth", networks, self._misfit, cosine(AUTOENCODER_RATE), optimiser="muon")
            objectives.insert(0, smooth)
        return objectives

    def outputs(self, images: Tensor) -> Tensor:
        """The outputs [n, outputs] for scaled images, float32."""
        stabilised = self.stabilise(images)
        inputs = self.residual_channel(stabilised) if self.residual_channel else INPUT_FACTOR * stabilised
        return self.network(inputs).float()

    def _misfit(self, batch: Batch) -> Tensor:
        assert batch.labels is not None  # `fit` checks it
        assert self.residual_channel
        return self.residual_channel.misfit(self.stabilise(batch.images[self.is_smooth(batch.labels)]))

    def _loss(self, batch: Batch) -> Tensor:
        assert batch.labels is not None
        return self.label_loss(self.outputs(batch.images), batch.labels)
