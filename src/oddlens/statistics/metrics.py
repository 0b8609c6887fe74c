"""How well scores rank anomalies above normal images, and how sure that is.

Two kinds of chance are kept apart everywhere: which images were drawn for the test (here: `areas`, by placements), and
which model a seed happened to give (`over_seeds`, Student's t over seeds).
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse, stats
from sklearn.metrics import average_precision_score, roc_curve
from statsmodels.stats.proportion import proportion_confint

LEVEL = 0.95
"""The confidence of every interval."""
NORMAL = stats.norm.ppf((1 + LEVEL) / 2)
"""Half the width of such an interval of something normal, in standard deviations."""
_ROUNDING = 1e-18
"""Variances under this are rounding: one image that changes its rank among 10,000 gives more."""


# --- areas under the curve -------------------------------------------------------------------------------------------


def placements(normal: np.ndarray, anomalous: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each anomalous image the part of the normal ones beneath it, V10; of each normal one the part above it, V01.

    By midranks (Sun & Xu 2014), so ties count a half. Shapes [models, n] and [models, m] give [models, m] and
    [models, n]; the AUC is the mean of either.
    """
    m, n = anomalous.shape[-1], normal.shape[-1]
    if m < 2 or n < 2:
        raise ValueError(f"an AUC with an interval needs two images of each kind, got {n} normal and {m} anomalous")
    ranks = stats.rankdata(np.concatenate([anomalous, normal], axis=-1), axis=-1)
    v10 = (ranks[..., :m] - stats.rankdata(anomalous, axis=-1)) / n
    v01 = 1 - (ranks[..., m:] - stats.rankdata(normal, axis=-1)) / m
    return v10, v01


