"""What a user would meet: a threshold set once for few false alarms, and how many there are after all."""

import numpy as np
import pandas as pd

from oddlens.data.training_sets import CLEAN
from oddlens.results.tables.conventions import MODEL
from oddlens.results.tables.scored import Scored
from oddlens.statistics import metrics

RATE = 0.01
"""The rate of false alarms for which thresholds are set."""
LENSES = 100_000
"""Lenses of a survey, for which false alarms are counted."""
COLUMNS = ["dataset", *MODEL, "anomaly", "calibration", "n_validation", "n_normal", "false_alarms", "false_alarms_low"]
COLUMNS += ["false_alarms_high", "tpr", "tpr_low", "tpr_high"]


def false_alarms_table(scored: Scored) -> pd.DataFrame:
    """`false_alarms.csv`: false alarms per 100,000 smooth lenses, and the part of the odd ones found, for each model.

    The threshold is the score that one in a hundred clean validation images exceeds. Its `calibration` is
    * `own`: set with the model itself, so only the ranking matters;
    * `carried`: set with the clean model of the same row and seed, and kept when the training set turned out to be
      contaminated, so a shift of the scores matters too.

    Intervals are over test images for the threshold as it is (Clopper-Pearson). All anomalies together count as one
    draw for each lens, since its odd twins are alike. Models that diverged have no figures.
    """
    validation, normal = scored.positions(scored.smooth, "validation"), scored.positions(scored.smooth)
    own = metrics.threshold(scored.values[:, validation], RATE)
    parts = []
    for calibration, limit in (("own", own), ("carried", _carried(scored.models, own))):
        false_alarms = dict(
            zip(("false_alarms", "false_alarms_low", "false_alarms_high"), _rates(scored, normal, limit), strict=True)
        )
        for anomaly in scored.anomalies:
            found = dict(
                zip(("tpr", "tpr_low", "tpr_high"), _rates(scored, scored.positions(anomaly), limit), strict=True)
            )
            table = scored.models.assign(anomaly=anomaly, calibration=calibration, **false_alarms, **found)
            parts.append(table if calibration == "own" else table[_contaminated(scored.models)])
    table = pd.concat(parts).assign(dataset=scored.dataset, n_validation=len(validation), n_normal=len(normal))
    table[["false_alarms", "false_alarms_low", "false_alarms_high"]] *= LENSES
    return table[COLUMNS]


def _contaminated(models: pd.DataFrame) -> pd.Series:
    """Which models have a clean one to take a threshold from, and are not it."""
    clean = models["contaminant"] == CLEAN
    return ~clean & models["detector"].isin(models.loc[clean, "detector"])


def _carried(models: pd.DataFrame, own: np.ndarray) -> np.ndarray:
    """The threshold of the clean model of the same row and seed, for every model."""
    keys = ["detector", "seed"]
    clean = models.assign(limit=own)[models["contaminant"] == CLEAN].set_index(keys)["limit"]
    return clean.reindex(pd.MultiIndex.from_frame(models[keys])).to_numpy()


def _rates(scored: Scored, where: np.ndarray, limit: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The part of some images over the limit of each model, and its interval; NaN where scores or limit are."""
    scores, lenses = scored.values[:, where], scored.images["index"].to_numpy()[where]
    unknown = np.isnan(limit) | (scored.models["status"] != "ok").to_numpy()
    over = np.where(unknown, np.nan, (scores > limit[:, None]).mean(axis=1))
    return over, *metrics.rate_interval(over, np.full(len(over), len(np.unique(lenses))))
