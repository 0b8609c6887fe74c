"""AUCs and rates of scores, with their uncertainties.

Two kinds of uncertainty are kept apart everywhere: that of the sample of test images (`areas`, by placements), and that
of the seed of a training (`over_seeds`, by Student's t over seeds).
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse, stats
from sklearn.metrics import average_precision_score, roc_curve
from statsmodels.stats.proportion import proportion_confint

CONFIDENCE = 0.95
"""The confidence level of every interval."""
HALF_WIDTH_SIGMA = stats.norm.ppf((1 + CONFIDENCE) / 2)
"""Half the width of the interval of a normal variable, in standard deviations."""
PARTIAL_RATES = (0.001, 0.05)
"""False positive rates between which the partial AUC is taken: those at which lenses are followed up."""
QUALITIES = ["average_precision", "tpr_at_fpr_01", "tpr_at_fpr_05", "partial_auc"]
"""See `quality`."""
_ROUNDING = 1e-18
"""Smaller variances are rounding errors: one image that changes its rank among 10,000 gives a larger one."""


# --- areas under the curve -------------------------------------------------------------------------------------------


def placements(normal: np.ndarray, anomalous: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The fraction of normal images below each anomalous one, and of anomalous ones above each normal one: placements.

    They are computed from midranks (Sun & Xu 2014), so ties count a half. The AUC is the mean of either.

    Args:
        normal: scores [models, n].
        anomalous: scores [models, m].

    Returns:
        V10 [models, m] and V01 [models, n].
    """
    m, n = anomalous.shape[-1], normal.shape[-1]
    if m < 2 or n < 2:
        raise ValueError(f"an AUC with an interval needs two images of each kind, got {n} normal and {m} anomalous")
    ranks = stats.rankdata(np.concatenate([anomalous, normal], axis=-1), axis=-1)
    v10 = (ranks[..., :m] - stats.rankdata(anomalous, axis=-1)) / n
    v01 = 1 - (ranks[..., m:] - stats.rankdata(normal, axis=-1)) / m
    return v10, v01


