"""A classical outlier detector of PyOD on the leading principal components of an image.

Zhao, Nasrullah & Li 2019 (arXiv:1901.01588). It is the reference for detectors that are made for images.
"""

import importlib
import inspect
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import PositiveInt
from torch import Tensor

from oddlens.detectors.blocks.components import PrincipalComponents
from oddlens.detectors.interface.base import Detector
from oddlens.training.images import TrainingImages

MAX_IMAGES = 5_000
"""The largest number of training images that is used: the cost of some algorithms grows with its square."""
ALGORITHMS: dict[str, tuple[str, dict[str, Any]]] = {
    "abod": ("ABOD", {}),
    "gmm": ("GMM", {}),
    "hbos": ("HBOS", {}),
    "iforest": ("IForest", {}),
    "inne": ("INNE", {}),
    "kde": ("KDE", {}),
    "knn": ("KNN", {}),
    "kpca": ("KPCA", {"sampling": True, "subset_size": 0.2}),  # of 5,000 images all would take minutes
    "loda": ("LODA", {}),
    "lof": ("LOF", {}),
    "mcd": ("MCD", {}),
    "ocsvm": ("OCSVM", {}),
    "pca": ("PCA", {}),
    "sampling": ("Sampling", {}),
}
"""For each algorithm its class in the module `pyod.models.<algorithm>`, and arguments other than the default ones.

`contamination` is never among them: it sets PyOD's threshold alone, and the fraction of anomalies is unknown.
"""


class Outlier(Detector):
    """One of `ALGORITHMS`, with the default settings of PyOD, on whitened coordinates.

    A fitted algorithm would have to be pickled. The saved model therefore holds the coordinates that the algorithm is
    fitted to. The fit is repeated, with an equal result, when the first score is computed.
    """

    role = "reference"
    refused: ClassVar = {
        "algorithm": {
            "cblof": "it needs clusters of unequal size, which whitened coordinates lack: use gmm",
            "cd": "its score of an image depends on the batch: use mcd",
            "cof": "its score of an image depends on the batch: use lof",
            "copod": "its score of an image depends on the batch: use hbos",
            "ecod": "its score of an image depends on the batch: use hbos",
            "hdbscan": "it hardly separated outliers in a trial: use lof",
            "lmdd": "it hardly separated outliers in a trial: use mcd",
            "loci": "it takes minutes for a thousand images: use lof",
            "mad": "it is for a single feature: use hbos",
            "qmcd": "it hardly separated outliers in a trial: use mcd",
            "rgraph": "it takes minutes for a thousand images: use knn",
            "rod": "it takes minutes for a thousand images: use mcd",
            "sod": "its score of an image depends on the batch: use knn",
            "sos": "its score of an image depends on the batch: use knn",
        }
    }
    features: Tensor
    learned: Tensor
    seed: Tensor

    def __init__(
        self,
        pixels: int,
        *,
        algorithm: Literal[
            "abod",
            "gmm",
            "hbos",
            "iforest",
            "inne",
            "kde",
            "knn",
            "kpca",
            "loda",
            "lof",
            "mcd",
            "ocsvm",
            "pca",
            "sampling",
        ] = "iforest",
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
    """An algorithm that is not fitted yet, with a seed if it is random. The import loads half of scikit-learn."""
    import pyod  # its modules are imported by name below

    kind, arguments = ALGORITHMS[name]
    algorithm = getattr(importlib.import_module(f"{pyod.__name__}.models.{name}"), kind)
    if "random_state" in inspect.signature(algorithm).parameters:
        arguments = {**arguments, "random_state": seed}
    return algorithm(**arguments)
