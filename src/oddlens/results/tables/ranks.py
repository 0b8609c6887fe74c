"""Who is best over many tasks: mean ranks, Friedman's test and Wilcoxon's with Holm's correction (Demšar 2006)."""

import pandas as pd
import scikit_posthocs
from scipy import stats

from oddlens.data.training_sets import LABELLED
from oddlens.results.tables.conventions import ALL

RANKED = ("detector", "reference", "control")
BLOCK = ["dataset", "training", "anomaly"]
"""A task: one kind of anomaly on one data set after one kind of training."""


def ranks_table(summary: pd.DataFrame) -> pd.DataFrame:
    """`ranks.csv`: a line per row, with its mean rank over all tasks (1 is best) and Friedman's test of all alike.

    Only rows with a figure for every task are ranked; the others stand below, without a rank. Tasks of one data set
    share test images and are not independent, so the p here and in `wilcoxon.csv` are rather too small.
    """
    wide, blocks = _wide(summary), _ranked(summary)
    test = stats.friedmanchisquare(*blocks.to_numpy().T) if blocks.shape[1] > 2 and len(blocks) > 1 else (None, None)
    table = pd.DataFrame({"role": summary.groupby("detector", sort=False)["role"].first().reindex(wide.columns)})
    table["tasks"] = wide.notna().sum()
    table["mean_rank"] = blocks.rank(axis=1, ascending=False).mean()
    table["friedman_chi2"], table["friedman_p"] = (
        pd.Series(float("nan") if x is None else x, blocks.columns) for x in test
    )
    return table.sort_values("mean_rank", kind="stable").rename_axis("detector").reset_index()


def wilcoxon_table(summary: pd.DataFrame) -> pd.DataFrame:
    """`wilcoxon.csv`: for all pairs of ranked rows the p of Wilcoxon's signed-rank test over tasks, with Holm's."""
    blocks = _ranked(summary)
    columns = ["a", "b", "tasks", "mean_difference", "p", "p_holm"]
    if blocks.shape[1] < 2:
        return pd.DataFrame(columns=columns)
    blocks = blocks[blocks.rank(axis=1, ascending=False).mean().sort_values(kind="stable").index]
    tidy = blocks.melt(var_name="detector")
    plain, corrected = (
        scikit_posthocs.posthoc_wilcoxon(tidy, "value", "detector", zero_method="zsplit", p_adjust=adjust)
        for adjust in (None, "holm")
    )
    names = list(blocks.columns)
    lines = [
        (a, b, len(blocks), (blocks[a] - blocks[b]).mean(), plain.loc[a, b], corrected.loc[a, b])
        for k, a in enumerate(names)
        for b in names[k + 1 :]
    ]
    return pd.DataFrame(lines, columns=columns)


def _wide(summary: pd.DataFrame) -> pd.DataFrame:
    """Seed-mean AUCs: a line for each task, a column for each row that may be ranked."""
    ranked = summary["role"].isin(RANKED) & (summary["anomaly"] != ALL) & (summary["contaminant"] != LABELLED)
    return summary[ranked].pivot(index=BLOCK, columns="detector", values="auc")


def _ranked(summary: pd.DataFrame) -> pd.DataFrame:
    return _wide(summary).dropna(axis=1)
