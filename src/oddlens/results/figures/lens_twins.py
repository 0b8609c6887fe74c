"""What the twins of a lens say about it."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from oddlens.results.figures.style import plt
from oddlens.results.tables.lens_fits import LensTwins

LOWEST_GAIN = -20.0
"""Twins with less gain in evidence, or without a fit, are drawn here."""


def lens_twins_figure(lens: LensTwins) -> Figure:
    """The evidence of the lens among that of its smooth twins, and the masses that were found in the others."""
    figure, axes = plt.subplots(1, 3, figsize=(12, 3.6))
    _smooth(lens, axes[0])
    _planted(lens, axes[1])
    _places(lens, axes[2])
    figure.tight_layout(pad=0.6)
    return figure


def _smooth(lens: LensTwins, axis: Axes) -> None:
    gains = lens.smooth["log_evidence_gain"].fillna(LOWEST_GAIN).clip(lower=LOWEST_GAIN)
    axis.hist(gains, bins=20, color="0.7", label=f"{len(gains)} smooth twins")
    axis.axvline(max(lens.gain, LOWEST_GAIN), color="C3", lw=2, label="the lens")
    axis.set(xlabel="log evidence gained by a mass", ylabel="twins")
    axis.legend(fontsize=8)


def _planted(lens: LensTwins, axis: Axes) -> None:
    predicted, found = lens.trials()
    gains = lens.planted["log_evidence_gain"].fillna(LOWEST_GAIN).clip(lower=LOWEST_GAIN).to_numpy()
    for label, part, marker in (("detected", found, "o"), ("not detected", ~found, "x")):
        if part.any():
            axis.plot(predicted[part], gains[part], marker, ms=4, label=f"{int(part.sum())} {label}")
            axis.legend(fontsize=8)
    if np.isfinite(predicted).any():
        axis.set_xscale("log")
    axis.set(xlabel="significance that the scan predicts for a planted mass", ylabel="log evidence gained")


def _places(lens: LensTwins, axis: Axes) -> None:
    _, found = lens.trials()
    for part, marker in ((found, "o"), (~found, "x")):
        own: pd.DataFrame = lens.planted[part] if len(found) else lens.planted[:0]
        if len(own):
            shown = axis.scatter(own["true_x"], own["true_y"], c=np.log10(own["true_area"]), marker=marker, s=22)
            shown.set_clim(-3, -1)
    if len(found):
        axis.figure.colorbar(shown, ax=axis, fraction=0.046).set_label("planted mass [log10 ″²]", fontsize=8)
    axis.set(xlabel="x [″]", ylabel="y [″]", title="● detected  × not detected", aspect="equal")
