"""Ablations: the gain in AUC of a row over the row without one of its components."""

import pandas as pd
from matplotlib.figure import Figure

from oddlens.results.figures.style import message_figure, palette, plt


def ablation_dots(ablations: pd.DataFrame, title: str) -> Figure:
    """A panel per anomaly, a line per ablation, with intervals over test images (dark) and over seeds (pale)."""
    if not len(ablations):
        return message_figure("This study has no ablations.")
    pairs = ablations.drop_duplicates(["base", "ablation"])[["base", "ablation"]].itertuples(index=False, name=None)
    heights = {pair: -k for k, pair in enumerate(pairs)}
    colours = dict(zip(ablations["base"].unique(), list(palette("tab10")) * 9, strict=False))
    anomalies = list(ablations["anomaly"].unique())
    size = (3.0 * len(anomalies), 0.3 * len(heights) + 1.2)
    figure, axes = plt.subplots(1, len(anomalies), figsize=size, squeeze=False, sharey=True)
    for axis, anomaly in zip(axes[0], anomalies, strict=True):
        for line in ablations[ablations["anomaly"] == anomaly].itertuples():
            y, colour = heights[line.base, line.ablation], colours[line.base]
            axis.plot([line.seed_low, line.seed_high], [y, y], color=colour, alpha=0.25, lw=5, solid_capstyle="butt")
            axis.plot([line.low, line.high], [y, y], color=colour, lw=1.5)
            axis.plot(line.gain, y, "o", color=colour, ms=4)
        axis.axvline(0, color="0.7", lw=0.8)
        axis.set(title=f"{anomaly}", xlabel="gain in AUC")
    axes[0][0].set_yticks(list(heights.values()), [f"{base} vs. {ablation}" for base, ablation in heights])
    figure.suptitle(title, fontsize=11)
    figure.tight_layout()
    return figure
