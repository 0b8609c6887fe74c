"""What a lens's own twins say about it: how often a smooth lens looks like it, and which masses would have been found.

*False alarms.* The probability that a smooth twin has at least as much evidence for a mass as the lens, with the lens
itself counted as one of them: (1 + number of such twins) / (1 + number of twins). With n twins it cannot be smaller
than 1 / (1 + n). A lens is one of many: among N smooth lenses the smallest of these probabilities is about 1 / N.

*Detection.* A planted mass is detected if its twin has more evidence for a mass than a threshold, which few of the
smooth twins exceed, and the mass that was found lies near the one that was planted. The scan of the lens predicts
the significance of the planted mass, its area over the scan's error there. The probability of a detection is a logistic
function of the logarithm of this significance, and maps of the smallest detectable mass follow.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.ndimage import map_coordinates
from sklearn.linear_model import LogisticRegression

from oddlens.observations.modelling.mass_scan import MassScan

STATISTIC = "log_evidence_gain"
NEAR_ARCSEC = 0.2
"""A mass that is found within this distance is the one that was planted."""
LEVELS = (0.5, 0.9)
MIN_EACH = 5
"""The logistic function needs this number of detected and of missed masses."""
WEAK_RIDGE = 10.0
"""Inverse strength of the ridge of the logistic regression."""


class Detection(NamedTuple):
    """Significances that the scan predicts for masses that are detected in half and in 90 % of twins."""

    half: float
    most: float


def false_alarm_probability(statistic: float, twins: pd.DataFrame) -> float:
    """The probability that a smooth twin has at least this statistic.

    Args:
        twins: lines of smooth twins (`planted.fit_twins`); those without a fit count as no evidence.
    """
    return exceedance(statistic, twins[STATISTIC].to_numpy(float))


def exceedance(statistic: float, null: np.ndarray) -> float:
    """The part of `null`, with the statistic itself as one of them, that is at least as large; NaN is smaller."""
    return float((1 + (null >= statistic).sum()) / (1 + len(null)))


def threshold(twins: pd.DataFrame, rate: float) -> float:
    """The statistic that a part `rate` of smooth twins exceeds; the largest of them if there are too few for that."""
    null = np.sort(twins[STATISTIC].fillna(-np.inf).to_numpy())[::-1]
    return float(null[int(rate * len(null))])


def predicted_significance(scan: MassScan, planted: pd.DataFrame) -> np.ndarray:
    """The significances that a scan predicts for planted masses; NaN beside the scan."""
    step = scan.along[1] - scan.along[0]
    row = (-planted["true_y"].to_numpy() - scan.along[0]) / step
    column = (planted["true_x"].to_numpy() - scan.along[0]) / step
    sigma = np.exp(map_coordinates(np.log(scan.area_sigma), [row, column], order=1, mode="nearest"))
    beside = np.maximum(np.abs(planted["true_y"]), np.abs(planted["true_x"])) > scan.along[-1] + step / 2
    return np.where(beside, np.nan, planted["true_area"] / sigma)


def detected(planted: pd.DataFrame, limit: float) -> np.ndarray:
    """Whether each planted mass was detected, and near its place."""
    offset = np.hypot(planted["y"] - planted["true_y"], planted["x"] - planted["true_x"])
    return ((planted[STATISTIC] > limit) & (offset < NEAR_ARCSEC)).to_numpy()


def detection(significance: np.ndarray, found: np.ndarray) -> Detection | None:
    """The significances of masses that are detected in half and in 90 % of cases; None if too few were or were not."""
    known = np.isfinite(significance)
    significance, found = significance[known], found[known]
    if min(found.sum(), (~found).sum()) < MIN_EACH:
        return None
    log = np.log(significance)[:, None]
    model = LogisticRegression(C=WEAK_RIDGE).fit(log, found)
    slope, offset = float(model.coef_[0, 0]), float(model.intercept_[0])
    if slope <= 0:
        return None
    return Detection(*(float(np.exp((np.log(level / (1 - level)) - offset) / slope)) for level in LEVELS))
