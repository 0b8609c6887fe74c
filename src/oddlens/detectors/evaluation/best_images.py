"""Reconstructions and anomaly maps of real lenses by the best detectors, for their figures."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from oddlens.detectors.evaluation.row_models import RowModel
from oddlens.detectors.interface.capabilities import RESIDUAL_INPUTS, MapsAnomalies, ProvidesResiduals, Reconstructs


@dataclass(frozen=True)
class DerivedImages:
    """Images that a detector derives from the images of lenses."""

    title: str
    kind: Literal["image", "residual", "map"]
    images: np.ndarray  # [lenses, pixels, pixels]


@dataclass
class BestImages:
    """The reconstructions and the maps of those rows that have them and whose AUC is the highest so far."""

    reconstructions: list[DerivedImages] = field(default_factory=list)
    maps: list[DerivedImages] = field(default_factory=list)
    _reconstruction_auc: float = -1.0
    _map_auc: float = -1.0

    def update(self, model: RowModel, images: np.ndarray, auc: float) -> None:
        """Replace what is kept by what a model makes of images [lenses, pixels, pixels] if its AUC is higher.

        Models that take residual inputs are ignored.
        """
        if model.fitter:
            return
        if auc > self._reconstruction_auc and isinstance(model.model, Reconstructs):
            self._reconstruction_auc = auc
            self.reconstructions = _reconstructions(model.row, model.model, images)
        if auc > self._map_auc and isinstance(model.model, ProvidesResiduals | MapsAnomalies):
            self._map_auc = auc
            self.maps = [_map(model.row, model.model, images)]

    def all(self) -> list[DerivedImages]:
        """The reconstructions, their residuals, and the maps."""
        return [*self.reconstructions, *self.maps]


def _reconstructions(row: str, model: Reconstructs, images: np.ndarray) -> list[DerivedImages]:
    reconstructions = model.reconstructions(images)
    return [
        DerivedImages(f"reconstructed by {row}", "image", reconstructions),
        DerivedImages("residual", "residual", images - reconstructions),
    ]


def _map(row: str, model: ProvidesResiduals | MapsAnomalies, images: np.ndarray) -> DerivedImages:
    """The significance of a mass at each position if the model knows it, and its anomaly map otherwise."""
    if isinstance(model, ProvidesResiduals):
        significance = model.residual_inputs(images)[:, RESIDUAL_INPUTS.index("scan")]
        return DerivedImages(f"mass by {row} [σ]", "map", significance)
    return DerivedImages(f"anomaly map, {row}", "map", model.anomaly_maps(images))
