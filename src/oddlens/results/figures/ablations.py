"""What each idea is worth: the gain of a row over itself without the idea, as dots with intervals."""

import pandas as pd
from matplotlib.figure import Figure

from oddlens.results.figures.style import plt, said


def ablation_dots(ablations: pd.DataFrame, title: str) -> Figure:
    """A panel per anomaly, a line per ablation: dark intervals over test images, pale ones over seeds."""
    if not len(ablations):
        return said("This study has no ablations.")
    order = ablations.drop_duplicates(["base", "ablation"])[["base", "ablation"]].itertuples(index=False, name=None)
    place = {pair: -k for k, pair in enumerate(order)}
    colours = plt.get_cmap("tab10").colors  # type: ignore[attr-defined]
    hue = dict(zip(ablations["base"].unique(), colours * 9, strict=False))
    anomalies = list(ablations["anomaly"].unique())
    size = (3.0 * len(anomalies), 0.3 * len(place) + 1.2)
    figure, axes = plt.subplots(1, len(anomalies), figsize=size, squeeze=False, sharey=True)
    for axis, anomaly in zip(axes[0], anomalies, strict=True):
        for line in ablations[ablations["anomaly"] == anomaly].itertuples():
            y, colour = place[line.base, line.ablation], hue[line.base]
            axis.plot([line.seed_low, line.seed_high], [y, y], color=colour, alpha=0.25, lw=5, solid_capstyle="butt")
            axis.plot([line.low, line.high], [y, y], color=colour, lw=1.5)
            axis.plot(line.gain, y, "o", color=colour, ms=4)
        axis.axvline(0, color="0.7", lw=0.8)
        axis.set(title=f"{anomaly}", xlabel="AUC gained")
    axes[0][0].set_yticks(list(place.values()), [f"{base} over {ablation}" for base, ablation in place])
    figure.suptitle(title, fontsize=11)
    figure.tight_layout()
    return figure
