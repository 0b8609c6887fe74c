"""Estimated parameters of lens and dark matter against their true values."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from oddlens.regression.estimates import Estimates
from oddlens.regression.targets import ANY, column_name
from oddlens.results.figures.style import FAINT, plt

N_INTERVALS = 40
"""Images whose intervals are shown."""
MAX_COLUMNS = 4
"""Panels in a line if there is one row of the regression."""

Target = tuple[str, str]


def target_label(target: Target) -> str:
    """A parameter and, if it belongs to one class, the class."""
    return column_name(target[1]) if target[0] == ANY else f"{column_name(target[1])}, {target[0]}"


def class_shown(estimates: Estimates, target: Target) -> str:
    """The class whose images are shown: that of the parameter, or the smooth class."""
    return estimates.classes[0] if target[0] == ANY else target[0]


def estimate_panels(estimates: Sequence[Estimates], title: str) -> Figure:
    """Posterior medians against the truth, with 68 % intervals of some images.

    There is a line of panels for each parameter and a column for each row of the regression. The parameters of a single
    row are shown side by side.
    """
    panels = [(of_row, target) for target in estimates[0].numbers for of_row in estimates]
    columns = len(estimates) if len(estimates) > 1 else min(MAX_COLUMNS, len(panels))
    lines = -(-len(panels) // columns)
    figure, axes = plt.subplots(lines, columns, figsize=(2.5 * columns, 2.0 * lines + 0.5), squeeze=False)
    for axis in axes.ravel()[len(panels) :]:
        axis.set_axis_off()
    for axis, (of_row, target) in zip(axes.ravel(), panels, strict=False):
        densities, truth = of_row.of(target, class_shown(of_row, target))
        median, some = densities.quantile(0.5), slice(N_INTERVALS)
        low, high = densities[some].quantile(0.16), densities[some].quantile(0.84)
        axis.plot(truth, median, ".", color="tab:blue", ms=1.5, alpha=0.35, zorder=1)
        bars = np.maximum([median[some] - low, high - median[some]], 0)
        axis.errorbar(truth[some], median[some], bars, fmt=".", ms=3, lw=0.7, color="tab:orange", zorder=2)
        ends = np.quantile(truth, [0, 1])
        axis.plot(ends, ends, **FAINT | {"color": "0.3"})
        axis.set_title(f"{of_row.row}: {target_label(target)}", fontsize=7)
        axis.tick_params(labelsize=6)
    for axis in axes[:, 0]:
        axis.set_ylabel("posterior median", fontsize=8)
    for axis in axes[-1]:
        axis.set_xlabel("truth", fontsize=8)
    figure.suptitle(title, fontsize=11)
    figure.tight_layout(pad=0.5, rect=(0, 0, 1, 0.98))
    return figure
