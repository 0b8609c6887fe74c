"""How well scores rank anomalies above normal images: ROC, AUC and its interval, precision, rates."""

from dataclasses import dataclass

import numpy as np
from scipy import stats
from sklearn.metrics import average_precision_score, roc_curve


def auc_with_variance(normal: np.ndarray, anomalous: np.ndarray) -> tuple[float, float]:
    """The AUC and its variance over test images by DeLong et al. 1988, through midranks (Sun & Xu 2014).

    With X the m anomalous and Y the n normal scores, and T_Z midranks among all: V10_i = (T_Z(X_i) - T_X(X_i)) / n,
    V01_j = 1 - (T_Z(Y_j) - T_Y(Y_j)) / m, AUC = mean V10, variance = var(V10) / m + var(V01) / n. Ties count a half.
    """
    m, n = len(anomalous), len(normal)
    if m < 2 or n < 2:
        raise ValueError(f"an AUC with an interval needs two images of each kind, got {n} normal and {m} anomalous")
    ranks = stats.rankdata(np.concatenate([anomalous, normal]))
    v10 = (ranks[:m] - stats.rankdata(anomalous)) / n
    v01 = 1 - (ranks[m:] - stats.rankdata(normal)) / m
    return float(v10.mean()), float(v10.var(ddof=1) / m + v01.var(ddof=1) / n)


def interval(auc: float, variance: float, level: float = 0.95) -> tuple[float, float]:
    """A confidence interval for an AUC, normal on the logit scale and so inside (0, 1) (Pepe 2003, section 5.2).

    An AUC of 0 or 1 has no logit, nor a variance by DeLong: its interval is the point.
    """
    if not 0 < auc < 1:
        return auc, auc
    logit, width = np.log(auc / (1 - auc)), stats.norm.ppf((1 + level) / 2) * np.sqrt(variance) / (auc * (1 - auc))
    low, high = 1 / (1 + np.exp(-(logit + np.array([-width, width]))))
    return float(low), float(high)


@dataclass(frozen=True)
class Quality:
    """What one set of scores is worth; the fields are the columns of `tables/auc.csv`."""

    n_normal: int
    n_anomalous: int
    auc: float
    auc_low: float
    auc_high: float
    average_precision: float
    tpr_at_fpr_01: float
    tpr_at_fpr_05: float


def roc(normal: np.ndarray, anomalous: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False and true positive rates, from (0, 0) to (1, 1)."""
    labels = np.concatenate([np.zeros(len(normal)), np.ones(len(anomalous))])
    fpr, tpr, _ = roc_curve(labels, np.concatenate([normal, anomalous]))
    return fpr, tpr


def quality(normal: np.ndarray, anomalous: np.ndarray) -> Quality:
    """All figures of one comparison of scores, higher meaning more anomalous."""
    auc, variance = auc_with_variance(normal, anomalous)
    fpr, tpr = roc(normal, anomalous)
    labels = np.concatenate([np.zeros(len(normal)), np.ones(len(anomalous))])
    return Quality(
        len(normal),
        len(anomalous),
        auc,
        *interval(auc, variance),
        float(average_precision_score(labels, np.concatenate([normal, anomalous]))),
        *(float(tpr[fpr <= limit].max()) for limit in (0.01, 0.05)),
    )
