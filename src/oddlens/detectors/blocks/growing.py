"""Generator and discriminator that grow with the image, after Karras et al. 2018 (arXiv:1710.10196).

Level k works at 4 * 2^k pixels a side. A new level is faded in: its image has the weight `alpha`, that of the level
below has 1 - alpha. Weights are drawn from N(0, 1) and multiplied by gain / sqrt(inputs) when they are used (equalised
learning rate). Level k has `maps(k)` feature maps.
"""

import itertools
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MIN_PIXELS = 4
"""The pixels a side of level 0."""
GAIN = math.sqrt(2)
STATISTIC_GROUP = 4
"""The number of images in a group of the minibatch statistic."""


def n_levels(pixels: int) -> int:
    """The number of levels for images of `pixels` a side.

    Raises:
        ValueError: `pixels` is no power of two, or less than 8.
    """
    if pixels < 2 * MIN_PIXELS or pixels & (pixels - 1):
        raise ValueError(
            f"a growing network takes images of 8, 16, 32, 64, ... pixels, not {pixels}: set camera.pixels"
        )
    return (pixels // MIN_PIXELS).bit_length()


def growth_phase(progress: float, count: int, growth: float) -> tuple[int, float]:
    """The level (of `count`) and its alpha at a `progress` of the training, of which the part `growth` is for growing.

    Level 0 comes first, then a fading and a stable phase for each level, all of equal length. The last level stays.
    """
    phases = 2 * (count - 1)
    done = progress / growth * phases if growth else phases
    if done >= phases:
        return count - 1, 1.0
    phase = int(done)
    return (phase + 1) // 2, done - phase if phase % 2 else 1.0


def at_level(images: Tensor, level: int, alpha: float) -> Tensor:
    """Images [n, 1, pixels, pixels] as the input of a level: averaged to its size and faded."""
    images = F.avg_pool2d(images, images.shape[-1] // (MIN_PIXELS * 2**level))
    return images if alpha == 1 else torch.lerp(upsampled(F.avg_pool2d(images, 2)), images, alpha)


def upsampled(images: Tensor) -> Tensor:
    """Images with each pixel repeated twice along both axes."""
    return F.interpolate(images, scale_factor=2, mode="nearest")


def pixel_norm(x: Tensor) -> Tensor:
    """Vectors along dimension 1 scaled to a mean square of 1."""
    return x * (x.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()


class EqualisedLinear(nn.Module):
    """A dense layer with equalised learning rate."""

    def __init__(self, inputs: int, outputs: int, gain: float = GAIN):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(outputs, inputs)), nn.Parameter(torch.zeros(outputs))
        self.factor = gain / math.sqrt(inputs)

    def forward(self, x: Tensor) -> Tensor:
        """[n, inputs] to [n, outputs]."""
        return F.linear(x, self.weight * self.factor, self.bias)


class EqualisedConv(nn.Module):
    """A convolution with equalised learning rate that keeps the size."""

    def __init__(self, inputs: int, outputs: int, side: int = 3, gain: float = GAIN):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, side, side))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.factor, self.padding = gain / math.sqrt(inputs * side**2), side // 2

    def forward(self, x: Tensor) -> Tensor:
        """[n, inputs, h, h] to [n, outputs, h, h]."""
        return F.conv2d(x, self.weight * self.factor, self.bias, padding=self.padding)


class PixelNorm(nn.Module):
    """`pixel_norm` as a layer."""

    def forward(self, x: Tensor) -> Tensor:
        """See `pixel_norm`."""
        return pixel_norm(x)


def convolutions(*maps: int, norm: bool) -> nn.Sequential:
    """Convolutions between the given numbers of maps, each followed by a leaky ReLU and, with `norm`, a pixel norm."""
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(maps):
        layers += [EqualisedConv(inputs, outputs), nn.LeakyReLU(0.2), *([PixelNorm()] if norm else [])]
    return nn.Sequential(*layers)


class Maps:
    """The number of feature maps of a level: `base` over 2, 4, 8, ... and at most `most` (8192 and 512 as
    published)."""

    def __init__(self, base: int = 8192, most: int = 512):
        self.base, self.most = base, most

    def __call__(self, level: int) -> int:
        """Of a level; level -1 is the dense layer below level 0."""
        return min(self.base >> (level + 1), self.most)


