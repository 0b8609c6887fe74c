"""What some detectors can do beside scoring.

A detector inherits a capability next to `Detector` and implements its abstract method on scaled tensors. The public
method on NumPy arrays is written here and never overridden. Callers ask `isinstance(model, Reconstructs)`.
"""

from abc import ABC, abstractmethod
from typing import final

import numpy as np
import torch
from torch import Tensor

from oddlens.detectors.interface.image_module import ImageModule, seeded_generator

RESIDUAL_INPUTS = ("residual", "scan")
"""What other detectors can take instead of images: the residuals of the best smooth lens in units of their noise, and
the significance of a mass at each position."""


class Reconstructs(ImageModule, ABC):
    """Reconstructs images."""

    @abstractmethod
    def reconstruct(self, images: Tensor) -> Tensor:
        """The reconstructions of scaled images, same shape and unit."""

    @final
    def reconstructions(self, images: np.ndarray) -> np.ndarray:
        """The reconstructions of images [n, pixels, pixels], in their unit."""
        return self._map(images, lambda batch: self.reconstruct(batch)[:, 0] * self.scale)


class MapsAnomalies(ImageModule, ABC):
    """Says where in an image the anomaly is."""

    @abstractmethod
    def anomaly_map(self, images: Tensor) -> Tensor:
        """The anomaly maps [n, 1, pixels, pixels] of scaled images; higher is more anomalous.

        Images have the channels of `Detector.anomaly_score`.
        """

    @final
    def anomaly_maps(self, images: np.ndarray, truth: tuple[np.ndarray, np.ndarray] | None = None) -> np.ndarray:
        """The anomaly maps of images [n, pixels, pixels], same shape; higher is more anomalous.

        Args:
            truth: see `Detector.score`.
        """
        return self._map(images, lambda batch: self.anomaly_map(batch)[:, 0], None, truth)


class Embeds(ImageModule, ABC):
    """Encodes images as short vectors."""

    @abstractmethod
    def embed(self, images: Tensor) -> Tensor:
        """The codes [n, latent] of scaled images."""

    @final
    def embeddings(self, images: np.ndarray) -> np.ndarray:
        """The codes [n, latent] of images [n, pixels, pixels]."""
        return self._map(images, self.embed)


class Samples(ImageModule, ABC):
    """Generates images."""

    @abstractmethod
    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Generated scaled images [count, 1, pixels, pixels], with noise."""

    @final
    @torch.no_grad()
    def samples(self, count: int, seed: int) -> np.ndarray:
        """Generated images [count, pixels, pixels], with noise, in the unit of the training images."""
        self.eval()
        sampled = self.sample(count, seeded_generator(seed, "imagine", self.scale.device))
        return (sampled[:, 0].float() * self.scale).cpu().numpy()


class KeepsTrainingSnapshots(ImageModule, ABC):
    """Keeps images that it generated in the course of its training."""

    @abstractmethod
    def training_snapshots(self) -> Tensor:
        """Scaled images generated in the course of the training, [stages, n, 1, pixels, pixels]."""

    @final
    def snapshot_images(self) -> np.ndarray:
        """The snapshots [stages, n, pixels, pixels], in the unit of the training images."""
        return (self.training_snapshots()[:, :, 0] * self.scale).cpu().numpy()


class ProvidesResiduals(ImageModule, ABC):
    """Fits images by smooth lenses, and provides the residuals as inputs for other detectors."""

    @abstractmethod
    def residuals(self, images: Tensor) -> Tensor:
        """The `RESIDUAL_INPUTS` of scaled images, in units of their noise, [n, inputs, pixels, pixels]."""

    @final
    def residual_inputs(self, images: np.ndarray) -> np.ndarray:
        """The `RESIDUAL_INPUTS` of images [n, pixels, pixels], in units of their noise, [n, inputs, pixels, pixels]."""
        return self._map(images, self.residuals)


class MapsMassSensitivity(ImageModule, ABC):
    """Knows the smallest mass that it could detect at each position."""

    @abstractmethod
    def mass_sensitivity(self, images: Tensor) -> Tensor:
        """The smallest detectable mass at each pixel of scaled images [n, pixels, pixels].

        The unit is that of an Einstein radius squared, arcsec^2. Pixels outside the searched area are NaN.
        """

    @final
    def mass_sensitivities(self, images: np.ndarray) -> np.ndarray:
        """The smallest detectable mass at each pixel of images [n, pixels, pixels]; see `mass_sensitivity`."""
        return self._map(images, self.mass_sensitivity)
