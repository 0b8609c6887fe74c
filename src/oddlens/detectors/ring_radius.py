"""The radius of the ring. If it separates the classes, substructure changes the total mass."""

import torch
from torch import Tensor

from oddlens.detectors.interface.base import Detector


class RingRadius(Detector):
    """The mean distance of the light from the centre of the image, in pixels; each pixel is weighted by its
    brightness."""

    role = "control"

    def anomaly_score(self, images: Tensor) -> Tensor:
        """The radii."""
        offset = torch.arange(self.pixels, device=images.device) - (self.pixels - 1) / 2
        radius = torch.hypot(offset[:, None], offset)
        light = images[:, 0].clamp(min=0)
        return (light * radius).sum(dim=(1, 2)) / light.sum(dim=(1, 2)).clamp(min=1e-6)
