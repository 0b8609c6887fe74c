"""AUCs that share their test images, with their covariance."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from oddlens.results.tables.columns import ROW
from oddlens.statistics import metrics


@dataclass(frozen=True)
class CorrelatedAUCs:
    """AUCs of models, or of rows averaged over seeds, against one anomaly on the same test images.

    `names` has a line for each AUC. `areas` has the AUCs and their covariance over test images, from which any linear
    combination of them gets its interval.
    """

    dataset: str
    anomaly: str
    names: pd.DataFrame
    areas: metrics.Areas

    @cached_property
    def seed_means(self) -> "CorrelatedAUCs":
        """Means over seeds: a line for each row and training set."""
        group = self.names.groupby(ROW, sort=False).ngroup().to_numpy()
        member = (group == np.arange(group.max(initial=-1) + 1)[:, None]).astype(float)  # [rows, models]
        names = self.names[ROW].drop_duplicates().reset_index(drop=True)
        areas = self.areas.combined(member / member.sum(axis=1, keepdims=True))
        return CorrelatedAUCs(self.dataset, self.anomaly, names, areas)

    @cached_property
    def by_seed(self) -> pd.DataFrame:
        """AUCs with a line for each of `seed_means`, in the same order, and a column for each seed."""
        wide = self.names.assign(auc=self.areas.auc).pivot(index=ROW, columns="seed", values="auc")
        return wide.reindex(pd.MultiIndex.from_frame(self.seed_means.names))

    def table(self) -> pd.DataFrame:
        """The names with their AUCs and 95 % intervals over test images."""
        low, high = metrics.interval(self.areas.auc, self.areas.variance)
        table = self.names.assign(anomaly=self.anomaly, auc=self.areas.auc, auc_low=low, auc_high=high)
        table.insert(0, "dataset", self.dataset)
        return table
