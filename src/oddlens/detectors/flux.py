"""Total flux. If it separates the classes, brightness leaks the labels of the simulation."""

from torch import Tensor

from oddlens.detectors.blocks.residuals import mean_per_image
from oddlens.detectors.interface.base import Detector


class Flux(Detector):
    """The mean pixel. An AUC on either side of 0.5 would be a leak."""

    role = "control"

    def anomaly(self, images: Tensor) -> Tensor:
        """Mean brightness."""
        return mean_per_image(images)

    def oddness(self, images: Tensor) -> Tensor:
        """The image itself: what a map is worth that only knows where the light is."""
        return images
