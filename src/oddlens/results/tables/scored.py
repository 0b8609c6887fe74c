"""All scores of one data set side by side, and the AUCs they give: what every other table is made of."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from oddlens.data.splits import IDENTITY
from oddlens.data.training_sets import parse_training_set
from oddlens.files.artefacts import DamagedFile
from oddlens.results.tables.conventions import ALL, HOME, MODEL, ROW, models, read_scores
from oddlens.statistics import metrics


@dataclass(frozen=True)
class Block:
    """AUCs against one anomaly, which share their test images: of models, or of rows whose seeds were averaged.

    `names` has a line for each AUC; `areas` has them with their covariance, so any sum of them has an interval.
    """

    dataset: str
    anomaly: str
    names: pd.DataFrame
    areas: metrics.Areas

    @cached_property
    def rows(self) -> "Block":
        """Means over seeds."""
        group = self.names.groupby(ROW, sort=False).ngroup().to_numpy()
        member = (group == np.arange(group.max(initial=-1) + 1)[:, None]).astype(float)  # [rows, models]
        names = self.names[ROW].drop_duplicates().reset_index(drop=True)
        return Block(self.dataset, self.anomaly, names, self.areas.combined(member / member.sum(axis=1, keepdims=True)))

    @cached_property
    def by_seed(self) -> pd.DataFrame:
        """AUCs with a line for each of `rows`, in the same order, and a column for each seed."""
        wide = self.names.assign(auc=self.areas.auc).pivot(index=ROW, columns="seed", values="auc")
        return wide.reindex(pd.MultiIndex.from_frame(self.rows.names))

    def table(self) -> pd.DataFrame:
        """The names with their AUCs and intervals over test images."""
        low, high = metrics.interval(self.areas.auc, self.areas.variance)
        named = self.names.assign(anomaly=self.anomaly, auc=self.areas.auc, auc_low=low, auc_high=high)
        named.insert(0, "dataset", self.dataset)
        return named


@dataclass(frozen=True)
class Scored:
    """The scores of all models of one data set on the same images.

    `images` names them (pool, class, index) and `models` the models (contaminant, contamination, detector, seed, and
    status: ok or diverged); `values` is [models, images], NaN where a model diverged.
    """

    dataset: str
    smooth: str
    images: pd.DataFrame
    models: pd.DataFrame
    values: np.ndarray

    @classmethod
    def read(cls, paths: Iterable[Path | str], smooth: str) -> "Scored":
        """From the score tables of all detectors of a data set, which may have other training sets each.

        Raises:
            DamagedFile: if a table is altered, or of other images than the first.
        """
        images, names, values, dataset = None, [], [], ""
        for path in paths:
            table, about = read_scores(path)
            if images is None:
                images, dataset = table[IDENTITY], about["dataset"]
            if about["dataset"] != dataset or not table[IDENTITY].equals(images):
                raise DamagedFile(path, f"its images are not those of the other detectors on {dataset}")
            for column in models(table):
                training_set, _, seed = column.partition("/")
                score = table[column].to_numpy(float)
                status = "ok" if np.isfinite(score).all() and column not in about.get("diverged", {}) else "diverged"
                names.append((*parse_training_set(training_set), about["detector"], int(seed), status))
                values.append(score)
        if images is None:
            raise ValueError("there are no score tables to read")
        return cls(dataset, smooth, images, pd.DataFrame(names, columns=[*MODEL, "status"]), np.stack(values))

    @property
    def anomalies(self) -> list[str]:
        """The classes to be found, and all of them together last."""
        test = self.images.loc[self.images["pool"] == "test", "class"].unique()
        return [*(cls for cls in test if cls != self.smooth), ALL]

    def positions(self, anomaly: str, pool: str = "test") -> np.ndarray:
        """Where the images of a class (or of all odd ones) are."""
        cls = self.images["class"]
        chosen = cls != self.smooth if anomaly == ALL else cls == anomaly
        return np.flatnonzero(chosen & (self.images["pool"] == pool))

    def twins(self, odd: np.ndarray) -> np.ndarray:
        """Where the smooth test images of the lenses of some odd ones are, in their order."""
        normal, lens = self.positions(self.smooth), self.images["index"].to_numpy()
        return pd.Series(normal, lens[normal])[lens[odd]].to_numpy()

    @property
    def at_home(self) -> np.ndarray:
        """Which models were trained on clean images (or labelled ones), [models]."""
        return self.models["contaminant"].isin(HOME).to_numpy()

    def block(
        self,
        anomaly: str,
        among: np.ndarray | None = None,
        odd: np.ndarray | None = None,
        normal: np.ndarray | None = None,
    ) -> Block:
        """AUCs of the models that converged (`among` those of a mask), of some odd and normal images or of all."""
        odd = self.positions(anomaly) if odd is None else odd
        normal = self.positions(self.smooth) if normal is None else normal
        chosen = (self.models["status"] == "ok").to_numpy() & (True if among is None else among)
        lens = self.images["index"].to_numpy()
        values = self.values[chosen]
        found = metrics.areas(values[:, normal], values[:, odd], lens[normal], lens[odd])
        return Block(self.dataset, anomaly, self.models.loc[chosen, MODEL].reset_index(drop=True), found)

    def blocks(self) -> Iterator[Block]:
        """The AUCs of all models against each anomaly."""
        return (self.block(anomaly) for anomaly in self.anomalies)
