"""Accuracy and calibration of the estimated parameters of lens and dark matter."""

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from oddlens.regression.estimates import Estimates
from oddlens.regression.histograms import Densities, covered
from oddlens.regression.targets import column_name
from oddlens.statistics import metrics

INTERVALS = {"68": 0.68, "95": 0.95}
"""Probabilities of credible intervals by their names in columns."""
COLUMNS = ["dataset", "row", "target", "class", "n", "spread", "rmse", "bias", "bias_low", "bias_high", "mae"]
COLUMNS += ["mae_prior", "r2", "log_score", "log_score_low", "log_score_high", "width68"]
COLUMNS += [f"coverage{name}{end}" for name in INTERVALS for end in ("", "_low", "_high")]


def regression_table(estimates: Iterable[Estimates]) -> pd.DataFrame:
    """`regression.csv`: a line for each parameter and class of test images.

    The estimate is the posterior mean (`rmse`, `bias`, `r2`) or median (`mae`). For comparison, `spread` is the
    standard deviation of the truth and `mae_prior` the mean absolute error of its median. `log_score` is the mean log
    of posterior over prior density at the truth, in nats, and `width68` the mean width of the 68 % intervals over that
    of the prior. `coverage68` is the fraction of truths within the 68 % intervals. Intervals are over test images.
    """
    lines = [line for of_row in estimates for line in _lines(of_row)]
    return pd.DataFrame(lines, columns=COLUMNS)


def _lines(estimates: Estimates) -> Iterator[dict]:
    for target in estimates.numbers:
        for cls in estimates.classes:
            densities, truth = estimates.of(target, cls)
            if len(truth) > 1:
                about = {"dataset": estimates.dataset, "row": estimates.row}
                yield about | {"target": column_name(target[1]), "class": cls} | accuracy(densities, truth)


def accuracy(densities: Densities, truth: np.ndarray) -> dict[str, float]:
    """The columns of `regression.csv` for posterior densities of a parameter, [n], given its true values, [n]."""
    error, score, level = densities.mean() - truth, densities.log_score(truth), densities.pit(truth)
    spread = truth.std()
    low, high = (densities.quantile(q) for q in _ends(INTERVALS["68"]))
    prior_low, prior_high = densities.scale.value(np.array(_ends(INTERVALS["68"])))
    columns: dict[str, float] = {
        "n": len(truth),
        "spread": spread,
        "rmse": np.sqrt(np.mean(error**2)),
        **_mean("bias", error),
        "mae": np.abs(densities.quantile(0.5) - truth).mean(),
        "mae_prior": np.abs(np.median(truth) - truth).mean(),
        "r2": 1 - np.mean(error**2) / spread**2,
        **_mean("log_score", score),
        "width68": np.mean(high - low) / (prior_high - prior_low),
    }
    return columns | coverages(level)


def coverages(level: np.ndarray) -> dict[str, float]:
    """The fraction of truths within each central interval, with its own interval.

    Args:
        level: the posterior probability below each truth, [n].
    """
    columns: dict[str, float] = {}
    for name, probability in INTERVALS.items():
        inside = covered(level, probability)
        fraction = inside.mean()
        low, high = metrics.rate_interval(np.array(fraction), np.array(len(inside)))
        column = f"coverage{name}"
        columns |= {column: fraction, f"{column}_low": float(low), f"{column}_high": float(high)}
    return columns


def _ends(probability: float) -> tuple[float, float]:
    return (1 - probability) / 2, (1 + probability) / 2


def _mean(name: str, values: np.ndarray) -> dict[str, float]:
    """A mean and its interval."""
    low, high, _ = metrics.difference(np.array(values.mean()), np.array(values.var(ddof=1) / len(values)))
    return {name: values.mean(), f"{name}_low": float(low), f"{name}_high": float(high)}
