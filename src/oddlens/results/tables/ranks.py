"""Rows ranked over many tasks: mean ranks, Friedman's test, and Wilcoxon's with Holm's correction (Demšar 2006)."""

import pandas as pd
import scikit_posthocs
from scipy import stats

from oddlens.data.training_sets import LABELLED
from oddlens.results.tables.columns import ALL

RANKED = ("detector", "external", "reference", "control")
TASK = ["dataset", "training", "anomaly"]
"""A task is one anomaly class of one data set after training on one training set."""


def ranks_table(summary: pd.DataFrame) -> pd.DataFrame:
    """`ranks.csv`: a line per row with its mean rank over all tasks (1 is best) and Friedman's test of equal rows.

    Only rows with a value for every task are ranked. The others follow without a rank. Tasks of one data set share
    test images and are not independent, so the p-values here and in `wilcoxon.csv` are too small.
    """
    every, complete = _by_task(summary), _complete(summary)
    enough = complete.shape[1] > 2 and len(complete) > 1
    test = stats.friedmanchisquare(*complete.to_numpy().T) if enough else (float("nan"), float("nan"))
    table = pd.DataFrame({"role": summary.groupby("detector", sort=False)["role"].first().reindex(every.columns)})
    table["tasks"] = every.notna().sum()
    table["mean_rank"] = complete.rank(axis=1, ascending=False).mean()
    table["friedman_chi2"], table["friedman_p"] = (pd.Series(value, complete.columns) for value in test)
    return table.sort_values("mean_rank", kind="stable").rename_axis("detector").reset_index()


def wilcoxon_table(summary: pd.DataFrame) -> pd.DataFrame:
    """`wilcoxon.csv`: for all pairs of ranked rows the p of Wilcoxon's signed-rank test over tasks, with Holm's."""
    complete = _complete(summary)
    columns = ["a", "b", "tasks", "mean_difference", "p", "p_holm"]
    if complete.shape[1] < 2:
        return pd.DataFrame(columns=columns)
    complete = complete[complete.rank(axis=1, ascending=False).mean().sort_values(kind="stable").index]
    tidy = complete.melt(var_name="detector")
    plain, corrected = (
        scikit_posthocs.posthoc_wilcoxon(tidy, "value", "detector", zero_method="zsplit", p_adjust=adjust)
        for adjust in (None, "holm")
    )
    names = list(complete.columns)
    lines = [
        (a, b, len(complete), (complete[a] - complete[b]).mean(), plain.loc[a, b], corrected.loc[a, b])
        for k, a in enumerate(names)
        for b in names[k + 1 :]
    ]
    return pd.DataFrame(lines, columns=columns)


def _by_task(summary: pd.DataFrame) -> pd.DataFrame:
    """Seed-mean AUCs: a line for each task, a column for each row that may be ranked."""
    ranked = summary["role"].isin(RANKED) & (summary["anomaly"] != ALL) & (summary["contaminant"] != LABELLED)
    return summary[ranked].pivot(index=TASK, columns="detector", values="auc")


def _complete(summary: pd.DataFrame) -> pd.DataFrame:
    """The same for rows with a value for every task."""
    return _by_task(summary).dropna(axis=1)
