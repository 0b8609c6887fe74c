"""The scores of all models of one data set, from which all other tables are computed."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from oddlens.data.pools import UNLABELLED
from oddlens.data.splits import IDENTITY, LENS
from oddlens.data.training_sets import parse_training_set
from oddlens.files.artefacts import DamagedFile
from oddlens.results.tables.columns import ALL, MODEL, UNCONTAMINATED
from oddlens.results.tables.correlated_aucs import CorrelatedAUCs
from oddlens.results.tables.score_files import model_columns, read_scores
from oddlens.statistics import metrics

MIN_IMAGES = 2
"""An AUC with an interval needs so many images of each kind."""


@dataclass(frozen=True)
class DatasetScores:
    """The scores of all models of one data set on the same images.

    `images` identifies the images (pool, class, index) and `models` the models (contaminant, contamination, detector,
    seed, and status: ok or diverged). `values` has shape [models, images] and is NaN where a model diverged. `smooth`
    is the name of the normal class. `objects` numbers the objects of the user's own images, [images]; it is None for
    simulated images, which are twins if their index is equal. `decoys` are the classes of test images without
    substructure that must not be flagged: they are in no AUC and no anomalies.
    """

    dataset: str
    smooth: str
    images: pd.DataFrame
    models: pd.DataFrame
    values: np.ndarray
    objects: np.ndarray | None = None
    decoys: tuple[str, ...] = ()

    @classmethod
    def read(cls, paths: Iterable[Path | str], smooth: str) -> "DatasetScores":
        """Read the score tables of all rows on a data set. Rows may have different training sets.

        A table that is marked as `partial`, of outside scores, may lack images. Their values are NaN.

        Raises:
            DamagedFile: if a table was altered, or its images are not those of the first table.
        """
        images, objects, names, values, dataset, decoys = None, None, [], [], "", dict[str, None]()
        for path in paths:
            table, about = read_scores(path)
            if images is None:
                images, dataset = table[IDENTITY], about["dataset"]
                objects = table[LENS].to_numpy() if LENS in table else None
            decoys |= dict.fromkeys(about.get("decoys", ()))
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
        models = pd.DataFrame(names, columns=[*MODEL, "status"])
        return cls(dataset, smooth, images, models, np.stack(values), objects, tuple(decoys))

    @property
    def simulated(self) -> bool:
        """Whether the images are simulated, in twins. The user's own images have neither twins nor a true model."""
        return self.objects is None

    @property
    def lens(self) -> np.ndarray:
        """The number of the lens that each image shows, [images]. Images of one lens are not independent."""
        return self.images["index"].to_numpy() if self.objects is None else self.objects

    @property
    def anomalies(self) -> list[str]:
        """The anomaly classes of the test images, followed by `all`; none if no test image is known to be anomalous."""
        test = self.images.loc[self.images["pool"] == "test", "class"].unique()
        classes = [cls for cls in test if cls not in (self.smooth, UNLABELLED, *self.decoys)]
        return [*classes, ALL] if classes else []

    @property
    def judged(self) -> list[str]:
        """Those of `anomalies` with an AUC: at least two images, and two of the normal class, are tested."""
        if len(self.positions(self.smooth)) < MIN_IMAGES:
            return []
        return [anomaly for anomaly in self.anomalies if len(self.positions(anomaly)) >= MIN_IMAGES]

    def positions(self, anomaly: str, pool: str = "test") -> np.ndarray:
        """The positions of the images of a class, or of all anomaly classes, in `images`."""
        cls = self.images["class"]
        normal = [self.smooth, UNLABELLED, *self.decoys]
        chosen = ~cls.isin(normal) if anomaly == ALL else cls == anomaly
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
        lens = self.lens
        values = self.values[chosen]
        areas = metrics.areas(values[:, normal], values[:, anomalous], lens[normal], lens[anomalous])
        names = self.models.loc[chosen, MODEL].reset_index(drop=True)
        return CorrelatedAUCs(self.dataset, anomaly, names, areas)

    def aucs_by_anomaly(self) -> Iterator[CorrelatedAUCs]:
        """The AUCs of all models against each anomaly class that has one, then against all together."""
        return (self.aucs(anomaly) for anomaly in self.judged)


def _positions(table: pd.DataFrame, images: pd.DataFrame, partial: bool) -> np.ndarray | None:
    """The position of each image of a table among all; None if they differ in more than images that may be missing."""
    if table.equals(images):
        return np.arange(len(images))
    number = pd.Series(np.arange(len(images)), pd.MultiIndex.from_frame(images))
    found = number.reindex(pd.MultiIndex.from_frame(table)) if partial else pd.Series([np.nan])
    return None if found.isna().any() else found.to_numpy(int)
