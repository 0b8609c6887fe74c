"""False alarms and detections at a threshold that is set on validation images."""

import numpy as np
import pandas as pd

from oddlens.data.training_sets import CLEAN
from oddlens.results.tables.columns import MODEL
from oddlens.results.tables.dataset_scores import DatasetScores
from oddlens.statistics import metrics

RATE = 0.01
"""The false-alarm rate for which thresholds are set."""
LENSES = 100_000
"""The number of lenses, as in a survey, for which false alarms are counted."""
COLUMNS = ["dataset", *MODEL, "anomaly", "calibration", "n_validation", "n_normal", "false_alarms", "false_alarms_low"]
COLUMNS += ["false_alarms_high", "tpr", "tpr_low", "tpr_high"]


def false_alarms_table(scores: DatasetScores) -> pd.DataFrame:
    """`false_alarms.csv`: false alarms per 100,000 smooth lenses and the detected fraction of anomalies, by model.

    The threshold is the score that one in a hundred clean validation images exceeds. Its `calibration` is

    * `own`: set with the model itself, so that only the ranking of images matters;
    * `carried`: set with the clean model of the same row and seed, and applied to the model of a contaminated training
      set, so that a shift of the scores matters, too.

    Intervals are over test images for the given threshold (Clopper-Pearson). All anomalies together count as one trial
    for each lens, because twins are alike. Models that diverged have no values. There are no lines if no test image is
    known to be anomalous.
    """
    if not scores.anomalies:
        return pd.DataFrame(columns=COLUMNS)
    validation, normal = scores.positions(scores.smooth, "validation"), scores.positions(scores.smooth)
    own = metrics.threshold(scores.values[:, validation], RATE)
    parts = []
    for calibration, threshold in (("own", own), ("carried", _carried(scores.models, own))):
        false_alarms = _rates(scores, normal, threshold, "false_alarms")
        for anomaly in scores.anomalies:
            detected = _rates(scores, scores.positions(anomaly), threshold, "tpr")
            table = scores.models.assign(anomaly=anomaly, calibration=calibration, **false_alarms, **detected)
            parts.append(table if calibration == "own" else table[_contaminated(scores.models)])
    table = pd.concat(parts).assign(dataset=scores.dataset, n_validation=len(validation), n_normal=len(normal))
    table[["false_alarms", "false_alarms_low", "false_alarms_high"]] *= LENSES
    return table[COLUMNS]


def _contaminated(models: pd.DataFrame) -> pd.Series:
    """Which models have a clean model of the same row and are not clean themselves."""
    clean = models["contaminant"] == CLEAN
    return ~clean & models["detector"].isin(models.loc[clean, "detector"])


def _carried(models: pd.DataFrame, own: np.ndarray) -> np.ndarray:
    """For each model the threshold of the clean model of the same row and seed."""
    keys = ["detector", "seed"]
    clean = models.assign(threshold=own)[models["contaminant"] == CLEAN].set_index(keys)["threshold"]
    return clean.reindex(pd.MultiIndex.from_frame(models[keys])).to_numpy()


def _rates(scores: DatasetScores, images: np.ndarray, threshold: np.ndarray, name: str) -> dict[str, np.ndarray]:
    """The fraction of some images above the threshold of each model, and its interval; NaN where a value is unknown."""
    values, lenses = scores.values[:, images], scores.lens[images]
    unknown = np.isnan(threshold) | ~scores.converged | (len(images) == 0)
    rate = np.where(unknown, np.nan, (values > threshold[:, None]).sum(axis=1) / max(len(images), 1))
    low, high = metrics.rate_interval(rate, np.full(len(rate), max(len(np.unique(lenses)), 1)))
    return {name: rate, f"{name}_low": low, f"{name}_high": high}
