"""Generator and discriminator that grow with the image, after Karras et al. 2018 (arXiv:1710.10196), layer by layer.

Level k works at 4 * 2^k pixels. While a level is new it is faded in: `alpha` of its image and 1 - alpha of that of the
level below count. Weights are drawn from N(0, 1) and multiplied by gain / sqrt(inputs) when they are used (equalised
learning rate). A level has `maps(k)` feature maps.
"""

import itertools
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from oddlens.detectors.blocks.autoencoder import UpToOne

SMALLEST = 4
"""Pixels of level 0."""
GAIN = math.sqrt(2)
GROUP = 4
"""Images that the minibatch statistic is taken over."""


def levels(pixels: int) -> int:
    """How many levels make images of `pixels`.

    Raises:
        ValueError: that is no power of two from 8 on.
    """
    if pixels < 2 * SMALLEST or pixels & (pixels - 1):
        raise ValueError(
            f"a growing network draws images of 8, 16, 32, 64, ... pixels, not {pixels}: set camera.pixels"
        )
    return (pixels // SMALLEST).bit_length()


def grown(progress: float, count: int, growth: float) -> tuple[int, float]:
    """The level (of `count`) and its alpha when `progress` of a training is done, of which `growth` is for growing.

    Level 0, then a fade and a stable phase for each level, all equally long; the last one stays to the end.
    """
    phases = 2 * (count - 1)
    done = progress / growth * phases if growth else phases
    if done >= phases:
        return count - 1, 1.0
    phase = int(done)
    return (phase + 1) // 2, done - phase if phase % 2 else 1.0


def shown(images: Tensor, level: int, alpha: float) -> Tensor:
    """Images [n, 1, pixels, pixels] as a discriminator of that level sees them: meaned to its size, and faded too."""
    images = F.avg_pool2d(images, images.shape[-1] // (SMALLEST * 2**level))
    return images if alpha == 1 else torch.lerp(doubled(F.avg_pool2d(images, 2)), images, alpha)


def doubled(images: Tensor) -> Tensor:
    """Twice as many pixels a side, the nearest each."""
    return F.interpolate(images, scale_factor=2, mode="nearest")


def normalised(x: Tensor) -> Tensor:
    """Pixel norm: vectors along dimension 1 brought to a mean square of 1."""
    return x * (x.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()


class Linear(nn.Module):
    """A dense layer of equalised learning rate."""

    def __init__(self, inputs: int, outputs: int, gain: float = GAIN):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(outputs, inputs)), nn.Parameter(torch.zeros(outputs))
        self.factor = gain / math.sqrt(inputs)

    def forward(self, x: Tensor) -> Tensor:
        """[n, inputs] to [n, outputs]."""
        return F.linear(x, self.weight * self.factor, self.bias)


class Conv(nn.Module):
    """A convolution of equalised learning rate that keeps the size."""

    def __init__(self, inputs: int, outputs: int, side: int = 3, gain: float = GAIN):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, side, side))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.factor, self.padding = gain / math.sqrt(inputs * side**2), side // 2

    def forward(self, x: Tensor) -> Tensor:
        """[n, inputs, h, h] to [n, outputs, h, h]."""
        return F.conv2d(x, self.weight * self.factor, self.bias, padding=self.padding)


class PlusMinusOne(UpToOne):
    """Images whose brightest training pixel is 1 and whose darkness is -1, as these networks see them."""

    def forward(self, images: Tensor) -> Tensor:
        """Images to [-1, 1], but for noise."""
        return 2 * super().forward(images) - 1

    def inverse(self, scaled: Tensor) -> Tensor:
        """And back."""
        return super().inverse((scaled + 1) / 2)

    @property
    def unit(self) -> Tensor:
        """Half of the brightest pixel."""
        return super().unit / 2


class PixelNorm(nn.Module):
    """`normalised` as a layer."""

    def forward(self, x: Tensor) -> Tensor:
        """See `normalised`."""
        return normalised(x)


def steps(*maps: int, norm: bool) -> nn.Sequential:
    """Convolutions from map count to map count, each with a leaky ReLU, and a pixel norm if wanted."""
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(maps):
        layers += [Conv(inputs, outputs), nn.LeakyReLU(0.2), *([PixelNorm()] if norm else [])]
    return nn.Sequential(*layers)


