"""Networks that write an image as a short code and draw it again from that."""

from __future__ import annotations

from typing import Literal, Self

import torch
from torch import Tensor, nn

from oddlens.detectors.blocks.components import PrincipalComponents
from oddlens.training.images import Images, Seen, total

Network = Literal["components", "convolutional", "published"]
COMPONENTS = 200
"""Principal components between which a dense network works; noise is all that lies outside them."""
COARSEST = 8
"""Strided convolutions halve the image until a side has at most this many pixels; the rest is left to dense layers."""
ORIGINAL_PIXELS = 100
"""From this size on the published networks are as printed; below, kernels and strides shrink with the image."""


class Autoencoder(nn.Module):
    """An encoder, a decoder, and the plain linear map by which both see images."""

    def __init__(self, coordinates: Coordinates, encoder: nn.Module, decoder: nn.Module):
        super().__init__()
        self.coordinates, self.encoder, self.decoder = coordinates, encoder, decoder

    @classmethod
    def of(
        cls, network: Network, pixels: int, latent: int = 12, *, outputs: int = 0, width: int = 128, depth: int = 4
    ) -> Self:
        """By the name of its networks.

        `components`: residual dense networks of `width` and `depth` between principal components; `convolutional`:
        strided convolutions on images minus the mean image; `published`: the networks of Alexander et al. 2020
        (arXiv:2008.12731), whose output is a tanh. `outputs` is the length of what the encoder says, if it is not a
        code (mean and deviation of one).
        """
        outputs = outputs or latent
        if network == "components":
            dense = Components(pixels)
            return cls(dense, residual(dense.count, outputs, width, depth), residual(latent, dense.count, width, depth))
        if network == "published":
            return cls(UpToOne(), *published(pixels, latent, outputs))
        strided = {"channels": width // 16, "hidden": width}
        return cls(Centred(pixels), Encoder(pixels, outputs, **strided), Decoder(pixels, latent, **strided))

    def learn(self, images: Images | Seen, generator: torch.Generator, *, symmetric: bool) -> None:
        """Learn the linear map from the training images."""
        self.coordinates.learn(images, generator, symmetric)

    @property
    def loss_unit(self) -> Tensor | float:
        """What a squared error in units of noise is divided by: in the published networks by that of the peak.

        Weight decay is weighed against the loss, and theirs was the error of images in [0, 1].
        """
        return self.coordinates.unit.square() if isinstance(self.coordinates, UpToOne) else 1.0

    def encode(self, images: Tensor) -> Tensor:
        """Images [n, 1, pixels, pixels] to what the encoder says of them, [n, outputs]."""
        return self.encoder(self.coordinates(images))

    def decode(self, codes: Tensor) -> Tensor:
        """Codes [n, latent] to images [n, 1, pixels, pixels], float32."""
        return self.coordinates.inverse(self.decoder(codes).float())


# --- linear maps; images whose coordinates differ by 1 differ by `unit` -----------------------------------------------


class Components(nn.Module):
    """Principal components, all in one unit: a tenth of the scatter of the strongest."""

    def __init__(self, pixels: int):
        super().__init__()
        self.principal = PrincipalComponents(pixels, COMPONENTS)

    def learn(self, images: Images | Seen, generator: torch.Generator, symmetric: bool) -> None:
        """Learn the components."""
        self.principal.learn(images, generator, symmetric=symmetric)

    @property
    def count(self) -> int:
        """Of coordinates."""
        return self.principal.count

    @property
    def unit(self) -> Tensor:
        """Weak components stay weak, as most of what they hold is noise."""
        return 0.1 * self.principal.scatter[0]

    def forward(self, images: Tensor) -> Tensor:
        """Images to coordinates [n, count]."""
        return self.principal(images) / self.unit

    def inverse(self, coordinates: Tensor) -> Tensor:
        """And back."""
        return self.principal.inverse(coordinates * self.unit)


class Centred(nn.Module):
    """Images minus the mean training image, over their scatter: one lens differs from another by little."""

    mean: Tensor
    unit: Tensor

    def __init__(self, pixels: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(1, 1, pixels, pixels))
        self.register_buffer("unit", torch.ones(()))

    def learn(self, images: Images | Seen, generator: torch.Generator, symmetric: bool) -> None:
        """Take mean and scatter from the training images."""
        self.mean.copy_(total(batch.sum(dim=0, keepdim=True) for batch in images.batches()) / len(images))
        squares = total((batch - self.mean).square().mean(dim=(1, 2, 3)).sum() for batch in images.batches())
        self.unit.copy_((squares / len(images)).sqrt())

    def forward(self, images: Tensor) -> Tensor:
        """Images to standardised images."""
        return (images - self.mean) / self.unit

    def inverse(self, standardised: Tensor) -> Tensor:
        """And back."""
        return self.mean + self.unit * standardised


class UpToOne(nn.Module):
    """Images over the brightest training pixel, for networks that end in a tanh."""

    peak: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("peak", torch.ones(()))

    def learn(self, images: Images | Seen, generator: torch.Generator, symmetric: bool) -> None:
        """Find the brightest pixel."""
        self.peak.fill_(max(batch.max().item() for batch in images.batches()))

    @property
    def unit(self) -> Tensor:
        """The brightest pixel."""
        return self.peak

    def forward(self, images: Tensor) -> Tensor:
        """Images to [0, 1], but for noise."""
        return images / self.peak

    def inverse(self, unit: Tensor) -> Tensor:
        """And back."""
        return unit * self.peak


Coordinates = Components | Centred | UpToOne


# --- networks ---------------------------------------------------------------------------------------------------------


class Block(nn.Module):
    """A residual block of a dense network: x + W2 gelu(W1 norm(x)), which starts as the identity."""

    def __init__(self, width: int, bias: bool):
        super().__init__()
        last = nn.Linear(2 * width, width, bias)
        nn.init.zeros_(last.weight)
        if bias:
            nn.init.zeros_(last.bias)
        first = nn.LayerNorm(width, bias=bias), nn.Linear(width, 2 * width, bias)
        self.layers = nn.Sequential(*first, nn.GELU(), last)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return x + self.layers(x)


def residual(inputs: int, outputs: int, width: int, depth: int, *, bias: bool = True) -> nn.Sequential:
    """A dense network of `depth` residual blocks, [n, inputs] to [n, outputs]."""
    blocks = (Block(width, bias) for _ in range(depth))
    last = nn.LayerNorm(width, bias=bias), nn.Linear(width, outputs, bias)
    return nn.Sequential(nn.Linear(inputs, width, bias), *blocks, *last)


def _sizes(pixels: int) -> list[int]:
    sizes = [pixels]
    while sizes[-1] > COARSEST:
        sizes.append(sizes[-1] // 2)
    return sizes


class Encoder(nn.Module):
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


class Decoder(nn.Module):
    """Vectors [n, inputs] to images [n, 1, pixels, pixels]: the encoder in reverse."""

    def __init__(self, pixels: int, inputs: int, *, channels: int, hidden: int):
        super().__init__()
        sizes = _sizes(pixels)
        widths = [1] + [channels * 2**level for level in range(len(sizes) - 1)]
        flat = widths[-1] * sizes[-1] ** 2
        layers: list[nn.Module] = [nn.Linear(inputs, hidden), nn.GELU(), nn.Linear(hidden, flat)]
        layers.append(nn.Unflatten(1, (widths[-1], sizes[-1], sizes[-1])))
        for level in reversed(range(len(sizes) - 1)):
            odd = sizes[level] % 2  # the row that halving dropped
            layers += [
                nn.GELU(),
                nn.ConvTranspose2d(widths[level + 1], widths[level], 4, stride=2, padding=1, output_padding=odd),
            ]
        self.layers = nn.Sequential(*layers)

    def forward(self, codes: Tensor) -> Tensor:
        """See the class."""
        return self.layers(codes)


def published(pixels: int, latent: int, outputs: int) -> tuple[nn.Module, nn.Module]:
    """Encoder and decoder of Alexander et al. 2020: three convolutions and a dense layer, and their mirror image.

    At 150 x 150 pixels kernels are 7 wide and strides 3, which leaves 64 maps of 9 x 9. On images of less than 100
    pixels kernels are 3 and strides 2, which leaves 6 x 6 of 32 x 32: about as much of a lens for each kernel.
    """
    kernel, stride = (7, 3) if pixels >= ORIGINAL_PIXELS else (3, 2)
    sizes = [pixels]
    for step, padding in ((stride, 1), (stride, 1), (1, 0)):
        sizes.append((sizes[-1] + 2 * padding - kernel) // step + 1)
    if sizes[-1] < 1:
        raise ValueError(f"the published networks take images of 9 x 9 pixels or more, not {pixels} x {pixels}")
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

    def grow(level: int) -> int:
        """What a transposed convolution lacks of the size before the convolution that it undoes."""
        return sizes[level] - ((sizes[level + 1] - 1) * stride - 2 + kernel)

    decoder = nn.Sequential(
        nn.Linear(latent, flat),
        nn.Unflatten(1, (64, sizes[-1], sizes[-1])),
        nn.ConvTranspose2d(64, 32, kernel),
        nn.ReLU(),
        nn.ConvTranspose2d(32, 16, kernel, stride, 1, grow(1)),
        nn.ReLU(),
        nn.ConvTranspose2d(16, 1, kernel, stride, 1, grow(0)),
        nn.Tanh(),
    )
    return encoder, decoder
