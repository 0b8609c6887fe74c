"""How many lenses it takes to see substructure in a population that no single lens gives away."""

import numpy as np
import pandas as pd
from scipy import stats

from oddlens.data.splits import IDENTITY
from oddlens.results.tables.bins import binned
from oddlens.results.tables.conventions import ROW
from oddlens.results.tables.scored import Scored
from oddlens.statistics import metrics

SIGMA = 3.0
"""The significance that a population is to have."""
FRACTION = "substructure_fraction"
COLUMNS = ["dataset", "detector", "anomaly", "bin", "lowest", "median", "highest", "n_validation", "n_anomalous"]
COLUMNS += ["shift", "shift_low", "shift_high", "lenses", "lenses_low", "lenses_high", "beyond"]


def population_table(scored: Scored, truth: pd.DataFrame) -> pd.DataFrame:
    """`population.csv`: lenses for 3 sigma by quantiles of the mass fraction of substructure, after clean training.

    A score is turned into a standard normal number by its rank among smooth validation images. The mean of N smooth
    lenses is then N(0, 1/N) whatever the detector, and that of N lenses from a population whose `shift` is mu lies
    sqrt(N) mu sigma off it in expectation: `lenses` is (3 / mu)^2, at least 1 and infinite if mu <= 0. About half of
    all samples of that size reach 3 sigma. This takes for granted that every lens of the population has substructure of
    such a fraction, and that smooth lenses are modelled right. Other sums of scores than the mean may need fewer.

    Shifts are means over seeds; intervals are over test lenses and validation images. `beyond` is the part of the odd
    images that lie above all validation images, and would lie farther off if there were more of these: where it is
    large, as with the best detectors, `lenses` is an upper limit.
    """
    fraction = scored.images.merge(truth[[*IDENTITY, FRACTION]], how="left")[FRACTION].to_numpy()
    validation = scored.positions(scored.smooth, "validation")
    models = scored.models[scored.at_home & (scored.models["status"] == "ok")]
    lines = []
    for anomaly in scored.anomalies[:-1]:
        odd = scored.positions(anomaly)
        for about, inside in binned(fraction[odd]):
            places = validation, odd[inside], scored.twins(odd[inside])
            for (*_, detector), seeds in models.groupby(ROW, sort=False):
                known, found, smooth = (scored.values[np.ix_(seeds.index.to_numpy(), where)] for where in places)
                mean, variance = shift(known, found, smooth)
                beyond = (found > known.max(axis=1, keepdims=True)).mean()
                names = {"detector": detector, "anomaly": anomaly, "shift": mean, "variance": variance}
                lines.append(about | names | {"beyond": beyond})
    if not lines:
        return pd.DataFrame(columns=COLUMNS)
    table = pd.DataFrame(lines)
    table["shift_low"], table["shift_high"], _ = metrics.difference(*table[["shift", "variance"]].to_numpy().T)
    for ours, theirs in (("lenses", "shift"), ("lenses_low", "shift_high"), ("lenses_high", "shift_low")):
        table[ours] = lenses(table[theirs].to_numpy())
    return table.assign(dataset=scored.dataset, n_validation=len(validation))[COLUMNS]


def lenses(shift: np.ndarray) -> np.ndarray:
    """How many lenses of a mean shift are 3 sigma in expectation."""
    with np.errstate(divide="ignore"):
        return np.maximum((SIGMA / np.maximum(shift, 0)) ** 2, 1)


def shift(validation: np.ndarray, odd: np.ndarray, twins: np.ndarray) -> tuple[float, float]:
    """The mean normal score of odd images, in standard deviations of smooth ones, and its variance.

    Their smooth twins, whose mean is 0 in expectation, are a control variate: regression on them takes away what moves
    both alike, which is most for a detector that hardly tells twins apart, and with it errors of the validation sample.
    The variance is that of a mean over m lenses and, by the delta method, of the distribution function F of n
    validation images, as Phi^-1(F) changes by dF / phi.

    Args:
        validation: scores of smooth images by models of several seeds, [seeds, n].
        odd: scores of odd test images, [seeds, m].
        twins: scores of the same lenses without substructure, [seeds, m].
    """
    m, n = odd.shape[1], validation.shape[1]
    scores = np.concatenate([odd, twins], axis=1)
    u = metrics.normal_scores(validation, scores)
    ours, theirs = u.mean(axis=0).reshape(2, m)
    (_, cross), (_, spread) = np.cov(ours, theirs)
    slope = cross / spread if spread > 0 else 0.0
    residual = ours - slope * theirs  # [m]
    moves = np.repeat([1 / m, -slope / m], m) / stats.norm.pdf(u)  # d shift / d F, [seeds, 2 m]
    moved = np.mean([_above(*of_seed) for of_seed in zip(validation, scores, moves, strict=True)], axis=0)  # [n]
    return residual.mean(), residual.var(ddof=1) / m + moved.var(ddof=1) / n


def _above(values: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The weight of the scores above each value, of those that equal it half, [n]."""
    order = np.argsort(scores)
    upto = np.r_[0, np.cumsum(weights[order])]
    left, right = (np.searchsorted(scores[order], values, side) for side in ("left", "right"))
    return upto[-1] - (upto[left] + upto[right]) / 2
