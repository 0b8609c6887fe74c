"""Whether a single number or category of images tells two groups apart: its AUC, and how significantly that is not 1/2.

Numbers are compared by ranks (Mann & Whitney 1947), with the variance of the AUC if both groups were alike, corrected
for ties. Complete separation is judged by the number of orders, because the normal law fails for few images.
Categories are compared by a contingency table, by Fisher's exact test for two of them and chi-square for more.
Images of one lens are not independent, so they count as one.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special, stats

SIGMA = 3.0
"""Groups differ if a check deviates by more standard deviations, were it the only one."""
MIN_EXPECTED = 5.0
"""Categories of which fewer images are expected in a group are joined to one."""
MAX_Z = 99.0
"""Larger significances are not told apart."""


@dataclass(frozen=True)
class Separation:
    """How well a quantity tells a second group of images from a first."""

    auc: float
    """1/2 if it does not, 1 or 0 if it does so completely. Categories are ordered by the share of the second group."""
    z: float
    """The significance, in standard deviations of a normal law. It is positive."""

    @property
    def error(self) -> float:
        """The standard deviation of the AUC if both groups were alike."""
        return abs(self.auc - 0.5) / self.z if self.z > 0 else np.nan


NOTHING = Separation(0.5, 0.0)


def threshold(checks: int) -> float:
    """The significance that one of several checks of groups that are alike exceeds as rarely as one check `SIGMA`."""
    return float(stats.norm.isf(stats.norm.sf(SIGMA) / max(checks, 1)))


def of_numbers(first: np.ndarray, second: np.ndarray) -> Separation:
    """The separation of groups by a number, [n] and [m]. NaN is a value of its own, below all others."""
    n, m = len(first), len(second)
    ranks = stats.rankdata(np.nan_to_num(np.concatenate([first, second]), nan=-np.inf, posinf=np.inf, neginf=-np.inf))
    if min(n, m) < 2 or np.ptp(ranks) == 0:
        return NOTHING
    auc = (ranks[n:].mean() - (m + 1) / 2) / n
    _, ties = np.unique(ranks, return_counts=True)
    total = n + m
    variance = (total + 1 - np.sum(ties**3.0 - ties) / (total * (total - 1))) / (12 * n * m)
    z = abs(auc - 0.5) / np.sqrt(variance)
    if auc in (0, 1):  # two of all possible orders of both groups
        z = max(z, _from_log_p(np.log(2) - _log_choices(total, n)))
    return Separation(float(auc), float(min(z, MAX_Z)))


def of_categories(first: np.ndarray, second: np.ndarray) -> Separation:
    """The separation of groups by a category, [n] and [m]."""
    n, m = len(first), len(second)
    if min(n, m) < 2:
        return NOTHING
    levels, code = np.unique(np.concatenate([first, second]), return_inverse=True)
    counts = np.stack([np.bincount(part, minlength=len(levels)) for part in (code[:n], code[n:])])  # [2, levels]
    table = _joined(counts)
    if table.shape[1] < 2:
        return NOTHING
    order = np.argsort(table[1] / table.sum(axis=0))
    below = np.cumsum(table[0][order]) - table[0][order] / 2
    auc = float(np.sum(below * table[1][order]) / (n * m))
    p = stats.fisher_exact(table).pvalue if table.shape[1] == 2 else stats.chi2_contingency(table).pvalue
    return Separation(auc, min(_from_log_p(np.log(p)) if p > 0 else MAX_Z, MAX_Z))


def _joined(counts: np.ndarray) -> np.ndarray:
    """The table [2, levels] in which rare levels are one; two levels are left as they are."""
    if counts.shape[1] == 2:
        return counts
    expected = counts.sum(axis=0) * counts.sum(axis=1).min() / counts.sum()
    rare = expected < MIN_EXPECTED
    rest = counts[:, rare].sum(axis=1, keepdims=True)
    return np.concatenate([counts[:, ~rare], rest] if rare.any() else [counts], axis=1)


def _from_log_p(log_p: float) -> float:
    """The significance of a two-sided probability."""
    return float(-special.ndtri_exp(min(log_p, 0.0) - np.log(2)))


def _log_choices(total: int, chosen: int) -> float:
    return float(special.gammaln(total + 1) - special.gammaln(chosen + 1) - special.gammaln(total - chosen + 1))


# --- images of one lens ----------------------------------------------------------------------------------------------


def lens_means(values: np.ndarray, lens: np.ndarray) -> np.ndarray:
    """The mean over the images of each lens of numbers [n]; `lens` numbers them, [n]."""
    _, code, count = np.unique(lens, return_inverse=True, return_counts=True)
    return np.bincount(code, values) / count


def first_of_lens(lens: np.ndarray) -> np.ndarray:
    """The first image of each lens, as numbers of images."""
    return np.unique(lens, return_index=True)[1]
