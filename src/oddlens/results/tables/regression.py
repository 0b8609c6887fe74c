"""How well numbers of lens and dark matter are estimated, and whether the claimed uncertainties hold."""

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from oddlens.regression.estimates import Estimates
from oddlens.regression.histograms import Densities, covered
from oddlens.regression.targets import written
from oddlens.statistics import metrics

PARTS = {"68": 0.68, "95": 0.95}
"""Probabilities of the intervals, as columns name them."""


def regression_table(found: Iterable[Estimates]) -> pd.DataFrame:
    """`regression.csv`: a line for each number and class of test images.

    The estimate is the posterior mean (`rmse`, `bias`, `r2`) or median (`mae`); beside them what would be had without
    an image: the `spread` of the truth, and `mae_prior` by its median. `log_score` is the mean log of posterior over
    prior at the truth, in nats, and `width68` the mean width of the 68 % intervals over that of the prior. Intervals
    are over test images.
    """
    lines = [line for estimates in found for line in _lines(estimates)]
    return pd.DataFrame(lines, columns=COLUMNS)


COLUMNS = ["dataset", "row", "target", "class", "n", "spread", "rmse", "bias", "bias_low", "bias_high", "mae"]
COLUMNS += ["mae_prior", "r2", "log_score", "log_score_low", "log_score_high", "width68"]
COLUMNS += [f"coverage{part}{end}" for part in PARTS for end in ("", "_low", "_high")]


def _lines(estimates: Estimates) -> Iterator[dict]:
    for target in estimates.numbers:
        for cls in estimates.classes:
            densities, truth = estimates.of(target, cls)
            if len(truth) > 1:
                about = {"dataset": estimates.dataset, "row": estimates.row}
                yield about | {"target": written(target[1]), "class": cls} | judged(densities, truth)


def judged(densities: Densities, truth: np.ndarray) -> dict[str, float]:
    """All that the table says of what is known of a number, [n], beside its truth, [n]."""
    error, score, level = densities.mean() - truth, densities.score(truth), densities.level(truth)
    spread = truth.std()
    low, high = (densities.quantile(q) for q in _ends(PARTS["68"]))
    prior_low, prior_high = densities.scale.value(np.array(_ends(PARTS["68"])))
    made: dict[str, float] = {
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
    for name, part in PARTS.items():
        made |= rate(f"coverage{name}", covered(level, part))
    return made


def _ends(part: float) -> tuple[float, float]:
    return (1 - part) / 2, (1 + part) / 2


def _mean(name: str, values: np.ndarray) -> dict[str, float]:
    """A mean and its interval."""
    low, high, _ = metrics.difference(np.array(values.mean()), np.array(values.var(ddof=1) / len(values)))
    return {name: values.mean(), f"{name}_low": float(low), f"{name}_high": float(high)}


def rate(name: str, happened: np.ndarray) -> dict[str, float]:
    """How often something happened, and the interval."""
    often = happened.mean()
    low, high = metrics.rate_interval(np.array(often), np.array(len(happened)))
    return {name: often, f"{name}_low": float(low), f"{name}_high": float(high)}
