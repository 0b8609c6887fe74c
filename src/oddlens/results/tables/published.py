"""Published AUCs next to ours."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from oddlens.results.tables.columns import UNCONTAMINATED

PUBLISHED = Path(__file__).parent / "published.csv"
AS_PUBLISHED = "_published"
"""The suffix of rows that rebuild a published detector. The row without it is our version of the detector."""
OURS = ["auc", "auc_low", "auc_high", "seed_low", "seed_high", "tpr_at_fpr_01", "tpr_at_fpr_05"]


def published_table(summary: pd.DataFrame, reproduces: Mapping[str, str]) -> pd.DataFrame:
    """`published.csv`: each published AUC next to our rows of the same detector, after the same kind of training.

    The images, the noise and the numbers of images differ (docs/simulation.md, section 6). `source` is the place of
    the published value.

    Args:
        summary: the table `summary`.
        reproduces: for each of our data sets the published data set with which it is compared.
    """
    ours = summary.loc[summary["contaminant"].isin(UNCONTAMINATED), ["dataset", "detector", "anomaly", *OURS]]
    ours = ours.assign(published=ours["detector"].str.removesuffix(AS_PUBLISHED))
    published = pd.read_csv(PUBLISHED, comment="#").rename(columns={"dataset": "reproduces", "detector": "published"})
    datasets = pd.DataFrame(reproduces.items(), columns=["dataset", "reproduces"], dtype=str)
    table = datasets.merge(published, on="reproduces").merge(ours, on=["dataset", "published", "anomaly"], how="left")
    table["difference"] = table["auc"] - table["published_auc"]
    rates = ["published_tpr_01", "tpr_at_fpr_01", "published_tpr_05", "tpr_at_fpr_05"]
    keys = ["dataset", "reproduces", "published", "training", "anomaly", "published_auc", "detector"]
    return table[[*keys, *OURS[:5], "difference", *rates, "source"]]
