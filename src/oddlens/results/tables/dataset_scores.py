"""The scores of all models of one data set, from which all other tables are computed."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from oddlens.data.splits import IDENTITY
from oddlens.data.training_sets import parse_training_set
from oddlens.files.artefacts import DamagedFile
from oddlens.results.tables.columns import ALL, MODEL, UNCONTAMINATED
from oddlens.results.tables.correlated_aucs import CorrelatedAUCs
from oddlens.results.tables.score_files import model_columns, read_scores
from oddlens.statistics import metrics


@dataclass(frozen=True)
class DatasetScores:
    """The scores of all models of one data set on the same images.

    `images` identifies the images (pool, class, index) and `models` the models (contaminant, contamination, detector,
    seed, and status: ok or diverged). `values` has shape [models, images] and is NaN where a model diverged. `smooth`
    is the name of the normal class.
    """

    dataset: str
    smooth: str
    images: pd.DataFrame
    models: pd.DataFrame
    values: np.ndarray

    @classmethod
    def read(cls, paths: Iterable[Path | str], smooth: str) -> "DatasetScores":
        """Read the score tables of all rows on a data set. Rows may have different training sets.

        A table that is marked as `partial`, of outside scores, may lack images. Their values are NaN.

        Raises:
            DamagedFile: if a table was altered, or its images are not those of the first table.
        """
        images, names, values, dataset = None, [], [], ""
        for path in paths:
            table, about = read_scores(path)
            if images is None:
                images, dataset = table[IDENTITY], about["dataset"]
            position = _positions(table[IDENTITY], images, about.get("partial", False))
            if about["dataset"] != dataset or position is None:
                raise DamagedFile(path, f"its images are not those of the other detectors on {dataset}")
            for column in model_columns(table):
                training_set, _, seed = column.partition("/")
                score = table[column].to_numpy(float)
                status = "ok" if np.isfinite(score).all() and column not in about.get("diverged", {}) else "diverged"
                names.append((*parse_training_set(training_set), about["detector"], int(seed), status))
                values.append(np.full(len(images), np.nan))
                values[-1][position] = score
        if images is None:
            raise ValueError("there are no score tables to read")
        return cls(dataset, smooth, images, pd.DataFrame(names, columns=[*MODEL, "status"]), np.stack(values))

    @property
    def anomalies(self) -> list[str]:
        """The anomaly classes, followed by `all`."""
        test = self.images.loc[self.images["pool"] == "test", "class"].unique()
        return [*(cls for cls in test if cls != self.smooth), ALL]

    def positions(self, anomaly: str, pool: str = "test") -> np.ndarray:
        """The positions of the images of a class, or of all anomaly classes, in `images`."""
        cls = self.images["class"]
        chosen = cls != self.smooth if anomaly == ALL else cls == anomaly
        return np.flatnonzero(chosen & (self.images["pool"] == pool))

    def twins(self, anomalous: np.ndarray) -> np.ndarray:
        """The positions of the smooth twins of some anomalous test images, in the same order."""
        normal, lens = self.positions(self.smooth), self.images["index"].to_numpy()
        return pd.Series(normal, lens[normal])[lens[anomalous]].to_numpy()

    @property
    def converged(self) -> np.ndarray:
        """Which models converged, [models]."""
        return (self.models["status"] == "ok").to_numpy()

    @property
    def uncontaminated(self) -> np.ndarray:
        """Which models were trained on clean images or, if they need labels, on labelled ones, [models]."""
        return self.models["contaminant"].isin(UNCONTAMINATED).to_numpy()

    def aucs(
        self,
        anomaly: str,
        models: np.ndarray | None = None,
        anomalous: np.ndarray | None = None,
        normal: np.ndarray | None = None,
    ) -> CorrelatedAUCs:
        """AUCs of the models that converged and have scores of all these images.

        Args:
            anomaly: the anomaly class, or `all`.
            models: a mask of models, [models]; by default all.
            anomalous: positions of anomalous images; by default the test images of `anomaly`.
            normal: positions of normal images; by default the smooth test images.
        """
        anomalous = self.positions(anomaly) if anomalous is None else anomalous
        normal = self.positions(self.smooth) if normal is None else normal
        chosen = self.converged & (True if models is None else models)
        chosen &= np.isfinite(self.values[:, normal]).all(axis=1) & np.isfinite(self.values[:, anomalous]).all(axis=1)
        lens = self.images["index"].to_numpy()
        values = self.values[chosen]
        areas = metrics.areas(values[:, normal], values[:, anomalous], lens[normal], lens[anomalous])
        names = self.models.loc[chosen, MODEL].reset_index(drop=True)
        return CorrelatedAUCs(self.dataset, anomaly, names, areas)

    def aucs_by_anomaly(self) -> Iterator[CorrelatedAUCs]:
        """The AUCs of all models against each anomaly class, then against all together."""
        return (self.aucs(anomaly) for anomaly in self.anomalies)


def _positions(table: pd.DataFrame, images: pd.DataFrame, partial: bool) -> np.ndarray | None:
    """The position of each image of a table among all; None if they differ in more than images that may be missing."""
    if table.equals(images):
        return np.arange(len(images))
    number = pd.Series(np.arange(len(images)), pd.MultiIndex.from_frame(images))
    found = number.reindex(pd.MultiIndex.from_frame(table)) if partial else pd.Series([np.nan])
    return None if found.isna().any() else found.to_numpy(int)
