"""Chi-square of an image against its true smooth model, which only the simulator knows.

What is left of the image of an odd lens when its smooth twin, free of noise, is taken away is substructure and noise.
No detector that must find the smooth lens by itself can see more of it in chi-square; `score: matched` looks at it
through the point-spread function, as the other detectors do (see `blocks/residuals.py`).
"""

from typing import Literal

from torch import Tensor

from oddlens.detectors.blocks.residuals import mean_per_image, squared
from oddlens.detectors.interface.base import Detector


class Oracle(Detector):
    """Squared deviations from the truth."""

    role = "upper_bound"
    needs = "truth"
    scoring = ("score",)

    def __init__(self, pixels: int, *, score: Literal["matched", "error"] = "matched"):
        super().__init__(pixels)
        self.matched = score == "matched"

    def oddness(self, images: Tensor) -> Tensor:
        """The misfit of each pixel; `images` are [n, 3, pixels, pixels]: image, smooth model, the noise's deviation."""
        image, model, sigma = images.split(1, dim=1)
        return squared((image - model) / sigma, self.blur.item() if self.matched else 0.0)

    def anomaly(self, images: Tensor) -> Tensor:
        """Chi-square per pixel."""
        return mean_per_image(self.oddness(images))
