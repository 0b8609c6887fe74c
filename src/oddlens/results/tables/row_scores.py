"""The scores of one row after clean (or labelled) training, and their thresholds for false-alarm rates."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from oddlens.results.tables.columns import ROW
from oddlens.results.tables.dataset_scores import DatasetScores
from oddlens.statistics import metrics


@dataclass(frozen=True)
class RowScores:
    """The scores of the models of one row, [seeds, images], which are NaN where an image has none."""

    detector: str
    models: pd.DataFrame
    values: np.ndarray

    def threshold(self, images: np.ndarray, rate: float) -> np.ndarray:
        """The score that a fraction `rate` of some images exceeds, for each seed; NaN if they are fewer than 1 / rate.

        Images without a score do not count.
        """
        return np.array([_threshold(values[np.isfinite(values)], rate) for values in self.values[:, images]])

    def above(self, images: np.ndarray, threshold: np.ndarray) -> np.ndarray:
        """Whether the score of each image is above the threshold of its seed, [seeds, images]; without a score: no."""
        return self.values[:, images] > threshold[:, None]

    def fraction_above(self, images: np.ndarray, threshold: np.ndarray) -> float:
        """The fraction of some images above the threshold, averaged over seeds; NaN if a threshold is unknown."""
        unknown = np.isnan(threshold).any() or not len(images)
        return np.nan if unknown else float(self.above(images, threshold).mean())

    def scored(self, images: np.ndarray) -> int:
        """How many of some images have a score of each seed."""
        return int(np.isfinite(self.values[:, images]).all(axis=0).sum())


def _threshold(normal: np.ndarray, rate: float) -> float:
    return float(metrics.threshold(normal, rate)) if len(normal) >= fewest_images(rate) else np.nan


def fewest_images(rate: float) -> int:
    """The number of images of which a fraction `rate` is at least one."""
    return int(np.ceil(1 / rate - 1e-6))


def rows_of(scores: DatasetScores) -> Iterator[RowScores]:
    """The rows of a data set with models that converged after clean (or labelled) training."""
    models = scores.models[scores.uncontaminated & scores.converged]
    for (*_, detector), of_row in models.groupby(ROW, sort=False):
        yield RowScores(str(detector), of_row, scores.values[of_row.index.to_numpy()])


def with_interval(table: pd.DataFrame, name: str, trials: pd.Series) -> pd.DataFrame:
    """A table with the columns `<name>_low` and `<name>_high` of the fraction `name` (Clopper-Pearson)."""
    low, high = metrics.rate_interval(table[name].to_numpy(float), trials.to_numpy(float))
    return table.assign(**{f"{name}_low": low, f"{name}_high": high})
