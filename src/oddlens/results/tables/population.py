"""How many lenses are needed to detect substructure in a population."""

import numpy as np
import pandas as pd
from scipy import stats

from oddlens.data.splits import IDENTITY
from oddlens.results.tables.bins import quantile_bins
from oddlens.results.tables.columns import ROW
from oddlens.results.tables.dataset_scores import DatasetScores
from oddlens.statistics import metrics

DETECTION_SIGMA = 3.0
"""The significance at which a population counts as detected."""
FRACTION = "substructure_fraction"
COLUMNS = ["dataset", "detector", "anomaly", "bin", "lowest", "median", "highest", "n_validation", "n_anomalous"]
COLUMNS += ["shift", "shift_low", "shift_high", "lenses", "lenses_low", "lenses_high", "saturated_fraction"]


def population_table(scores: DatasetScores, truth: pd.DataFrame) -> pd.DataFrame:
    """`population.csv`: lenses for 3 sigma in quantile bins of the substructure mass fraction, after clean training.

    A score is converted into a standard normal variable by its rank among smooth validation images. The mean of N
    smooth lenses is then N(0, 1/N) for every detector, and the mean of N lenses of a population whose `shift` is mu
    deviates by sqrt(N) mu sigma in expectation. So `lenses` is (3 / mu)^2, at least 1, and infinite if mu <= 0. About
    half of all samples of that size reach 3 sigma. This assumes that every lens of the population has substructure of
    such a fraction, and that smooth lenses are modelled correctly. A statistic other than the mean may need fewer.

    Shifts are means over seeds; intervals are over test lenses and validation images. `saturated_fraction` is the
    fraction of anomalous images above all validation images; with more validation images these would deviate further.
    Where it is large, as for the best detectors, `lenses` is an upper limit.

    The user's own images have no twins and no known mass fraction, so that they have no lines.

    Args:
        scores: of all models of a data set.
        truth: the simulation parameters of its images, by `read_truth`.
    """
    if not scores.simulated:
        return pd.DataFrame(columns=COLUMNS)
    fraction = scores.images.merge(truth[[*IDENTITY, FRACTION]], how="left")[FRACTION].to_numpy()
    validation = scores.positions(scores.smooth, "validation")
    models = scores.models[scores.uncontaminated & scores.converged]
    lines = []
    for anomaly in scores.anomalies[:-1]:
        anomalous = scores.positions(anomaly)
        for about, inside in quantile_bins(fraction[anomalous]):
            images = validation, anomalous[inside], scores.twins(anomalous[inside])
            for (*_, detector), seeds in models.groupby(ROW, sort=False):
                parts = [scores.values[np.ix_(seeds.index.to_numpy(), of)] for of in images]
                mean, variance = shift(*parts)
                saturated = (parts[1] > parts[0].max(axis=1, keepdims=True)).mean()
                names = {"detector": detector, "anomaly": anomaly, "shift": mean, "variance": variance}
                lines.append(about | names | {"saturated_fraction": saturated})
    if not lines:
        return pd.DataFrame(columns=COLUMNS)
    table = pd.DataFrame(lines)
    table["shift_low"], table["shift_high"], _ = metrics.difference(*table[["shift", "variance"]].to_numpy().T)
    for count, of in (("lenses", "shift"), ("lenses_low", "shift_high"), ("lenses_high", "shift_low")):
        table[count] = lenses(table[of].to_numpy())
    return table.assign(dataset=scores.dataset, n_validation=len(validation))[COLUMNS]


def lenses(shift: np.ndarray) -> np.ndarray:
    """The number of lenses whose mean shift has an expected significance of 3 sigma."""
    with np.errstate(divide="ignore"):
        return np.maximum((DETECTION_SIGMA / np.maximum(shift, 0)) ** 2, 1)


def shift(validation: np.ndarray, anomalous: np.ndarray, twins: np.ndarray) -> tuple[float, float]:
    """The mean normal score of anomalous images, in standard deviations of smooth ones, and its variance.

    The smooth twins, whose mean is 0 in expectation, are a control variate. Regression on them removes what affects
    both twins alike, which is most of the variance for a detector that hardly distinguishes them, and errors of the
    validation sample. The variance is that of a mean over m lenses and, by the delta method, of the distribution
    function F of n validation images, as Phi^-1(F) changes by dF / phi.

    Args:
        validation: scores of smooth images by models of several seeds, [seeds, n].
        anomalous: scores of anomalous test images, [seeds, m].
        twins: scores of the same lenses without substructure, [seeds, m].
    """
    m, n = anomalous.shape[1], validation.shape[1]
    scores = np.concatenate([anomalous, twins], axis=1)
    u = metrics.normal_scores(validation, scores)
    u_anomalous, u_twins = u.mean(axis=0).reshape(2, m)
    (_, cross), (_, spread) = np.cov(u_anomalous, u_twins)
    slope = cross / spread if spread > 0 else 0.0
    residual = u_anomalous - slope * u_twins  # [m]
    derivative = np.repeat([1 / m, -slope / m], m) / stats.norm.pdf(u)  # d shift / d F, [seeds, 2 m]
    influence = [_weight_above(*of_seed) for of_seed in zip(validation, scores, derivative, strict=True)]
    mean_influence = np.mean(influence, axis=0)  # [n]
    return residual.mean(), residual.var(ddof=1) / m + mean_influence.var(ddof=1) / n


def _weight_above(values: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The total weight of the scores above each value, counting scores that equal it half, [n]."""
    order = np.argsort(scores)
    cumulative = np.r_[0, np.cumsum(weights[order])]
    left, right = (np.searchsorted(scores[order], values, side) for side in ("left", "right"))
    return cumulative[-1] - (cumulative[left] + cumulative[right]) / 2
