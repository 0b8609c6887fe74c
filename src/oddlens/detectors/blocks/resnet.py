"""A residual network for small images, and its two input channels."""

import torch
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, conv1x1

from oddlens.detectors.blocks.autoencoder import Autoencoder
from oddlens.training.images import TrainingImages

INPUT_FACTOR = 0.1
"""Images in units of their noise are multiplied by this, as a ResNet expects numbers of order one."""
MAX_RESIDUAL = 10.0
"""Residuals are clipped to this many standard deviations."""


def resnet18(channels: int, width: int, stride: int, outputs: int = 1) -> nn.Sequential:
    """Four stages of two blocks. Each stage has twice the width and half the size of the one before."""
    layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    inputs = width
    for stage in range(4):
        maps, step = width * 2**stage, 1 if stage == 0 else 2
        shortcut = nn.Sequential(conv1x1(inputs, maps, step), nn.BatchNorm2d(maps)) if stage else None
        layers += [BasicBlock(inputs, maps, step, shortcut), BasicBlock(maps, maps)]
        inputs = maps
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, outputs))


class ResidualChannel(nn.Module):
    """Adds a second channel to an image: the residuals of an autoencoder of smooth lenses, in units of their noise."""

    def __init__(self, pixels: int):
        super().__init__()
        self.autoencoder = Autoencoder.of("components", pixels)

    def learn(self, images: TrainingImages, generator: torch.Generator) -> None:
        """Learn the linear map of the autoencoder."""
        self.autoencoder.learn(images, generator, symmetric=True)

    def misfit(self, stabilised: Tensor) -> Tensor:
        """The loss [n] of the autoencoder: the mean squared residual of smooth images."""
        inputs = self.autoencoder.coordinates(stabilised)
        return self.autoencoder.misfit(stabilised, inputs, self.autoencoder.encoder(inputs))

    def _residuals(self, stabilised: Tensor) -> Tensor:
        return stabilised - self.autoencoder.decode(self.autoencoder.encode(stabilised))

    def forward(self, stabilised: Tensor) -> Tensor:
        """Images [n, 1, pixels, pixels] to [n, 2, pixels, pixels]. No gradient passes through."""
        with torch.no_grad():
            residuals = self._residuals(stabilised).clamp(-MAX_RESIDUAL, MAX_RESIDUAL)
            return torch.cat([INPUT_FACTOR * stabilised, residuals], dim=1)
