"""Chi-square of an image against its true smooth model, which only the simulator knows.

The residual of an anomalous image against its noise-free smooth twin contains substructure and noise alone. A detector
that has to find the smooth lens itself cannot reach a higher AUC with chi-square. `score: matched` smooths the
residuals with the point-spread function, as other detectors do (see `blocks/residuals.py`).
"""

from typing import Literal

from torch import Tensor

from oddlens.detectors.blocks.residuals import mean_per_image, squared
from oddlens.detectors.interface.base import Detector
from oddlens.detectors.interface.capabilities import MapsAnomalies


class Oracle(Detector, MapsAnomalies):
    """Squared deviations from the true smooth model."""

    role = "upper_bound"
    needs = "truth"
    scoring = ("score",)

    def __init__(self, pixels: int, *, score: Literal["matched", "error"] = "matched"):
        super().__init__(pixels)
        self.matched = score == "matched"

    def anomaly_map(self, images: Tensor) -> Tensor:
        """The misfit of each pixel.

        `images` are [n, 3, pixels, pixels]: image, smooth model, and the standard deviation of the noise.
        """
        image, model, sigma = images.split(1, dim=1)
        return squared((image - model) / sigma, self.blur.item() if self.matched else 0.0)

    def anomaly_score(self, images: Tensor) -> Tensor:
        """Chi-square per pixel."""
        return mean_per_image(self.anomaly_map(images))
