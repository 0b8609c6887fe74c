"""Ceiling: a ResNet-18 that is told which of its training images are odd.

He et al. 2015 (arXiv:1512.03385) for small images (first convolution 3 x 3, no pooling after it), of torchvision's
blocks. It learns from all anomalies of the contaminant pool and as many smooth lenses: what so many labels buy.
"""

import torch.nn.functional as F
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, conv1x1

from oddlens.detectors.base import Detector
from oddlens.detectors.blocks import cosine
from oddlens.symmetries import COUNT, act
from oddlens.training import Batch, Objective


class Supervised(Detector):
    """One logit: odd or not. `width` is that of the first stage (64 in the original), `stride` of the first layer."""

    needs = "labels"

    def __init__(
        self,
        pixels: int,
        *,
        width: PositiveInt = 64,
        stride: PositiveInt = 1,
        learning_rate: PositiveFloat = 1e-3,
        weight_decay: NonNegativeFloat = 1e-4,
    ):
        super().__init__(pixels)
        self.network = resnet18(width, stride)
        self.learning_rate, self.weight_decay = learning_rate, weight_decay

    def objectives(self) -> list[Objective]:
        """Binary cross-entropy."""
        return [
            Objective(
                "cross-entropy",
                (self.network,),
                self._loss,
                cosine(self.learning_rate),
                weight_decay=self.weight_decay,
            )
        ]

    def _loss(self, batch: Batch) -> Tensor:
        return F.binary_cross_entropy_with_logits(self._logit(batch.images), batch.labels, reduction="none")

    def _logit(self, images: Tensor) -> Tensor:
        return self.network(self._stabilised(images))[:, 0].float()

    def _stabilised(self, images: Tensor) -> Tensor:
        """Images on a scale on which the noise is 0.1 everywhere: the integral of 1 / sigma (Anscombe 1948)."""
        dark = self.background.sqrt()
        return 0.2 * (images.clamp(min=0)) / ((self.gain * images.clamp(min=0) + self.background).sqrt() + dark)

    def anomaly(self, images: Tensor) -> Tensor:
        """The mean logit over the symmetries of lensing."""
        return sum(self._logit(act(images, k)) for k in range(COUNT)) / COUNT


def resnet18(width: int, stride: int) -> nn.Sequential:
    """Four stages of two blocks, each stage twice as wide and half as large as the one before; one output."""
    layers: list[nn.Module] = [nn.Conv2d(1, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    inputs = width
    for stage in range(4):
        outputs, step = width * 2**stage, 1 if stage == 0 else 2
        shortcut = nn.Sequential(conv1x1(inputs, outputs, step), nn.BatchNorm2d(outputs)) if stage else None
        layers += [BasicBlock(inputs, outputs, step, shortcut), BasicBlock(outputs, outputs)]
        inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 1))
