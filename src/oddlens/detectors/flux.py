"""Total flux. If it separates the classes, brightness leaks the labels of the simulation."""

from torch import Tensor

from oddlens.detectors.blocks.residuals import mean_per_image
from oddlens.detectors.interface.base import Detector
from oddlens.detectors.interface.capabilities import MapsAnomalies


class Flux(Detector, MapsAnomalies):
    """The mean pixel. An AUC above or below 0.5 reveals a leak."""

    role = "control"

    def anomaly_score(self, images: Tensor) -> Tensor:
        """The mean brightness."""
        return mean_per_image(images)

    def anomaly_map(self, images: Tensor) -> Tensor:
        """The image itself: a map that knows only where the light is."""
        return images
