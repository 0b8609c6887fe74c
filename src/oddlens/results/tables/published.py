"""What others published, beside what we measure."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from oddlens.results.tables.conventions import HOME

PUBLISHED = Path(__file__).parent / "published.csv"
AS_PUBLISHED = "_published"
"""How a row is called that rebuilds a published detector; the row without it is our version of it."""
OURS = ["auc", "auc_low", "auc_high", "seed_low", "seed_high", "tpr_at_fpr_01", "tpr_at_fpr_05"]


def published_table(summary: pd.DataFrame, reproduces: Mapping[str, str]) -> pd.DataFrame:
    """`published.csv`: each published AUC beside our rows of that detector, after like `training`: clean or labelled.

    `reproduces` has for each data set of ours the published one that it is held against. The images, noise and counts
    differ (docs/simulation.md, section 6); `source` says where the published figure stands.
    """
    ours = summary.loc[summary["contaminant"].isin(HOME), ["dataset", "detector", "anomaly", *OURS]]
    ours = ours.assign(published=ours["detector"].str.removesuffix(AS_PUBLISHED))
    published = pd.read_csv(PUBLISHED, comment="#").rename(columns={"dataset": "reproduces", "detector": "published"})
    held = pd.DataFrame(reproduces.items(), columns=["dataset", "reproduces"], dtype=str)
    table = held.merge(published, on="reproduces").merge(ours, on=["dataset", "published", "anomaly"], how="left")
    table["difference"] = table["auc"] - table["published_auc"]
    rates = ["published_tpr_01", "tpr_at_fpr_01", "published_tpr_05", "tpr_at_fpr_05"]
    keys = ["dataset", "reproduces", "published", "training", "anomaly", "published_auc", "detector"]
    return table[[*keys, *OURS[:5], "difference", *rates, "source"]]
