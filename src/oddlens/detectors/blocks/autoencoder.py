"""Autoencoders: networks that encode an image as a short code and decode an image from it."""

from typing import Literal, Self

import torch
from torch import Tensor, nn

from oddlens.detectors.blocks.coordinates import ComponentCoordinates, Coordinates, Standardised, UpToOne
from oddlens.detectors.blocks.networks import (
    ConvolutionalDecoder,
    ConvolutionalEncoder,
    published_networks,
    residual_network,
)
from oddlens.training.images import TrainingImages

Network = Literal["components", "convolutional", "published"]


class Autoencoder(nn.Module):
    """An encoder, a decoder, and the linear map between images and their coordinates."""

    def __init__(self, coordinates: Coordinates, encoder: nn.Module, decoder: nn.Module):
        super().__init__()
        self.coordinates, self.encoder, self.decoder = coordinates, encoder, decoder

    @classmethod
    def of(
        cls, network: Network, pixels: int, latent: int = 12, *, outputs: int = 0, width: int = 128, depth: int = 4
    ) -> Self:
        """The autoencoder of a name.

        Args:
            network: `components`: residual dense networks of `width` and `depth` between principal components;
                `convolutional`: strided convolutions on standardised images; `published`: the networks of Alexander et
                al. 2020 (arXiv:2008.12731), whose output is a tanh.
            latent: the length of the code.
            outputs: of the encoder, if it does not return a code but its mean and deviation; 0: as many as the code.
        """
        outputs = outputs or latent
        if network == "components":
            dense = ComponentCoordinates(pixels)
            dense_encoder = residual_network(dense.count, outputs, width, depth)
            return cls(dense, dense_encoder, residual_network(latent, dense.count, width, depth))
        if network == "published":
            return cls(UpToOne(), *published_networks(pixels, latent, outputs))
        strided = {"channels": width // 16, "hidden": width}
        encoder = ConvolutionalEncoder(pixels, outputs, **strided)
        return cls(Standardised(pixels), encoder, ConvolutionalDecoder(pixels, latent, **strided))

    def learn(self, images: TrainingImages, generator: torch.Generator, *, symmetric: bool) -> None:
        """Learn the linear map from the training images."""
        self.coordinates.learn(images, generator, symmetric)

    @property
    def loss_unit(self) -> Tensor | float:
        """The unit of the loss, in squared units of the noise.

        It is 1, but the squared peak for the published networks. Their loss was the squared error of images in [0, 1],
        and weight decay is balanced against the loss.
        """
        return self.coordinates.unit.square() if isinstance(self.coordinates, UpToOne) else 1.0

    def misfit(self, images: Tensor, inputs: Tensor, codes: Tensor) -> Tensor:
        """The mean squared error [n] of images that are decoded from codes.

        Args:
            inputs: the coordinates of the images.
        """
        return self.coordinates.mean_squared_error(images, inputs, self.decoder(codes).float())

    def encode(self, images: Tensor) -> Tensor:
        """Images [n, 1, pixels, pixels] to the outputs of the encoder, [n, outputs]."""
        return self.encoder(self.coordinates(images))

    def decode(self, codes: Tensor) -> Tensor:
        """Codes [n, latent] to images [n, 1, pixels, pixels], float32."""
        return self.coordinates.inverse(self.decoder(codes).float())
