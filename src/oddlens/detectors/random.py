"""A random number for each image. Its AUC shows the scatter of a detector without information."""

import hashlib

import torch
from torch import Tensor

from oddlens.detectors.interface.base import Detector


class Random(Detector):
    """A uniform number from the SHA-256 of the pixels: the same for equal images, and independent of other images."""

    role = "control"

    def anomaly_score(self, images: Tensor) -> Tensor:
        """Uniform in [0, 1)."""
        digests = [hashlib.sha256(image.cpu().numpy().tobytes()).digest()[:6] for image in images]
        return torch.tensor([int.from_bytes(d, "big") / 2**48 for d in digests], device=images.device)
