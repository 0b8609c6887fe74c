"""How likely a smooth lens looks as odd as an image does: "1 in 3,000", from the scores of any detector.

Validation images are smooth lenses that no detector learned from, so their scores say how high smooth lenses score.
"""

import numpy as np
from scipy.special import softmax

TAIL = 0.1
"""The part of the smooth scores to which a tail is fitted."""
LEAST = 10
"""A tail of fewer different scores is not fitted, nor one of which more than half are ties."""
FLOOR = 10
"""No probability is claimed below one in so many times the smooth lenses: farther out nothing has shown it to hold."""


def false_alarm(scores: np.ndarray, smooth: np.ndarray) -> np.ndarray:
    """The probability that a smooth lens scores as high or higher, of `scores` [m] by those of smooth lenses, [n].

    In the bulk by rank, (1 + #{smooth >= score}) / (n + 1): the conformal p-value (Vovk, Gammerman & Shafer 2005, Bates
    et al. 2023). Of smooth lenses at most a part p gets p or less, whatever the distribution; with ties too, which
    midranks would not promise. Beyond the score that a part `TAIL` exceeds ranks are few, and a generalised Pareto
    tail goes on from there (Pickands 1975; Coles 2001, chapter 4), if it has scores enough.

    Falls as the score rises. NaN where the score is, and everywhere if any smooth one is.
    """
    scores, smooth = np.asarray(scores, float), np.sort(np.asarray(smooth, float))
    n = len(smooth)
    chance = (1 + n - np.searchsorted(smooth, scores)) / (n + 1)
    start = smooth[-1 - int(TAIL * n)]
    excess = smooth[smooth > start] - start
    if len(np.unique(excess)) >= max(LEAST, len(excess) / 2):
        beyond = scores > start
        chance[beyond] = (1 + len(excess)) / (n + 1) * _exceeded(scores[beyond] - start, excess)
    return np.where(np.isnan(scores) | np.isnan(smooth).any(), np.nan, np.maximum(chance, 1 / (FLOOR * n)))


def _exceeded(x: np.ndarray, excess: np.ndarray) -> np.ndarray:
    """The probability that one more excess is larger than `x` [m], given `excess` [k]: generalised Pareto, predictive.

    A tail that is fitted and then taken for sure raises more alarms than it claims: from 100 excesses of 1,000 scores
    1.3 to 3 times the 1 in 1,000, 1.6 to 9 times the 3 in 10,000, be the fit by maximum likelihood or by moments. So
    the average over the tails that the excesses allow is taken.

    The density is theta c (1 + theta x)^(-c - 1) with theta = shape / scale and c = 1 / shape (Davison 1984). With the
    prior d scale / scale d shape, c is of a gamma distribution given theta, and is integrated in closed form; what is
    left is a sum over theta. Tails with an end are among them, and so are those without.
    """
    power, top = len(excess) - 1, excess.max()
    span = np.linspace(-8, 20, 140)  # log(1 + theta top), which is above -inf where no excess is beyond the end; not 0
    theta = np.expm1(span) / top
    total = np.log1p(np.outer(theta, excess)).sum(axis=1)
    weight = softmax(power * np.log(theta / total) - total + span)
    with np.errstate(divide="ignore"):  # beyond the end
        growth = np.log1p(np.maximum(np.outer(x, theta), -1)) / total  # [m, theta]
    return (1 + growth) ** -power @ weight


def one_in(chance: float) -> str:
    """A probability in words: `1 in 3,000`; `none` for 0 and a dash for what isn't known."""
    return "–" if np.isnan(chance) else f"1 in {1 / chance:,.0f}" if chance else "none"