class GrowingGenerator(nn.Module):
    """Codes [n, latent] to images [n, 1, h, h] of a level: a dense layer, then two convolutions at each level.

    Codes are scaled to a mean square of 1 first.
    """

    def __init__(self, count: int, latent: int, maps: Maps):
        super().__init__()
        self.top = count - 1
        self.dense = nn.Parameter(torch.randn(maps(0) * MIN_PIXELS**2, latent))
        self.bias = nn.Parameter(torch.zeros(maps(0), 1, 1))
        self.factor = GAIN / 4 / math.sqrt(latent)
        self.first = convolutions(maps(0), maps(0), norm=True)
        self.blocks = nn.ModuleList(convolutions(maps(k - 1), maps(k), maps(k), norm=True) for k in range(1, count))
        self.to_image = nn.ModuleList(EqualisedConv(maps(k), 1, side=1, gain=1) for k in range(count))

    def forward(self, codes: Tensor, level: int | None = None, alpha: float = 1.0) -> Tensor:
        """See the class. The default is the last level."""
        level = self.top if level is None else level
        x = F.linear(pixel_norm(codes), self.dense * self.factor).unflatten(1, (-1, MIN_PIXELS, MIN_PIXELS)) + self.bias
        below = x = self.first(pixel_norm(F.leaky_relu(x, 0.2)))
        for k in range(level):
            below, x = x, self.blocks[k](upsampled(x))
        images = self.to_image[level](x)
        return images if alpha == 1 else torch.lerp(upsampled(self.to_image[level - 1](below)), images, alpha)


class GrowingTrunk(nn.Module):
    """Images of a level to `outputs` numbers: a generator in reverse, without pixel norm.

    With `statistic`, the scatter within groups of images is an additional map at 4 x 4 pixels (minibatch standard
    deviation). It shows a discriminator that a generator lacks variety.
    """

    def __init__(self, count: int, outputs: int, maps: Maps, *, statistic: bool):
        super().__init__()
        self.top, self.statistic = count - 1, statistic
        self.from_image = nn.ModuleList(EqualisedConv(1, maps(k), side=1) for k in range(count))
        self.blocks = nn.ModuleList(convolutions(maps(k), maps(k), maps(k - 1), norm=False) for k in range(1, count))
        self.last = convolutions(maps(0) + statistic, maps(0), norm=False)
        self.dense = EqualisedLinear(maps(0) * MIN_PIXELS**2, maps(-1))
        self.out = EqualisedLinear(maps(-1), outputs, gain=1)

    def features(self, images: Tensor, level: int | None = None, alpha: float = 1.0) -> Tensor:
        """The features of each image: maps of 4 x 4 pixels that do not depend on other images."""
        level = self.top if level is None else level
        # The strides of a single map fit both memory formats. All layers that follow are faster in this one.
        images = images.to(memory_format=torch.channels_last)
        x = F.leaky_relu(self.from_image[level](images), 0.2)
        for k in range(level, 0, -1):
            x = F.avg_pool2d(self.blocks[k - 1](x), 2)
            if k == level and alpha < 1:
                x = torch.lerp(F.leaky_relu(self.from_image[k - 1](F.avg_pool2d(images, 2)), 0.2), x, alpha)
        return x

    def forward(self, images: Tensor, level: int | None = None, alpha: float = 1.0) -> Tensor:
        """[n, 1, h, h] to [n, outputs]. The default is the last level."""
        x = self.features(images, level, alpha)
        if self.statistic:
            x = torch.cat([x, group_deviation(x)], dim=1)
        x = F.leaky_relu(self.dense(self.last(x).flatten(1)), 0.2)
        with torch.autocast(x.device.type, enabled=False):  # bfloat16 would round away a small gradient of its bias
            return self.out(x.float())


def group_deviation(x: Tensor) -> Tensor:
    """The standard deviation within each group of images, averaged over maps and pixels, as a map [n, 1, h, h]."""
    size = math.gcd(STATISTIC_GROUP, len(x))
    groups = x.float().unflatten(0, (size, -1))  # image k is in a group with k + n / size, k + 2 n / size, ...
    deviation = (groups.var(dim=0, unbiased=False) + 1e-8).sqrt().mean(dim=(1, 2, 3))  # [n / size]
    return deviation.repeat(size)[:, None, None, None].expand(-1, 1, *x.shape[2:]).to(x.dtype)
