"""Whether anomaly maps point at the right pixels."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from oddlens.data.training_sets import parse_training_set
from oddlens.results.tables.conventions import MODEL, read_pixels
from oddlens.statistics import metrics

COLUMNS = ["dataset", *MODEL, "anomaly", "images", "pixel_auc", "pixel_auc_low", "pixel_auc_high"]


def pixels_table(paths: Iterable[Path | str]) -> pd.DataFrame:
    """`pixels.csv`: for each model with a map and each anomaly the mean AUC of its pixels over images."""
    parts = [pd.DataFrame(columns=COLUMNS)]
    for table, about in map(read_pixels, paths):
        if len(table):
            names = pd.DataFrame(
                [parse_training_set(training_set) for training_set in table["training_set"]],
                columns=MODEL[:2],
                index=table.index,
            )
            table = table.rename(columns={"class": "anomaly"}).assign(**names)
            width = metrics.NORMAL * table["pixel_auc_error"]
            table = table.assign(pixel_auc_low=table["pixel_auc"] - width, pixel_auc_high=table["pixel_auc"] + width)
            parts.append(table.assign(dataset=about["dataset"], detector=about["detector"])[COLUMNS])
    return pd.concat(parts[1:] or parts)