class Maps:
    """How many feature maps a level has: `base` over 2, 4, 8, ... and at most `most` (8192 and 512 as published)."""

    def __init__(self, base: int = 8192, most: int = 512):
        self.base, self.most = base, most

    def __call__(self, level: int) -> int:
        """Of level -1 (the dense layer below) and up."""
        return min(self.base >> (level + 1), self.most)


class Generator(nn.Module):
    """Codes [n, latent] to images [n, 1, h, h] of a level: dense, then two convolutions at each level.

    Codes are brought to a mean square of 1 first.
    """

    def __init__(self, count: int, latent: int, maps: Maps):
        super().__init__()
        self.top = count - 1
        self.dense = nn.Parameter(torch.randn(maps(0) * SMALLEST**2, latent))
        self.bias = nn.Parameter(torch.zeros(maps(0), 1, 1))
        self.factor = GAIN / 4 / math.sqrt(latent)
        self.first = steps(maps(0), maps(0), norm=True)
        self.blocks = nn.ModuleList(steps(maps(k - 1), maps(k), maps(k), norm=True) for k in range(1, count))
        self.to_image = nn.ModuleList(Conv(maps(k), 1, side=1, gain=1) for k in range(count))

    def forward(self, codes: Tensor, level: int | None = None, alpha: float = 1.0) -> Tensor:
        """See the class; without `level`, of the last one."""
        level = self.top if level is None else level
        x = F.linear(normalised(codes), self.dense * self.factor).unflatten(1, (-1, SMALLEST, SMALLEST)) + self.bias
        below = x = self.first(normalised(F.leaky_relu(x, 0.2)))
        for k in range(level):
            below, x = x, self.blocks[k](doubled(x))
        images = self.to_image[level](x)
        return images if alpha == 1 else torch.lerp(doubled(self.to_image[level - 1](below)), images, alpha)


class Trunk(nn.Module):
    """Images of a level to `outputs` numbers, a generator in reverse without pixel norm.

    With `statistic` the scatter within groups of images is one map more at 4 x 4 pixels (minibatch standard deviation),
    by which a discriminator sees that all images of a generator look alike.
    """

    def __init__(self, count: int, outputs: int, maps: Maps, *, statistic: bool):
        super().__init__()
        self.top, self.statistic = count - 1, statistic
        self.from_image = nn.ModuleList(Conv(1, maps(k), side=1) for k in range(count))
        self.blocks = nn.ModuleList(steps(maps(k), maps(k), maps(k - 1), norm=False) for k in range(1, count))
        self.last = steps(maps(0) + statistic, maps(0), norm=False)
        self.dense = Linear(maps(0) * SMALLEST**2, maps(-1))
        self.out = Linear(maps(-1), outputs, gain=1)

    def features(self, images: Tensor, level: int | None = None, alpha: float = 1.0) -> Tensor:
        """What it makes of each image alone: maps of 4 x 4 pixels."""
        level = self.top if level is None else level
        # Strides of a single map fit either memory format; all that follows is faster if it is this one.
        images = images.to(memory_format=torch.channels_last)
        x = F.leaky_relu(self.from_image[level](images), 0.2)
        for k in range(level, 0, -1):
            x = F.avg_pool2d(self.blocks[k - 1](x), 2)
            if k == level and alpha < 1:
                x = torch.lerp(F.leaky_relu(self.from_image[k - 1](F.avg_pool2d(images, 2)), 0.2), x, alpha)
        return x

    def forward(self, images: Tensor, level: int | None = None, alpha: float = 1.0) -> Tensor:
        """[n, 1, h, h] to [n, outputs]; without `level`, of the last one."""
        x = self.features(images, level, alpha)
        if self.statistic:
            x = torch.cat([x, scatter(x)], dim=1)
        x = F.leaky_relu(self.dense(self.last(x).flatten(1)), 0.2)
        with torch.autocast(x.device.type, enabled=False):  # a small gradient in its bias would drown in bfloat16
            return self.out(x.float())


def scatter(x: Tensor) -> Tensor:
    """The standard deviation within each group of images, meaned over maps and pixels, as a map [n, 1, h, h]."""
    size = math.gcd(GROUP, len(x))
    groups = x.float().unflatten(0, (size, -1))  # image k is with k + n / size, k + 2 n / size, ...
    deviation = (groups.var(dim=0, unbiased=False) + 1e-8).sqrt().mean(dim=(1, 2, 3))  # [n / size]
    return deviation.repeat(size)[:, None, None, None].expand(-1, 1, *x.shape[2:]).to(x.dtype)