def normal_scores(normal: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Scores on a scale on which those of normal images are standard normal.

    They follow from the rank of each score among those of normal images, where ties count a half (van der Waerden
    1952). The largest possible value is Phi^-1((n + 1) / (n + 2)), 3.3 for 2,500 images.

    Args:
        normal: scores of normal images [..., n].
        scores: [..., m].

    Returns:
        Normal scores [..., m].
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
        """The variance of each AUC, [models]."""
        return self.covariance.diagonal()

    def combined(self, weights: np.ndarray) -> "Areas":
        """Weighted sums of AUCs, with weights [sums, models]: means over seeds, differences, slopes."""
        return Areas(weights @ self.auc, weights @ self.covariance @ weights.T)


def areas(normal: np.ndarray, anomalous: np.ndarray, normal_lens: np.ndarray, anomalous_lens: np.ndarray) -> Areas:
    """AUCs of models and their covariance, where normal and anomalous images may show the same lenses.

    DeLong et al. 1988 assume that all images are independent. Twins share lens, source and noise, so lenses are the
    independent units: deviations of placements are summed for each lens (Obuchowski 1997). For complete pairs the
    variance is var(V10_k + V01_k) / m. If each image has its own lens, it is DeLong's, var(V10) / m + var(V01) / n.

    Args:
        normal: scores [models, n], higher meaning more anomalous.
        anomalous: scores [models, m].
        normal_lens: the lens of each normal image, [n]; equal numbers are equal lenses.
        anomalous_lens: the same for the anomalous images, [m].
    """
    v10, v01 = placements(normal, anomalous)
    auc = v10.mean(axis=-1)
    lenses, code = np.unique(np.concatenate([anomalous_lens, normal_lens]), return_inverse=True)
    code_anomalous, code_normal = np.split(code, [len(anomalous_lens)])
    above = _by_lens(v10, auc, code_anomalous, len(lenses))  # [models, lenses]
    below = _by_lens(v01, auc, code_normal, len(lenses))
    cross = above @ below.T
    covariance = (
        _unbiased(code_anomalous) * above @ above.T
        + _unbiased(code_normal) * below @ below.T
        + _unbiased(code) * (cross + cross.T)
    )
    return Areas(auc, covariance)


def _by_lens(placed: np.ndarray, auc: np.ndarray, code: np.ndarray, lenses: int) -> np.ndarray:
    """Deviations of placements from the AUC, over the number of images, summed over the images of each lens."""
    images = len(code)
    member = sparse.csr_array((np.full(images, 1 / images), (code, np.arange(images))), shape=(lenses, images))
    return (member @ (placed - auc[:, None]).T).T


def _unbiased(code: np.ndarray) -> float:
    """The correction I / (I - 1) for I lenses."""
    lenses = len(np.unique(code))
    return lenses / (lenses - 1) if lenses > 1 else np.nan


# --- intervals and tests ---------------------------------------------------------------------------------------------


def interval(auc: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Confidence intervals of AUCs: normal on the logit scale, so inside (0, 1) (Pepe 2003, section 5.2).

    An AUC of 0 or 1 has no logit, and DeLong's variance is zero: its interval is the point itself.
    """
    auc, variance = np.asarray(auc, float), np.asarray(variance, float)
    inside = (auc > 0) & (auc < 1)
    safe = np.where(inside, auc, 0.5)
    logit = np.log(safe / (1 - safe))
    width = HALF_WIDTH_SIGMA * np.sqrt(np.maximum(variance, 0)) / (safe * (1 - safe))
    low, high = (np.where(inside, 1 / (1 + np.exp(-(logit + w))), auc) for w in (-width, width))
    return low, high


def difference(value: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The interval of a difference or slope of AUCs, low and high, and the two-sided p that it is zero (z test)."""
    deviation = np.sqrt(np.where(variance > _ROUNDING, variance, 0))
    width = HALF_WIDTH_SIGMA * deviation
    return value - width, value + width, 2 * stats.norm.sf(_statistic(value, deviation))


def over_seeds(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The interval of a mean over seeds by Student's t, low and high, and the two-sided p that it is zero.

    Args:
        values: [..., seeds]. NaN marks seeds without a value. For fewer than two values the results are NaN.
    """
    values = np.asarray(values, float)
    count = np.isfinite(values).sum(axis=-1)
    total = np.maximum(count, 1)
    mean = np.where(count > 0, np.nansum(values, axis=-1) / total, np.nan)
    squares = np.nansum((values - mean[..., None]) ** 2, axis=-1)
    freedom = np.where(count > 1, count - 1, np.nan)
    error = np.sqrt(squares / freedom / total)
    width = stats.t.ppf((1 + CONFIDENCE) / 2, freedom) * error
    return mean - width, mean + width, 2 * stats.t.sf(_statistic(mean, error), freedom)


def _statistic(value: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """|value| / deviation, where 0 / 0 is 0."""
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


def partial_auc(fpr: np.ndarray, tpr: np.ndarray, low: float, high: float) -> float:
    """The mean true positive rate between two false positive rates of a ROC curve (McClish 1989): 1 at most.

    That of random scores is (low + high) / 2.
    """

    def area(rate: float) -> float:
        """Below the curve, up to a false positive rate."""
        stop = np.searchsorted(fpr, rate, side="right")
        last = np.interp(rate, fpr[stop - 1 : stop + 1], tpr[stop - 1 : stop + 1])
        return np.trapezoid(np.append(tpr[:stop], last), np.append(fpr[:stop], rate))

    return float((area(high) - area(low)) / (high - low))


def quality(normal: np.ndarray, anomalous: np.ndarray) -> dict[str, float]:
    """Average precision, the true positive rates at false positive rates of 1 % and 5 %, and between .1 % and 5 %."""
    fpr, tpr = roc(normal, anomalous)
    return {
        "average_precision": float(average_precision_score(*_labelled(normal, anomalous))),
        "tpr_at_fpr_01": float(tpr[fpr <= 0.01].max()),
        "tpr_at_fpr_05": float(tpr[fpr <= 0.05].max()),
        "partial_auc": partial_auc(fpr, tpr, *PARTIAL_RATES),
    }


def threshold(normal: np.ndarray, rate: float) -> np.ndarray:
    """The score [...] that a fraction `rate` of further normal images is expected to exceed.

    It is the score of an image, not a value between two. If r of n images exceed it, a further image exceeds it with
    probability (r + 1) / (n + 1), whatever the distribution.

    Args:
        normal: scores of normal images [..., n].
        rate: the fraction.
    """
    return np.quantile(normal, 1 - rate, axis=-1, method="higher")


def rate_interval(rate: np.ndarray, trials: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The confidence interval of a rate of independent trials, low and high (Clopper & Pearson 1934)."""
    rate = np.asarray(rate, float)
    low, high = proportion_confint(np.nan_to_num(rate) * trials, trials, alpha=1 - CONFIDENCE, method="beta")
    return np.where(np.isnan(rate), np.nan, low), np.where(np.isnan(rate), np.nan, high)
