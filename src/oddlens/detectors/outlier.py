"""A classical outlier detector of PyOD on the leading principal components of an image.

Zhao, Nasrullah & Li 2019 (arXiv:1901.01588). What a general detector is worth that knows nothing of images.
"""

from typing import Any, Literal

import numpy as np
import torch
from pydantic import PositiveInt
from torch import Tensor

from oddlens.detectors.blocks.components import PrincipalComponents
from oddlens.detectors.interface.base import Detector
from oddlens.training.images import Images

LEARN_FROM = 5_000
"""Training images at most: the cost of some of these grows with the square of their number."""


class Outlier(Detector):
    """`iforest`, `ocsvm`, `knn` or `lof`, with the settings of PyOD, on whitened coordinates.

    The saved model is what the algorithm learns from, not the algorithm, which would have to be pickled: it is fitted
    when the first score is asked for, to the same result.
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
        self.register_buffer("features", torch.zeros(LEARN_FROM, self.principal.count))
        self.register_buffer("learned", torch.zeros((), dtype=torch.long))
        self.register_buffer("seed", torch.zeros((), dtype=torch.long))
        self.algorithm = algorithm
        self._fitted: Any = None

    def prepare(self, images: Images, generator: torch.Generator) -> None:
        """Learn the components, and keep the coordinates of the training images."""
        self.principal.learn(images, generator)
        chosen = self._coordinates(images.some(LEARN_FROM))
        self.features[: len(chosen)] = chosen
        self.learned.fill_(len(chosen))
        self.seed.random_(2**31, generator=generator)
        self._fitted = None

    def _coordinates(self, images: Tensor) -> Tensor:
        return self.principal(images) / self.principal.scatter

    def anomaly(self, images: Tensor) -> Tensor:
        """PyOD's decision function."""
        if self._fitted is None:
            self._fitted = _algorithm(self.algorithm, int(self.seed)).fit(
                self.features[: int(self.learned)].cpu().numpy().astype(np.float64)
            )
        found = self._fitted.decision_function(self._coordinates(images).cpu().numpy().astype(np.float64))
        return torch.as_tensor(found, dtype=torch.float32, device=images.device)


def _algorithm(name: str, seed: int) -> Any:
    # Here and not above: each loads half of scikit-learn.
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
