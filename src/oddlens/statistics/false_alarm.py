"""False-alarm probabilities: how likely a smooth lens has a score as high as that of an image, "1 in 3,000".

They are estimated from the scores of validation images, smooth lenses that no detector was trained on.
"""

import numpy as np
from scipy.special import softmax

TAIL_FRACTION = 0.1
"""The fraction of the smooth scores, the highest, to which a tail is fitted."""
MIN_TAIL_SCORES = 10
"""A tail with fewer different scores is not fitted, nor one of which more than half are ties."""
EXTRAPOLATION = 10
"""The smallest probability is 1 / (EXTRAPOLATION * number of smooth lenses): the tests cover no smaller ones."""


def false_alarm(scores: np.ndarray, smooth: np.ndarray) -> np.ndarray:
    """The probability that a smooth lens has the same or a higher score.

    For most scores it is the conformal p-value (Vovk, Gammerman & Shafer 2005, Bates et al. 2023), from ranks:
    (1 + #{smooth >= score}) / (n + 1). Whatever the distribution, at most a fraction p of smooth lenses gets p or less,
    also with ties, for which midranks give no such guarantee. Above the score that a fraction `TAIL_FRACTION` exceeds,
    ranks are few. There the probability follows a generalised Pareto tail (Pickands 1975; Coles 2001, chapter 4), if
    the tail has enough scores.

    Args:
        scores: [m].
        smooth: scores of smooth lenses, [n].

    Returns:
        Probabilities [m]. They do not increase with the score. They are NaN where the score is NaN, and everywhere if
        a smooth score is NaN.
    """
    scores, smooth = np.asarray(scores, float), np.sort(np.asarray(smooth, float))
    n = len(smooth)
    probability = (1 + n - np.searchsorted(smooth, scores)) / (n + 1)
    start = smooth[-1 - int(TAIL_FRACTION * n)]
    excess = smooth[smooth > start] - start
    if len(np.unique(excess)) >= max(MIN_TAIL_SCORES, len(excess) / 2):
        beyond = scores > start
        probability[beyond] = (1 + len(excess)) / (n + 1) * _exceedance(scores[beyond] - start, excess)
    probability = np.maximum(probability, 1 / (EXTRAPOLATION * n))
    return np.where(np.isnan(scores) | np.isnan(smooth).any(), np.nan, probability)


def _exceedance(x: np.ndarray, excess: np.ndarray) -> np.ndarray:
    """The predictive probability that a further excess is larger than `x` [m], given `excess` [k].

    A single fitted tail underestimates false alarms: from 100 excesses of 1,000 scores there are 1.3 to 3 times as many
    as the 1 in 1,000 that it predicts, and 1.6 to 9 times the 3 in 10,000, for fits by maximum likelihood and by
    moments. The probability is therefore averaged over all generalised Pareto tails that the excesses allow.

    The density is theta c (1 + theta x)^(-c - 1) with theta = shape / scale and c = 1 / shape (Davison 1984). With the
    prior d scale / scale d shape, c has a gamma distribution given theta and is integrated in closed form. The average
    is a sum over theta, over tails with and without an end.
    """
    power, top = len(excess) - 1, excess.max()
    span = np.linspace(-8, 20, 140)  # log(1 + theta top): above -inf, so that no excess is beyond the end, and not 0
    theta = np.expm1(span) / top
    total = np.log1p(np.outer(theta, excess)).sum(axis=1)
    weight = softmax(power * np.log(theta / total) - total + span)
    with np.errstate(divide="ignore"):  # x beyond the end
        growth = np.log1p(np.maximum(np.outer(x, theta), -1)) / total  # [m, theta]
    return (1 + growth) ** -power @ weight


def one_in(probability: float) -> str:
    """A probability in words: `1 in 3,000`; `none` for 0, and a dash for NaN."""
    return "–" if np.isnan(probability) else f"1 in {1 / probability:,.0f}" if probability else "none"
