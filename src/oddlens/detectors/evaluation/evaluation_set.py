"""The images that models are evaluated on, and the scores, findings and pixel AUCs of a model."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from oddlens.data import splits
from oddlens.data.pseudo_anomalies import PSEUDO_ANOMALY
from oddlens.data.twins import Twins
from oddlens.detectors.interface.base import Detector
from oddlens.detectors.interface.capabilities import MapsAnomalies
from oddlens.detectors.interface.image_module import BATCH_SIZE
from oddlens.statistics.pixel_auc import pixel_aucs

BATCHES_IN_MEMORY = 8
ANOMALOUS_PIXEL_SIGMA = 1.0
"""A pixel is anomalous if the noise-free images of twins differ by more than this many deviations of its noise."""
N_MAPPED = 512
"""Test images of each class whose anomaly maps are evaluated."""


@dataclass(frozen=True)
class EvaluationSet:
    """Test and validation images, and a pseudo-anomaly for each validation image.

    Args:
        inputs: what models get for each image: the images themselves, or residual inputs, [n, pixels, pixels].
        pseudo_anomalies: likewise for each pseudo-anomaly.
    """

    twins: Twins
    inputs: np.ndarray
    pseudo_anomalies: np.ndarray

    @property
    def names(self) -> pd.DataFrame:
        """Pool, class, index and, if it is known, lens of all images with a score; pseudo-anomalies last."""
        table = self.twins.table
        names = table[splits.IDENTITY]
        if splits.LENS in table:
            names = names.assign(**{splits.LENS: table[splits.LENS].astype(int)})
        perturbed = names.loc[self.twins.validation].assign(**{"class": PSEUDO_ANOMALY})
        return pd.concat([names, perturbed], ignore_index=True)

    @property
    def inputs_are_images(self) -> bool:
        """Whether models get the images themselves."""
        return self.inputs is self.twins.images

    def scores_and_findings(self, model: Detector) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """The scores and findings of all images, in the order of `names`."""
        count = len(self.inputs)
        parts = np.array_split(np.arange(count), -(-count // (BATCHES_IN_MEMORY * BATCH_SIZE)))
        results = [model.scores_and_findings(self.inputs[rows], truth=self.truth(model, rows)) for rows in parts]
        truth = self.truth(model, self.twins.validation)
        results.append(model.scores_and_findings(self.pseudo_anomalies, truth=truth))
        scores, findings = zip(*results, strict=True)
        by_name = {name: np.concatenate([part[name] for part in findings]) for name in model.findings}
        return np.concatenate(scores), by_name

    def truth(self, model: Detector, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """The true smooth model of images and their noise, for a model that needs them."""
        return self.twins.truth(rows) if model.needs == "truth" else None

    def pixel_aucs(self, model: Detector) -> Iterator[dict]:
        """The mean AUC of the pixels of anomaly maps, for each anomaly class; nothing without maps or without twins."""
        if not isinstance(model, MapsAnomalies) or not self.twins.exist:
            return
        for cls in self.twins.anomalies:
            rows = self.twins.test_rows(cls, N_MAPPED)
            maps = model.anomaly_maps(self.inputs[rows], truth=self.truth(model, rows))
            anomalous = np.abs(self.twins.difference(rows)) > ANOMALOUS_PIXEL_SIGMA * self.twins.sigma[rows]
            aucs = pixel_aucs(maps.reshape(len(rows), -1), anomalous.reshape(len(rows), -1))
            if len(aucs) > 1:
                error = aucs.std(ddof=1) / np.sqrt(len(aucs))
                yield {"class": cls, "pixel_auc": aucs.mean(), "pixel_auc_error": error, "images": len(aucs)}

    def normal_inputs(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """The inputs of normal images, and of as many others; see `Twins.normal_rows`."""
        one, other = self.twins.normal_rows(count)
        return self.inputs[one], self.inputs[other]