def normal_scores(normal: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """What scores [..., m] are in units in which those of normal images are standard normal, [..., m].

    By the rank of each among normal images at hand [..., n], ties by half (van der Waerden 1952). The largest possible
    is Phi^-1((n + 1) / (n + 2)), 3.3 for 2,500 images.
    """
    n = normal.shape[-1]
    below = n * placements(normal, scores)[0]
    return stats.norm.ppf((below + 1) / (n + 2))


@dataclass(frozen=True)
class Areas:
    """AUCs of several models on the same test images, [models], and their covariance over images, [models, models]."""

    auc: np.ndarray
    covariance: np.ndarray

    @property
    def variance(self) -> np.ndarray:
        """Of each AUC, [models]."""
        return self.covariance.diagonal()

    def combined(self, weights: np.ndarray) -> "Areas":
        """Sums of AUCs with weights [sums, models]: means over seeds, differences, slopes."""
        return Areas(weights @ self.auc, weights @ self.covariance @ weights.T)


def areas(normal: np.ndarray, anomalous: np.ndarray, normal_lens: np.ndarray, anomalous_lens: np.ndarray) -> Areas:
    """AUCs of models and their covariance, where images of one lens may be among both the normal and the anomalous.

    DeLong et al. 1988 take all images as independent. Twins share lens, source and noise, so whole lenses are what was
    drawn: deviations of placements are summed lens by lens (Obuchowski 1997). For complete pairs the variance is
    var(V10_k + V01_k) / m; where each image is of its own lens it is DeLong's, var(V10) / m + var(V01) / n.

    Args:
        normal: scores [models, n], higher meaning more anomalous.
        anomalous: scores [models, m].
        normal_lens: which lens each normal image shows, [n]; equal numbers mean equal lenses.
        anomalous_lens: the same for the anomalous images, [m].
    """
    v10, v01 = placements(normal, anomalous)
    auc = v10.mean(axis=-1)
    lenses, code = np.unique(np.concatenate([anomalous_lens, normal_lens]), return_inverse=True)
    code_odd, code_normal = np.split(code, [len(anomalous_lens)])
    odd = _by_lens(v10, auc, code_odd, len(lenses))  # [models, lenses]
    even = _by_lens(v01, auc, code_normal, len(lenses))
    cross = odd @ even.T
    covariance = (
        _unbiased(code_odd) * odd @ odd.T + _unbiased(code_normal) * even @ even.T + _unbiased(code) * (cross + cross.T)
    )
    return Areas(auc, covariance)


def _by_lens(placed: np.ndarray, auc: np.ndarray, code: np.ndarray, lenses: int) -> np.ndarray:
    """Deviations of placements from the AUC, over the number of images, summed over the images of each lens."""
    images = len(code)
    member = sparse.csr_array((np.full(images, 1 / images), (code, np.arange(images))), shape=(lenses, images))
    return (member @ (placed - auc[:, None]).T).T


def _unbiased(code: np.ndarray) -> float:
    """I / (I - 1) for I lenses."""
    lenses = len(np.unique(code))
    return lenses / (lenses - 1) if lenses > 1 else np.nan


# --- intervals and tests ---------------------------------------------------------------------------------------------


def interval(auc: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Confidence intervals of AUCs, normal on the logit scale and so inside (0, 1) (Pepe 2003, section 5.2).

    An AUC of 0 or 1 has no logit, nor a variance by DeLong: its interval is the point.
    """
    auc, variance = np.asarray(auc, float), np.asarray(variance, float)
    inside = (auc > 0) & (auc < 1)
    safe = np.where(inside, auc, 0.5)
    logit = np.log(safe / (1 - safe))
    width = NORMAL * np.sqrt(np.maximum(variance, 0)) / (safe * (1 - safe))
    low, high = (np.where(inside, 1 / (1 + np.exp(-(logit + w))), auc) for w in (-width, width))
    return low, high


def difference(value: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The interval of a difference (or slope) of AUCs, low and high, and the two-sided p of its being none (z test)."""
    deviation = np.sqrt(np.where(variance > _ROUNDING, variance, 0))
    width = NORMAL * deviation
    return value - width, value + width, 2 * stats.norm.sf(_statistic(value, deviation))


def over_seeds(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The interval of a mean over seeds by Student's t, low and high, and the two-sided p of its being zero.

    `values` [..., seeds] may have NaN where a seed gave none; fewer than two seeds have no interval (NaN).
    """
    values = np.asarray(values, float)
    count = np.isfinite(values).sum(axis=-1)
    total = np.maximum(count, 1)
    mean = np.where(count > 0, np.nansum(values, axis=-1) / total, np.nan)
    squares = np.nansum((values - mean[..., None]) ** 2, axis=-1)
    freedom = np.where(count > 1, count - 1, np.nan)
    error = np.sqrt(squares / freedom / total)
    width = stats.t.ppf((1 + LEVEL) / 2, freedom) * error
    return mean - width, mean + width, 2 * stats.t.sf(_statistic(mean, error), freedom)


def _statistic(value: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """|value| / deviation; nothing over nothing is nothing."""
    value = np.where(np.abs(value) < np.sqrt(_ROUNDING), 0, np.abs(value))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((value == 0) & (deviation == 0), 0, value / deviation)


# --- rates -----------------------------------------------------------------------------------------------------------


def _labelled(normal: np.ndarray, anomalous: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.repeat([0, 1], [len(normal), len(anomalous)]), np.concatenate([normal, anomalous])


def roc(normal: np.ndarray, anomalous: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False and true positive rates, from (0, 0) to (1, 1)."""
    fpr, tpr, _ = roc_curve(*_labelled(normal, anomalous))
    return fpr, tpr


def quality(normal: np.ndarray, anomalous: np.ndarray) -> dict[str, float]:
    """What else than the AUC a set of scores is worth: average precision, and the odd found at few false alarms."""
    fpr, tpr = roc(normal, anomalous)
    return {
        "average_precision": float(average_precision_score(*_labelled(normal, anomalous))),
        "tpr_at_fpr_01": float(tpr[fpr <= 0.01].max()),
        "tpr_at_fpr_05": float(tpr[fpr <= 0.05].max()),
    }


def threshold(normal: np.ndarray, rate: float) -> np.ndarray:
    """The score [...] that a part `rate` of further normal images is expected to exceed, from those at hand [..., n].

    The score of an image, not between two: exceeded by r of n images, it is exceeded with probability (r + 1) / (n + 1)
    by another, whatever the distribution.
    """
    return np.quantile(normal, 1 - rate, axis=-1, method="higher")


def rate_interval(rate: np.ndarray, trials: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The interval of a rate of independent trials (Clopper & Pearson 1934)."""
    rate = np.asarray(rate, float)
    low, high = proportion_confint(np.nan_to_num(rate) * trials, trials, alpha=1 - LEVEL, method="beta")
    return np.where(np.isnan(rate), np.nan, low), np.where(np.isnan(rate), np.nan, high)
