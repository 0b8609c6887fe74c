"""The mean substructure fraction of populations, estimated from few and from many lenses."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from oddlens.regression.estimates import Estimates
from oddlens.regression.targets import FRACTION
from oddlens.results.figures.style import FAINT, plt
from oddlens.results.tables.fractions import LENSES, PopulationTest, anomaly_classes, draw_populations

EXAMPLE_QUANTILE = 0.75
"""The example population is the one whose mean is this quantile of all."""
TRUTH_LINE: Any = FAINT | {"color": "0.3"}


def fraction_panels(estimates: Sequence[Estimates], title: str) -> Figure:
    """For each class three panels, of the row of the regression with the highest log score for its fraction.

    Left: posterior means of populations against the truth, from few and many lenses. Middle: the same and the mean of
    single estimates. Right: the posterior of one population for growing samples.
    """
    classes = anomaly_classes(estimates[0])
    figure, axes = plt.subplots(len(classes), 3, figsize=(9.6, 2.9 * len(classes) + 0.4), squeeze=False)
    for (left, middle, right), cls in zip(axes, classes, strict=True):
        best = max(estimates, key=lambda of_row: _log_score(cls, of_row))
        test = draw_populations(best, cls)
        _draw_samples(left, test)
        left.set_ylabel(f"{best.row}, {cls}: posterior mean")
        _draw_naive_estimate(middle, test)
        _draw_posteriors(right, test)
        for axis, heading in ((left, None), (middle, None), (right, "lenses")):
            axis.legend(title=heading, fontsize=7, title_fontsize=7)
    figure.suptitle(title, fontsize=11)
    figure.tight_layout(rect=(0, 0, 1, 0.98))
    return figure


def _log_score(cls: str, estimates: Estimates) -> float:
    densities, truth = estimates.of((cls, FRACTION), cls)
    return float(densities.log_score(truth).mean())


def _draw_diagonal(axis: Axes, test: PopulationTest) -> None:
    ends = test.truth.min(), test.truth.max()
    axis.plot(ends, ends, **TRUTH_LINE)
    axis.set_xlabel("true mean fraction")


def _draw_samples(axis: Axes, test: PopulationTest) -> None:
    """Posterior means and standard deviations of some populations, from few and many lenses."""
    _draw_diagonal(axis, test)
    estimate, deviation, some = test.estimate(), test.posterior_std(), slice(0, 100)
    for k, colour in ((LENSES.index(10), "tab:orange"), (len(LENSES) - 1, "tab:blue")):
        style: Any = {"fmt": ".", "ms": 3, "lw": 0.5, "alpha": 0.6, "color": colour, "label": f"{LENSES[k]} lenses"}
        axis.errorbar(test.truth[some], estimate[k][some], deviation[k][some], **style)


def _draw_naive_estimate(axis: Axes, test: PopulationTest) -> None:
    """Posterior means, and the means of single estimates."""
    _draw_diagonal(axis, test)
    naive, posterior = test.means_of_estimates[-1], test.estimate()[-1]
    axis.plot(test.truth, naive, ".", ms=2, color="0.5", label=f"mean of {LENSES[-1]} estimates")
    axis.plot(test.truth, posterior, ".", ms=2, color="tab:blue", label=f"posterior, {LENSES[-1]} lenses")


def _draw_posteriors(axis: Axes, test: PopulationTest) -> None:
    """The posterior of one population for each sample size."""
    example = np.argsort(test.truth)[int(EXAMPLE_QUANTILE * len(test.truth))]
    step = test.means[1] - test.means[0]
    for k, size in enumerate(LENSES):
        shade = plt.get_cmap("Blues")(0.3 + 0.7 * k / (len(LENSES) - 1))
        axis.plot(test.means, test.posterior[k, example] / step, color=shade, label=str(size))
    axis.axvline(test.truth[example], **TRUTH_LINE)
    axis.set(xlabel="mean fraction", ylabel="posterior density")
