"""A classical outlier detector of PyOD on the leading principal components of an image.

Zhao, Nasrullah & Li 2019 (arXiv:1901.01588). It is the reference for detectors that are made for images.
"""

from typing import Any, Literal

import numpy as np
import torch
from pydantic import PositiveInt
from torch import Tensor

from oddlens.detectors.blocks.components import PrincipalComponents
from oddlens.detectors.interface.base import Detector
from oddlens.training.images import TrainingImages

MAX_IMAGES = 5_000
"""The largest number of training images that is used: the cost of some algorithms grows with its square."""


class Outlier(Detector):
    """`iforest`, `ocsvm`, `knn` or `lof`, with the default settings of PyOD, on whitened coordinates.

    A fitted algorithm would have to be pickled. The saved model therefore holds the coordinates that the algorithm is
    fitted to. The fit is repeated, with an equal result, when the first score is computed.
    """

    role = "reference"
    features: Tensor
    learned: Tensor
    seed: Tensor

    def __init__(
        self,
        pixels: int,
        *,
        algorithm: Literal["iforest", "ocsvm", "knn", "lof"] = "iforest",
        components: PositiveInt = 40,
    ):
        super().__init__(pixels)
        self.principal = PrincipalComponents(pixels, components)
        self.register_buffer("features", torch.zeros(MAX_IMAGES, self.principal.count))
        self.register_buffer("learned", torch.zeros((), dtype=torch.long))
        self.register_buffer("seed", torch.zeros((), dtype=torch.long))
        self.algorithm = algorithm
        self._fitted: Any = None

    def prepare(self, images: TrainingImages, generator: torch.Generator) -> None:
        """Compute the components, and store the coordinates of the training images."""
        self.principal.learn(images, generator)
        coordinates = self._coordinates(images.evenly_spaced(MAX_IMAGES))
        self.features[: len(coordinates)] = coordinates
        self.learned.fill_(len(coordinates))
        self.seed.random_(2**31, generator=generator)
        self._fitted = None

    def anomaly_score(self, images: Tensor) -> Tensor:
        """PyOD's decision function."""
        if self._fitted is None:
            self._fitted = _algorithm(self.algorithm, int(self.seed)).fit(
                self.features[: int(self.learned)].cpu().numpy().astype(np.float64)
            )
        scores = self._fitted.decision_function(self._coordinates(images).cpu().numpy().astype(np.float64))
        return torch.as_tensor(scores, dtype=torch.float32, device=images.device)

    def _coordinates(self, images: Tensor) -> Tensor:
        return self.principal(images) / self.principal.scatter


def _algorithm(name: str, seed: int) -> Any:
    # These imports load half of scikit-learn each, so they stand here.
    if name == "iforest":
        from pyod.models.iforest import IForest

        return IForest(random_state=seed)
    if name == "ocsvm":
        from pyod.models.ocsvm import OCSVM

        return OCSVM()
    if name == "knn":
        from pyod.models.knn import KNN

        return KNN()
    from pyod.models.lof import LOF

    return LOF()
