"""How well anomaly maps localise the substructure."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from oddlens.results.tables.columns import MODEL
from oddlens.results.tables.score_files import by_model, read_pixel_aucs
from oddlens.statistics import metrics

COLUMNS = ["dataset", *MODEL, "anomaly", "images", "pixel_auc", "pixel_auc_low", "pixel_auc_high"]


def anomaly_maps_table(paths: Iterable[Path | str]) -> pd.DataFrame:
    """`anomaly_maps.csv`: for each model with an anomaly map and each anomaly the pixel AUC, averaged over images.

    A pixel is anomalous if the noise-free twins differ there by more than the noise. Intervals are over images.
    """
    parts = [pd.DataFrame(columns=COLUMNS)]
    for table in by_model(map(read_pixel_aucs, paths)):
        width = metrics.HALF_WIDTH_SIGMA * table["pixel_auc_error"]
        table = table.assign(pixel_auc_low=table["pixel_auc"] - width, pixel_auc_high=table["pixel_auc"] + width)
        parts.append(table.rename(columns={"class": "anomaly"})[COLUMNS])
    return pd.concat(parts[1:] or parts)
