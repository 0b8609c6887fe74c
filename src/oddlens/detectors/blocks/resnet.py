"""A residual network for small images, and the two channels that it sees of one."""

import torch
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, conv1x1

from oddlens.detectors.blocks.autoencoder import Autoencoder
from oddlens.detectors.blocks.residuals import mean_per_image
from oddlens.training.images import Images, Seen

FAINT = 0.1
"""Of images in units of their noise, as a ResNet expects numbers of order one."""
MOST = 10.0
"""Deviations beyond so many standard deviations are brought back to it."""


def resnet18(channels: int, width: int, stride: int, outputs: int = 1) -> nn.Sequential:
    """Four stages of two blocks, each stage twice as wide and half as large as the one before."""
    layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    inputs = width
    for stage in range(4):
        maps, step = width * 2**stage, 1 if stage == 0 else 2
        shortcut = nn.Sequential(conv1x1(inputs, maps, step), nn.BatchNorm2d(maps)) if stage else None
        layers += [BasicBlock(inputs, maps, step, shortcut), BasicBlock(maps, maps)]
        inputs = maps
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, outputs))


class Beside(nn.Module):
    """An image in units of its noise and, beside it, what an autoencoder of smooth lenses leaves over of it."""

    channels = 2

    def __init__(self, pixels: int):
        super().__init__()
        self.autoencoder = Autoencoder.of("components", pixels)

    def learn(self, images: Images | Seen, generator: torch.Generator) -> None:
        """Learn the linear map of the autoencoder."""
        self.autoencoder.learn(images, generator, symmetric=True)

    def misfit(self, seen: Tensor) -> Tensor:
        """What is left over of smooth images, as a loss, [n]."""
        return mean_per_image(self._deviations(seen).square())

    def _deviations(self, seen: Tensor) -> Tensor:
        return seen - self.autoencoder.decode(self.autoencoder.encode(seen))

    def forward(self, seen: Tensor) -> Tensor:
        """Images [n, 1, pixels, pixels] to [n, 2, pixels, pixels]; nothing learns through this."""
        with torch.no_grad():
            return torch.cat([FAINT * seen, self._deviations(seen).clamp(-MOST, MOST)], dim=1)
