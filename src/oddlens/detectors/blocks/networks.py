"""Encoders and decoders: residual dense networks, strided convolutions, and the published ones."""

from torch import Tensor, nn

MIN_SIDE = 8
"""Strided convolutions halve an image until its side has at most this many pixels; dense layers follow."""
ORIGINAL_PIXELS = 100
"""Images with at least so many pixels a side get the published networks as printed; for smaller ones, kernels and
strides are smaller."""


class ResidualBlock(nn.Module):
    """A residual block of a dense network: x + W2 gelu(W1 norm(x)). It starts as the identity."""

    def __init__(self, width: int, bias: bool):
        super().__init__()
        last = nn.Linear(2 * width, width, bias)
        nn.init.zeros_(last.weight)
        if bias:
            nn.init.zeros_(last.bias)
        first = nn.LayerNorm(width, bias=bias), nn.Linear(width, 2 * width, bias)
        self.layers = nn.Sequential(*first, nn.GELU(), last)

    def forward(self, x: Tensor) -> Tensor:
        """[n, width] to [n, width]."""
        return x + self.layers(x)


def residual_network(inputs: int, outputs: int, width: int, depth: int, *, bias: bool = True) -> nn.Sequential:
    """A dense network of `depth` residual blocks, [n, inputs] to [n, outputs]."""
    blocks = (ResidualBlock(width, bias) for _ in range(depth))
    last = nn.LayerNorm(width, bias=bias), nn.Linear(width, outputs, bias)
    return nn.Sequential(nn.Linear(inputs, width, bias), *blocks, *last)


def _sizes(pixels: int) -> list[int]:
    """The sides of an image before and after each strided convolution."""
    sizes = [pixels]
    while sizes[-1] > MIN_SIDE:
        sizes.append(sizes[-1] // 2)
    return sizes


class ConvolutionalEncoder(nn.Module):
    """Images [n, 1, pixels, pixels] to vectors [n, outputs]."""

    def __init__(self, pixels: int, outputs: int, *, channels: int, hidden: int):
        super().__init__()
        layers: list[nn.Module] = []
        width, sizes = 1, _sizes(pixels)
        for level in range(len(sizes) - 1):
            layers += [nn.Conv2d(width, channels * 2**level, 4, stride=2, padding=1), nn.GELU()]
            width = channels * 2**level
        dense = [nn.Linear(width * sizes[-1] ** 2, hidden), nn.GELU(), nn.Linear(hidden, outputs)]
        self.layers = nn.Sequential(*layers, nn.Flatten(), *dense)

    def forward(self, images: Tensor) -> Tensor:
        """See the class."""
        return self.layers(images)


class ConvolutionalDecoder(nn.Module):
    """Vectors [n, inputs] to images [n, 1, pixels, pixels]: the encoder in reverse."""

    def __init__(self, pixels: int, inputs: int, *, channels: int, hidden: int):
        super().__init__()
        sizes = _sizes(pixels)
        widths = [1] + [channels * 2**level for level in range(len(sizes) - 1)]
        flat = widths[-1] * sizes[-1] ** 2
        layers: list[nn.Module] = [nn.Linear(inputs, hidden), nn.GELU(), nn.Linear(hidden, flat)]
        layers.append(nn.Unflatten(1, (widths[-1], sizes[-1], sizes[-1])))
        for level in reversed(range(len(sizes) - 1)):
            padding = sizes[level] % 2  # halving drops the last row of an odd side
            layers += [
                nn.GELU(),
                nn.ConvTranspose2d(widths[level + 1], widths[level], 4, stride=2, padding=1, output_padding=padding),
            ]
        self.layers = nn.Sequential(*layers)

    def forward(self, codes: Tensor) -> Tensor:
        """See the class."""
        return self.layers(codes)


def published_networks(pixels: int, latent: int, outputs: int) -> tuple[nn.Module, nn.Module]:
    """Encoder and decoder of Alexander et al. 2020: three convolutions and a dense layer, and their mirror image.

    At 150 x 150 pixels kernels are 7 wide and strides 3, which gives 64 maps of 9 x 9. On images of less than 100
    pixels kernels are 3 and strides 2, which gives 6 x 6 for images of 32 x 32: about the same part of a lens for each
    kernel.

    Raises:
        ValueError: the images are smaller than 9 x 9 pixels.
    """
    kernel, stride = (7, 3) if pixels >= ORIGINAL_PIXELS else (3, 2)
    sizes = [pixels]
    for step, padding in ((stride, 1), (stride, 1), (1, 0)):
        sizes.append((sizes[-1] + 2 * padding - kernel) // step + 1)
    if sizes[-1] < 1:
        raise ValueError(f"the published networks take images of at least 9 x 9 pixels, not {pixels} x {pixels}")
    flat = 64 * sizes[-1] ** 2
    encoder = nn.Sequential(
        nn.Conv2d(1, 16, kernel, stride, 1),
        nn.ReLU(),
        nn.Conv2d(16, 32, kernel, stride, 1),
        nn.ReLU(),
        nn.Conv2d(32, 64, kernel),
        nn.Flatten(),
        nn.Linear(flat, outputs),
    )

    def output_padding(level: int) -> int:
        """The pixels that a transposed convolution lacks of the input of its convolution."""
        return sizes[level] - ((sizes[level + 1] - 1) * stride - 2 + kernel)

    decoder = nn.Sequential(
        nn.Linear(latent, flat),
        nn.Unflatten(1, (64, sizes[-1], sizes[-1])),
        nn.ConvTranspose2d(64, 32, kernel),
        nn.ReLU(),
        nn.ConvTranspose2d(32, 16, kernel, stride, 1, output_padding(1)),
        nn.ReLU(),
        nn.ConvTranspose2d(16, 1, kernel, stride, 1, output_padding(0)),
        nn.Tanh(),
    )
    return encoder, decoder
